"""Which models a branch concerns: those that it touches, all where it touches what is everybody's, and why that is enough."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fledge import git, project, release
from fledge.branch.scope import touched
from fledge.release import Denial, Files, everywhere, render
from fledge.rules import problems_of
from scripts.fleet import Fleet
from tests.fleets import COUNT

FIRST, SECOND, THIRD = "model-0000", "model-0001", "model-0002"


@pytest.fixture
def small(copied: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Models that are healthy in both environments, and a branch begins."""
    git.git(copied.root, "switch", "--quiet", "--create", "work")
    write(copied, "NOTES.txt", "a branch of its own\n")
    monkeypatch.setattr("fledge.branch.scope.SILENT", ("docs/", "NOTES.txt"))
    git.commit(copied.root, "Notes", ".")
    return copied


def write(made: Fleet, name: str, text: str) -> None:
    """A file of the clone."""
    (made.root / name).parent.mkdir(parents=True, exist_ok=True)
    (made.root / name).write_text(text)


def edit(made: Fleet, name: str | Path, before: str, after: str) -> None:
    """Replace a text that is there."""
    text = (made.root / name).read_text()
    assert before in text
    (made.root / name).write_text(text.replace(before, after))


def concerned(made: Fleet) -> list[str]:
    """What the scope names, as environment/model."""
    return [files.who for files in touched(made.root, project.load(made.root), "origin/main")]


def of(*models: str) -> list[str]:
    """Both environments of those models."""
    return [f"{environment}/{model}" for environment in ("staging", "production") for model in models]


ALL = tuple(f"model-{number:04}" for number in range(COUNT))
EDITS: dict[str, tuple[Callable[[Fleet], None], tuple[str, ...]]] = {
    "nothing": (lambda made: None, ()),
    "a page": (lambda made: write(made, "docs/page.md", "words"), ()),
    "a limit": (lambda made: edit(made, f"models/{SECOND}/params.yaml", "seed: 7", "seed: 8"), (SECOND,)),
    "a release": (lambda made: edit(made, Files("staging", THIRD).release, "1.0.0", "1.0.1"), (THIRD,)),
    "a rendered file": (lambda made: edit(made, Files("production", FIRST).rendered, "5", "6"), (FIRST,)),
    "a denial that git does not know": (lambda made: write(made, str(Files("staging", THIRD).denied), "x"), (THIRD,)),
    "the base": (lambda made: edit(made, "manifests/base/rollout.yaml", "Rollout", "Rollouts"), ALL),
    "a component that git does not know": (lambda made: write(made, "manifests/components/x/kustomization.yaml", ""), ALL),
    "an image": (lambda made: edit(made, "project.yaml", "tensorflow/serving:2.20.0", "tensorflow/serving:2.19.0"), ALL),
    "a model less": (lambda made: edit(made, "project.yaml", f"  - {SECOND}\n", ""), ()),
    "the remote": (lambda made: edit(made, ".dvc/config", "/remote", "/elsewhere"), ALL),
    "the keys": (lambda made: write(made, "manifests/releases/signing.pub", "x"), ALL),
    "Fledge itself": (lambda made: write(made, "fledge/rules.py", "x"), ALL),
    "the packages": (lambda made: write(made, "requirements.lock", "x"), ALL),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
def test_a_branch_concerns_what_it_touches(small: Fleet, name: str, committed: bool) -> None:
    """A model's own files concern its environments; what every rule may read concerns all; prose concerns none."""
    act, models = EDITS[name]
    act(small)
    if committed and git.git(small.root, "status", "--porcelain"):
        git.commit(small.root, "Edit", ".")
    assert concerned(small) == of(*models)


def test_the_target_branch_concerns_all(small: Fleet) -> None:
    """Where there is no branch of one's own every pair is looked at."""
    git.git(small.root, "switch", "--quiet", "main")
    assert concerned(small) == of(*ALL)


def lines(made: Fleet, who: list[str]) -> set[str]:
    """The lines of all rules about these pairs."""
    pairs = [files for files in everywhere(project.load(made.root)) if files.who in who]
    return {line for files in pairs for line in problems_of(made.root, files, "origin/main")}


WRONG: dict[str, Callable[[Fleet], None]] = {
    "nothing": lambda made: None,
    "by hand": lambda made: edit(made, Files("production", SECOND).rendered, "periodSeconds: 1\n", "periodSeconds: 2\n"),
    "another release": lambda made: edit(made, Files("staging", THIRD).release, "version: 1.0.0", "version: 1.0.1"),
    "files gone": lambda made: (made.root / Files("staging", SECOND).rendered).unlink(),
    "the base, not rendered": lambda made: edit(made, "manifests/base/rollout.yaml", "failureThreshold: 3", "failureThreshold: 4"),
    "a denial gone": lambda made: (made.root / Files("production", FIRST).denied).unlink(),
}  # fmt: skip


def deny(made: Fleet, files: Files) -> None:
    """What is served there is denied."""
    serving, version = render.delivered((made.root / files.rendered).read_text())
    denial = Denial(delivery=serving, version=version, cause="judge", time="2026-01-01T00:00:00+00:00")
    write(made, str(files.denied), release.denied_to_text(files.model, [denial]))


def land(made: Fleet, message: str) -> None:
    """All changes become the target branch's."""
    git.commit(made.root, message, ".")
    git.git(made.root, "push", "--quiet", "origin", "HEAD:main")


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_looked_at_was_judged_on_the_target_branch(small: Fleet, name: str) -> None:
    """All that any pair breaks is found, but for what the target branch says of itself, which this one cannot mend."""
    git.git(small.root, "switch", "--quiet", "main")
    deny(small, Files("production", FIRST))
    edit(small, Files("production", FIRST).release, "number: 1000000", "number: 1000001")
    land(small, "A denial, and a number that does not follow from its version")
    judged = (FIRST, SECOND, THIRD)  # what follows touches no other
    known = lines(small, of(*judged))
    assert known
    git.git(small.root, "switch", "--quiet", "--create", "newer")
    write(small, "NOTES.txt", "another branch\n")
    git.commit(small.root, "Notes", ".")
    WRONG[name](small)
    whole, looked = lines(small, of(*judged)), lines(small, [who for who in concerned(small) if who in of(*judged)])
    assert whole - known <= looked <= whole
    assert (name in ("nothing", "the base, not rendered")) == (whole - known == set())


def test_a_branch_that_is_behind_is_told_of_a_new_denial(small: Fleet) -> None:
    """The target branch denied and left a delivery that this one still has and never touched: it is found, and named."""
    git.git(small.root, "switch", "--quiet", "main")
    deny(small, Files("production", THIRD))
    edit(small, Files("production", THIRD).rendered, "periodSeconds: 1\n", "periodSeconds: 2\n")
    land(small, "A denial, and another delivery in its place")
    git.git(small.root, "switch", "--quiet", "work")
    assert concerned(small) == of(THIRD)
    assert any("is denied since" in line for line in lines(small, concerned(small)))
