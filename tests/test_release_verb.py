"""`make release` with the real DVC: what was trained is what is offered."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fledge import fetch, git
from fledge.artifact import keys
from fledge.project import read_yaml
from fledge.release import proposal, render
from scripts import check, healthy, release
from tests.conftest import Repository
from tests.law.process import DIED, run
from tests.trained import replace
from tests.untouched import seen

STAGES = """
stages:
  train:
    foreach: [delays]
    do:
      cmd: mkdir -p models/${item}/saved_model && cat models/${item}/params.yaml > models/${item}/saved_model/graph
      params:
        - models/${item}/params.yaml:
            - train
      outs:
        - models/${item}/saved_model
"""


def dvc(root: Path, *arguments: str) -> None:
    """The real DVC, with its caches inside the clone."""
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "--quiet"], cwd=root, check=True)


@pytest.fixture
def trained(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository whose model was trained by a stage that takes no time, with a remote that holds nothing yet."""
    root = repository.root
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    config = root / ".dvc" / "config"
    config.write_text(re.sub(r"url = .*", f"url = {tmp_path / 'remote'}", config.read_text()))
    (root / "dvc.yaml").write_text(STAGES)
    (root / "data").mkdir()
    (root / "data" / "rows").write_text("1")
    (root / ".gitignore").write_text(
        (root / ".gitignore").read_text() + "/models/*/saved_model\n/.dvc/cache\n/.dvc/tmp\n"
    )
    (root / "models" / "delays" / "contract.yaml").write_text("inputs: {}\noutputs: {}\n")
    dvc(root, "add", "data")
    dvc(root, "repro")
    repository.commit("Train")
    repository.push()
    return repository


def test_what_was_trained_is_released_and_pushed(trained: Repository, tmp_path: Path) -> None:
    """The first release is 1.0.0 of the hash in dvc.lock; its files are in the remote, and one commit holds it."""
    assert release.main(["--model", "delays"]) == 0
    spec = read_yaml(trained.root / "manifests/releases/staging/delays/release.yaml")["spec"]
    locked = read_yaml(trained.root / "dvc.lock")["stages"]["train@delays"]["outs"][0]["md5"]
    assert (spec["version"], spec["artifact"]["md5"]) == ("1.0.0", locked)
    assert (tmp_path / "remote" / "files" / "md5" / locked[:2] / locked[2:]).exists()
    assert spec["training"]["commit"] == git.git(trained.root, "rev-parse", "HEAD~1")
    assert git.git(trained.root, "status", "--porcelain") == ""


