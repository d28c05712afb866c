"""Which deliveries a branch changes, and what kind of change each one is: it decides what is gated and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fledge import git, history, project
from fledge.release import Files, Release
from fledge.render import delivered

Kind = Literal["candidate", "promotion", "rollback", "base"]


@dataclass(frozen=True)
class Change:
    """One (environment, model) whose delivery differs from the target branch's.

    candidate: a release enters the first environment; promotion: it goes one environment up;
    rollback: byte for byte what a healthy, not denied tag holds; base: the same artifact in another stack.
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
    changes = []
    for environment in owner.environments:
        for model in owner.models:
            change = _change(root, Files(environment.name, model), base, head, owner)
            changes += [change] if change else []
    return changes


def _change(root: Path, files: Files, base: str, head: str, owner: project.Project) -> Change | None:
    after, before = git.show(root, head, files.rendered), git.show(root, base, files.rendered)
    if after is None or after == before or (before and delivered(after) == delivered(before)):
        return None
    candidate = history.release_at(root, files, head)
    if candidate is None:
        return None  # `make check` says that a rendered file has no release
    best = history.last_healthy(root, files, base)
    champion = history.release_at(root, files, best.commit) if best else None
    return Change(files, _kind(root, files, base, head, after, candidate, owner), candidate, champion)


def _kind(
    root: Path, files: Files, base: str, head: str, after: str, candidate: Release, owner: project.Project
) -> Kind:
    if is_rollback(root, files, base, after):
        return "rollback"
    now = history.release_at(root, files, base)
    if now and now.artifact == candidate.artifact:
        return "base"
    return "promotion" if owner.below(files.environment) else "candidate"


def is_rollback(root: Path, files: Files, base: str, rendered: str) -> bool:
    """Whether `rendered` is, byte for byte, what one of its own healthy, not denied tags holds."""
    return any(git.show(root, one.commit, files.rendered) == rendered for one in history.restorable(root, files, base))
