"""Which deliveries a branch changes, and what kind of change each one is: it decides what is gated and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fledge import git, history, project
from fledge.project import Project
from fledge.release import Files, Release
from fledge.render import delivered

Kind = Literal["candidate", "promotion", "rollback", "base"]


@dataclass(frozen=True)
class Change:
    """One (environment, model) whose delivery differs from the target branch's.

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


def affected(root: Path, base: str, head: str = "HEAD") -> list[Change]:
    """Every changed delivery between `base` (the target branch) and `head`, in the order of project.yaml."""
    owner = project.load(root)
    pairs = [Files(environment.name, model) for environment in owner.environments for model in owner.models]
    return [change for files in pairs if (change := _change(root, owner, files, base, head))]


def _change(root: Path, owner: Project, files: Files, base: str, head: str) -> Change | None:
    after, before = git.show(root, head, files.rendered), git.show(root, base, files.rendered)
    candidate = history.release_at(root, files, head)
    # `make check` refuses a rendered file without a release.
    if after is None or candidate is None or (before and delivered(after) == delivered(before)):
        return None
    best = history.last_healthy(root, files, base)
    champion = history.release_at(root, files, best.commit) if best else None
    first = owner.below(files.environment) is None
    kind: Kind = "candidate" if first else "promotion"
    if is_rollback(root, files, base, after):
        kind = "rollback"
    elif champion and (champion.artifact, champion.contract) == (candidate.artifact, candidate.contract):
        kind = "base"
    return Change(files, kind, candidate, champion)


def is_rollback(root: Path, files: Files, base: str, rendered: str) -> bool:
    """Whether `rendered` is, byte for byte, what one of its own healthy, not denied tags holds."""
    commits = [one.commit for one in history.restorable(root, files, base)]
    return rendered in git.shows(root, commits, files.rendered)
