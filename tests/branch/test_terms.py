"""Whose limits and whose gates judge a branch: the target's; and the branch's own as well, where it changes them."""

from pathlib import Path
from typing import Any

import pytest

from fledge import git
from fledge.branch.terms import Terms, terms
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import dump
from tests.conftest import Repository

PARAMS = "models/delays/params.yaml"
TARGET = f"origin/main:{PARAMS}"
HINT = "What it changes judges alone once origin/main holds it: merge it first, without a release."


def margin(repository: Repository, value: float) -> dict[str, Any]:
    """Change one limit on the branch that is checked out; the limits as they are now."""
    content = read_yaml(repository.root / PARAMS)
    content["gates"]["regression"]["auc"]["margin"] = value
    (repository.root / PARAMS).write_text(dump(content))
    repository.commit("Another margin", PARAMS)
    found: dict[str, Any] = content["gates"]
    return found


def code(repository: Repository, text: str, file: str = "tests/gates/test_small.py") -> None:
    """Write a file of the gates' own code."""
    path = repository.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    git.git(repository.root, "add", "--force", file)  # also what .gitignore names
    git.git(repository.root, "commit", "--quiet", "-m", f"{file}: {text}", "--", file)


def asked(repository: Repository, alone: str | None = None) -> list[Terms]:
    return terms(repository.root, "delays", "origin/main", alone)


def branch(repository: Repository) -> None:
    git.git(repository.root, "switch", "--quiet", "--create", "work")


def test_a_branch_that_changes_neither_is_judged_once(repository: Repository) -> None:
    """The target branch's limits judge, with the gates that are here, which are the target's."""
    before = read_yaml(repository.root / PARAMS)["gates"]
    [one] = asked(repository)
    assert (one.limits["gates"], one.file, one.revision, one.own) == (before, TARGET, None, False)
    assert one.notes == (f"Judged by the limits of {TARGET}.",)


@pytest.mark.parametrize("value", [0.5, 0.001], ids=["relaxed", "tightened"])
def test_a_changed_limit_makes_both_judge(repository: Repository, value: float) -> None:
    """The target's limits judge as they are there, then the branch's as they are here, and both say what changed."""
    before = read_yaml(repository.root / PARAMS)["gates"]
    branch(repository)
    after = margin(repository, value)
    theirs, ours = asked(repository)
    assert (theirs.limits["gates"], theirs.file, theirs.own) == (before, TARGET, False)
    assert (ours.limits["gates"], ours.file, ours.own) == (after, PARAMS, True)
    said = f"This branch changes gates.regression.auc.margin from 0.01 to {value} ({PARAMS})."
    assert theirs.notes == (f"Judged by the limits of {TARGET}.", said, HINT)
    assert ours.notes == ("Judged by this branch's own limits as well.", said)


def test_each_changed_key_is_named(repository: Repository) -> None:
    """What is added, taken away or moved is told with both values, whole sections too, and slo like gates."""
    branch(repository)
    content = read_yaml(repository.root / PARAMS)
    gone = content["gates"].pop("threshold")
    content["gates"]["regression"]["accuracy"] = {"margin": 0.01}
    content["slo"]["error_ratio"] = 0.2
    (repository.root / PARAMS).write_text(dump(content))
    repository.commit("Limits")
    notes = asked(repository)[0].notes[1:-1]
    assert set(notes) == {
        f"This branch changes gates.threshold from {gone} to nothing ({PARAMS}).",
        f"This branch changes gates.regression.accuracy from nothing to {{'margin': 0.01}} ({PARAMS}).",
        f"This branch changes slo.error_ratio from 0.01 to 0.2 ({PARAMS}).",
    }