def test_what_differs_from_the_champion_is_shown_and_counted(
    trained: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second release says each difference of contract and recipe with its level and why; the highest is its version."""
    home = trained.root / "models" / "delays"
    assert release.main(["--model", "delays"]) == 0
    trained.push()
    assert healthy.main(["--env", "staging", "--model", "delays", "--delivery", delivery(trained)]) == 0
    replace(home / "params.yaml", "  seed:", "  seed: 8")
    replace(home / "contract.yaml", "inputs:", "inputs: {temp: {dtype: float32}}")
    dvc(trained.root, "repro")
    trained.commit("Another seed, an input more")
    capsys.readouterr()
    assert release.main(["--model", "delays"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "staging/delays: what differs from 1.0.0, its champion (docs/compatibility.md)",
        "  major  inputs.temp: nothing -> dtype float32",
        f"         input temp is new: {lines[2].partition(': ')[2]}",
        "  patch  train.seed: 7 -> 8",
        "         another seed (train.seed): another draw of the same recipe",
    ]
    assert "no input is optional" in lines[2]
    assert lines[5].startswith("staging/delays: 2.0.0 (major: input temp is new), artifact ")


def delivery(repository: Repository) -> str:
    """What is delivered to staging now."""
    return render.delivered((repository.root / "manifests/rendered/staging/delays.yaml").read_text())[0]


def test_what_is_released_is_derived_again(trained: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """`make check` derives what `make release` made, from the commit that completed the training; an edit is refused."""
    params, lock = trained.root / "models" / "delays" / "params.yaml", trained.root / "dvc.lock"
    params.write_text(params.read_text().replace("seed: 7", "seed: 8"))
    dvc(trained.root, "repro")
    trained.commit("The artifact first", lock)
    completed = trained.commit("Then what it was made with", params)
    assert release.main(["--model", "delays"]) == 0
    assert check.main([]) == 0
    file = trained.root / "manifests/releases/staging/delays/release.yaml"
    assert read_yaml(file)["spec"]["training"]["commit"] == completed
    file.write_text(file.read_text().replace("seed: 8", "seed: 9"))
    capsys.readouterr()
    assert check.main([]) == 1
    line = "staging/delays: parameters.seed is 9, expected 8 (manifests/releases/staging/delays/release.yaml: spec.parameters.seed)"
    assert capsys.readouterr().err == f"{line}\n"


def test_the_first_release_commits_the_key_that_signed_it(trained: Repository, tmp_path: Path) -> None:
    """The pushed artifact is signed by the pair that the first release made, of which git holds the public half."""
    assert release.main(["--model", "delays"]) == 0
    assert keys.PUBLIC.as_posix() in git.git(trained.root, "show", "--name-only", "--format=", "HEAD").splitlines()
    md5 = read_yaml(trained.root / "manifests/releases/staging/delays/release.yaml")["spec"]["artifact"]["md5"]
    fetched = fetch.fetch(str(tmp_path / "remote"), md5, tmp_path / "pod" / "1", keys=keys.public(trained.root))
    assert [path.name for path in fetched.iterdir()] == ["graph"]


def test_a_release_is_whole_or_not_at_all(
    trained: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What git does not take leaves nothing behind; what is released already, and a strange key, are told and change nothing."""
    hook = trained.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not like this' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert refused(trained, tmp_path, capsys).startswith("git: not like this, expected `git commit --quiet -m …`")
    hook.unlink()
    assert release.main(["--model", "delays"]) == 0
    assert refused(trained, tmp_path, capsys).startswith("staging/delays: 1.0.0 is in this branch already, expected")
    monkeypatch.setenv(keys.VARIABLE, str(tmp_path / "strange.pem"))
    keys._made(tmp_path / "strange.pem")
    assert refused(trained, tmp_path, capsys).endswith(
        f"fits none of the 1 in {keys.PUBLIC}, expected one ({keys.VARIABLE})"
    )


def refused(made: Repository, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a refusal, after which everything is as it was."""
    before = seen(made.root, folder / "origin.git")
    capsys.readouterr()
    assert release.main(["--model", "delays"]) == 1
    assert seen(made.root, folder / "origin.git") == before
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_release_that_dies_anywhere_is_made_again(
    trained: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before whichever write or act of git the machine is lost, nothing is offered; the verb run again offers it whole."""
    dvc(trained.root, "push")  # what dies within DVC is DVC's matter
    for module in (release, proposal):
        monkeypatch.setattr(module, "dvc", lambda *_: "{}")
    before = git.git(trained.root, "rev-parse", "HEAD")
    for crash in itertools.count():
        code, said = run(release.main, ["--model", "delays"], trained.root, crash)
        if code != DIED:
            break
        assert git.git(trained.root, "rev-parse", "HEAD") == before
        git.git(trained.root, "restore", "--staged", "--worktree", ".")
        git.git(trained.root, "clean", "-d", "--force", "--quiet")
    assert (code, said) == (0, "")
    assert crash >= 5, "the public key, release.yaml, what it renders to, add and commit"
    assert git.git(trained.root, "rev-parse", "HEAD~1") == before
    assert git.git(trained.root, "status", "--porcelain") == ""
    spec = read_yaml(trained.root / "manifests/releases/staging/delays/release.yaml")["spec"]
    remote, known = str(tmp_path / "remote"), keys.public(trained.root)
    assert fetch.fetch(remote, spec["artifact"]["md5"], tmp_path / "pod", sha256=spec["artifact"]["sha256"], keys=known)


def test_parameters_changed_after_the_training_are_refused(
    trained: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release never says another recipe than the one that made its artifact."""
    params = trained.root / "models" / "delays" / "params.yaml"
    params.write_text(params.read_text().replace("seed: 7", "seed: 8"))
    trained.commit("Another seed, not trained")
    assert release.main(["--model", "delays"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("delays: models/delays/params.yaml")
    assert "changed since the training, expected what dvc.lock was made from (make train)" in line
    assert not (trained.root / "manifests/releases").exists()


def test_a_changed_artifact_is_refused(trained: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not what dvc.lock says is not offered."""
    graph = trained.root / "models" / "delays" / "saved_model" / "graph"
    graph.chmod(0o644)
    os.unlink(graph)
    graph.write_text("other")
    assert release.main(["--model", "delays"]) == 1
    assert "models/delays/saved_model has hash" in capsys.readouterr().err


def test_a_remote_that_cannot_be_written_is_one_line(
    trained: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When `dvc push` fails nothing is written."""
    (tmp_path / "remote").write_text("a file where a folder should be")
    assert release.main(["--model", "delays"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("dvc: ")
    assert not (trained.root / "manifests/releases").exists()


def test_nothing_trained_is_one_line(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Without dvc.lock there is nothing to release."""
    assert release.main(["--model", "delays"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == "delays: no trained artifact found, expected one (dvc.lock: train@delays; make train)"


@pytest.mark.parametrize("model", ["churn", ""])
def test_an_unknown_model_is_one_line(repository: Repository, capsys: pytest.CaptureFixture[str], model: str) -> None:
    """A name that project.yaml does not list is refused."""
    assert release.main(["--model", model]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "no such model, expected one of delays (project.yaml: models)" in line
