"""`make release` with the real DVC: what was trained is what is offered."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fledge import git
from fledge.project import read_yaml
from scripts import release
from tests.conftest import Repository

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
