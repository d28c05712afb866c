"""The verb `make affected`: what it tells of a branch, and the matrix that GitHub Actions makes of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fledge import project, release
from fledge.problems import Problem
from fledge.release import Files
from scripts import affected, gates, rollback, setup
from tests.conftest import ROOT, Repository
from tests.tiny.offered import FOLDER, PRODUCTION, STAGING, Owner, an_owner, artifact

Said = pytest.CaptureFixture[str]


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """1.0.0 and then 1.1.0 served in staging, and a branch begins."""
    rows = tmp_path / "rows"
    rows.write_text("July")
    owner = an_owner(repository, tmp_path / "remote", rows)
    for version in ("1.0.0", "1.1.0"):
        owner.offer(version, artifact(tmp_path / version, version))
        owner.serve()
    owner.branch()
    return owner


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub Actions gives a step for its outputs."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    return tmp_path / "output"


def told(output: Path) -> dict[str, Any]:
    """The outputs, read as the workflow reads them, and the changes that are left for the required check."""
    lines = (line.partition("=") for line in output.read_text().splitlines())
    return {name: json.loads(value) for name, _, value in lines} | {"changes": json.loads(affected.CHANGES.read_text())}


def test_a_candidate_is_a_batch_and_its_evidence_is_named(
    owner: Owner, tmp_path: Path, output: Path, capsys: Said
) -> None:
    """A release that enters an environment is judged there; the outputs hold it for the jobs that follow."""
    wanted = owner.offer("1.1.1", artifact(tmp_path / "new", "new"))
    capsys.readouterr()
    assert affected.main([]) == 0
    line = "staging/tiny: candidate 1.1.1, champion 1.1.0"
    assert capsys.readouterr().out == f"{line}\n"
    change = {"who": "staging/tiny", "says": line, "evidence": f"staging_tiny-{wanted.artifact.md5}"}
    assert told(output) == {"batches": ["staging/tiny"], "changes": [change], "template": False}


def test_a_branch_without_a_delivery_has_no_batch(owner: Owner, output: Path, capsys: Said) -> None:
    """Prose of the owner's is nothing to judge and nothing of the template's."""
    owner.write("README.md", "our words\n")
    owner.repository.commit("Our words")
    assert affected.main([]) == 0
    assert capsys.readouterr().out == "affected: no delivery differs from origin/main\n"
    assert told(output) == {"batches": [], "changes": [], "template": False}


def test_a_rollback_is_told_and_not_judged(owner: Owner, output: Path, capsys: Said) -> None:
    """A delivery that was healthy returns without any gate, and whoever reads the outputs sees that it is one."""
    assert rollback.main(["--model", "tiny", "--env", "staging", "--to", "1.0.0"]) == 0
    capsys.readouterr()
    assert affected.main([]) == 0
    assert capsys.readouterr().out == "staging/tiny: rollback 1.0.0, no gate\n"
    found = told(output)
    assert found["batches"] == []
    assert found["changes"] == [
        {"who": "staging/tiny", "says": "staging/tiny: rollback 1.0.0, no gate", "evidence": None}
    ]


def test_a_promotion_is_judged_where_it_goes(owner: Owner, output: Path) -> None:
    """The same release one environment up has gates of its own there."""
    served = release.read(owner.root, STAGING)
    assert served
    owner.place(PRODUCTION, served)
    assert affected.main([]) == 0
    assert told(output)["batches"] == ["production/tiny"]


def test_a_model_that_is_not_released_is_a_batch_too(owner: Owner, output: Path, capsys: Said) -> None:
    """Its gates have something to say though no delivery changes, so a job must say it."""
    owner.write("model.py", "# another network\n")
    owner.repository.commit("Another network")
    assert affected.main([]) == 0
    assert "tiny: models/tiny/model.py changed without a new release" in capsys.readouterr().out
    assert told(output)["batches"] == ["staging/tiny"]


def test_the_templates_own_tests_run_where_the_template_changes(owner: Owner, output: Path) -> None:
    """What copier would replace is the template's; what is the owner's is not."""
    for file, template in [
        ("project.yaml", False),
        (f"{FOLDER}/data.py", False),
        ("manifests/base/rollout.yaml", True),
    ]:
        with (owner.root / file).open("a") as out:
            out.write("\n# a change\n")
        owner.repository.commit(f"A change of {file}")
        assert affected.main([]) == 0
        assert told(output)["template"] is template


@pytest.mark.parametrize("count", [0, 1, 200, 201, 450])
def test_any_number_of_candidates_fits_the_matrix(count: int) -> None:
    """At most 200 jobs, every candidate in exactly one, none with more than one above its share."""
    named = [f"staging/model-{number}" for number in range(count)]
    jobs = affected.batches(named)
    assert len(jobs) == min(count, 200)
    assert sorted(word for job in jobs for word in job.split()) == sorted(named)
    assert {len(job.split()) for job in jobs} <= {count // 200, count // 200 + 1}


def test_a_batch_is_what_the_gates_take() -> None:
    """Each word of a batch names one environment and model; one that project.yaml lacks is refused, not passed over."""
    owner = project.load(ROOT)
    assert gates.chosen(owner, None, None, ["staging/delays"]) == [Files("staging", "delays")]
    for word, reason in [
        ("staging/churn", "churn: no such model"),
        ("test/delays", "test: no such environment"),
        ("delays", "no such"),
    ]:
        with pytest.raises(Problem, match=reason):
            gates.chosen(owner, None, None, [word])


@pytest.mark.parametrize("other", [["--model", "delays"], ["--env", "staging"], ["--candidate", "a"]])
def test_a_batch_stands_alone(other: list[str], capsys: Said) -> None:
    """Beside a batch nothing else says what is judged."""
    assert gates.main(["--pair", "staging/delays", *other]) == 1
    assert re.search(r"gates: found --pair with --\w+.*, expected one of them \(--pair\)", capsys.readouterr().err)


# Runs a verb as if only the light part of the lock were installed.
LIGHT = """
import importlib.metadata as metadata, json, runpy, sys
light = set(json.loads(sys.argv[1]))
class Absent:
    def find_spec(self, name, path=None, target=None):
        owners = {one.lower().replace("_", "-").replace(".", "-") for one in known.get(name.partition(".")[0], [])}
        if owners and not owners & light:
            raise ModuleNotFoundError(f"{name} is not in the light environment")
