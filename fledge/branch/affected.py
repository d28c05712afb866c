"""Which deliveries a branch changes, and what kind of change each one is: it decides what is gated and how."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from fledge import git, project
from fledge.project import Project
from fledge.release import Files, Release, everywhere, history
from fledge.release.render import delivered

Kind = Literal["candidate", "promotion", "rollback", "base"]


@dataclass(frozen=True)
class Change:
    """One (environment, model) whose delivery a branch changes.

    candidate: a release enters the first environment; promotion: it goes one environment up;
    rollback: byte for byte what a healthy, not denied tag holds; base: the champion in another stack.
    """

    files: Files
    kind: Kind
    candidate: Release
    champion: Release | None

    @property
    def gated(self) -> bool:
        """A rollback is no candidate, and a base change's candidate is its champion."""
        return self.kind in ("candidate", "promotion")

    @property
    def evidence(self) -> str:
        """How the files of its evidence are called, without an ending: no name of project.yaml holds an underscore."""
        return f"{self.files.environment}_{self.files.model}-{self.candidate.artifact.md5}"


def affected(root: Path, base: str, head: str = "HEAD") -> list[Change]:
    """Every delivery that `head` changed since it left `base` (the target branch), in the order of project.yaml.

    A file that is as it was when `head` left holds the delivery that it held: git names the others in one answer.
    Raises Problem for a healthy delivery without its release: a missing champion is no first release.
    """
    owner, fork = project.load(root), git.fork(root, base, head)
    names = set(git.differing(root, fork, head, "manifests/rendered"))
    pairs = [files for files in everywhere(owner) if files.rendered.as_posix() in names]
    changes = history.of_each(root, partial(_change, root, owner, (base, fork), head), pairs, "affected")
    return [change for change in changes if change]


def _change(root: Path, owner: Project, against: tuple[str, str], head: str, files: Files) -> Change | None:
    base, _ = against
    after, candidate = git.show(root, head, files.rendered), history.release_at(root, files, head)
    # `make check` refuses a rendered file without a release.
    if after is None or candidate is None:
        return None
    before = map(history.brought, git.shows(root, list(against), files.rendered), against)
    if delivered(after, files.rendered) in [(one.delivery, one.version) for one in before if one]:
        return None
    champion = history.champion(root, files, base)
    first = owner.below(files.environment) is None
    kind: Kind = "candidate" if first else "promotion"
    if is_rollback(root, files, base, after):
        kind = "rollback"
    elif champion and (champion.artifact, champion.contract) == (candidate.artifact, candidate.contract):
        kind = "base"
    return Change(files, kind, candidate, champion)


def is_rollback(root: Path, files: Files, base: str, rendered: str) -> bool:
    """Whether `rendered` is, byte for byte, what one of its own healthy, not denied tags holds."""
    return bool(history.holding(root, files, base, rendered))