def test_changed_gates_make_both_judge(repository: Repository) -> None:
    """Where the branch changes what judges, the target's gates run as the target has them, and then those that are here."""
    code(repository, "1")
    repository.push()
    branch(repository)
    code(repository, "2")
    code(repository, "2", "fledge/any.py")
    theirs, ours = asked(repository)
    assert (theirs.revision, ours.revision) == ("origin/main", None)
    assert (theirs.file, ours.file) == (TARGET, PARAMS)
    said = "This branch changes what judges: fledge/any.py, tests/gates/test_small.py."
    assert theirs.notes == (f"Judged by the limits of {TARGET}.", said, HINT)
    assert ours.notes == ("Judged by this branch's own gates as well.", said)


STARTS = ["Makefile", "pyproject.toml", "requirements.lock", "scripts/gates.py", "scripts/setup.py"]
HIDES = ["numpy.py", "numpy.pyc", "scipy/__init__.py", "scipy/__init__.pyc", ".venv/bin/python", ".tools/bin/kustomize"]


@pytest.mark.parametrize("file", [*STARTS, *HIDES])
def test_what_could_stand_before_a_gate_counts(repository: Repository, file: str) -> None:
    """What starts the gates judges as much as they do, and so does a module of the name of one that they import."""
    branch(repository)
    code(repository, "1", file)
    theirs, ours = asked(repository)
    assert (theirs.revision, ours.revision) == ("origin/main", None)
    assert f"This branch changes what judges: {file}." in theirs.notes


@pytest.mark.parametrize("file", ["models/delays/model.py", "docs/words.py", "pipelines/train.py", "scripts/other.py"])
def test_what_no_gate_imports_does_not(repository: Repository, file: str) -> None:
    """A network, a pipeline and another verb are the branch's own business."""
    branch(repository)
    code(repository, "1", file)
    assert [one.revision for one in asked(repository)] == [None]


def test_a_branch_that_is_behind_changes_nothing(repository: Repository) -> None:
    """What only main changed is not the branch's doing: the target's limits and gates judge, alone."""
    code(repository, "1")
    repository.push()
    branch(repository)
    git.git(repository.root, "switch", "--quiet", "main")
    after = margin(repository, 0.02)
    code(repository, "2")
    repository.push()
    git.git(repository.root, "switch", "--quiet", "work")
    [one] = asked(repository)
    assert (one.limits["gates"], one.revision) == (after, "origin/main")
    assert one.notes == (f"Judged by the limits of {TARGET}.",)


def test_a_new_model_is_judged_by_its_own_limits(repository: Repository) -> None:
    """A model that the target branch lacks brings its own limits, and the reader is told."""
    branch(repository)
    new = repository.root / "models" / "colours" / "params.yaml"
    new.parent.mkdir()
    new.write_text("gates: {task: binary}\n")
    repository.commit("A new model")
    [one] = terms(repository.root, "colours", "origin/main")
    assert (one.limits["gates"], one.file) == ({"task": "binary"}, "models/colours/params.yaml")
    assert one.notes == ("origin/main has no models/colours/params.yaml: a new model, judged by its own limits.",)


def test_what_cannot_be_compared_is_judged_by_its_own_limits(repository: Repository) -> None:
    """For a major version of other answers only its own limits judge: why is told, and each limit that is another one."""
    branch(repository)
    after = margin(repository, 0.5)
    [one] = asked(repository, "2.0.0 cannot be compared.")
    assert (one.limits["gates"], one.file, one.notes) == (
        after,
        PARAMS,
        (
            "2.0.0 cannot be compared.",
            f"Its own limits differ from origin/main's: gates.regression.auc.margin from 0.01 to 0.5 ({PARAMS}).",
        ),
    )


def test_params_that_are_no_yaml_are_one_line(repository: Repository) -> None:
    """A damaged file on the target branch is named as that branch's."""
    Path(repository.root / PARAMS).write_text("gates: [\n")
    repository.commit("Damaged")
    repository.push()
    (repository.root / PARAMS).write_text("gates: {}\n")
    with pytest.raises(Problem, match=rf"^{TARGET}: .*, expected YAML \({TARGET}\)$"):
        asked(repository)