known = metadata.packages_distributions()
sys.meta_path.insert(0, Absent())
module, sys.argv = sys.argv[2], sys.argv[2:]
runpy.run_module(module, run_name="__main__")
"""


VERBS = {
    "affected": "staging/tiny: rollback 1.0.0, no gate",
    "check": "no problem",
    "gates": "staging/tiny: rollback 1.0.0, no gate",
    "gates_pass": "gates-pass: the whole: ",
    "comment": "comment: no GITHUB_EVENT_PATH, expected it from GitHub Actions",
}


def test_a_rollback_needs_no_tensorflow(owner: Owner) -> None:
    """Every verb that a rollback passes in CI runs with the light part of the lock alone, as far as it can here."""
    assert rollback.main(["--model", "tiny", "--env", "staging", "--to", "1.0.0"]) == 0
    lock = setup.part((ROOT / "requirements.lock").read_text(), *setup.LIGHT)
    names = [line.partition("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    for verb, said in VERBS.items():
        command = [sys.executable, "-c", LIGHT, json.dumps(names), f"scripts.{verb}"]
        done = subprocess.run(command, cwd=owner.root, env=plain(), capture_output=True, text=True)
        assert said in done.stdout + done.stderr, done.stdout + done.stderr


def plain() -> dict[str, str]:
    """This process' environment without what GitHub Actions would set, our modules first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "NEEDS"))}
    return kept | {"PYTHONPATH": str(ROOT)}
