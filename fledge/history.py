"""What git remembers of one (environment, model): which deliveries were healthy, denied, or last healthy."""

from dataclasses import dataclass
from pathlib import Path

from fledge import git, release
from fledge.release import Denial, Files, Release
from fledge.render import delivered


@dataclass(frozen=True)
class Healthy:
    """A delivery that served everyone after its canary was judged, as the tag on the commit that brought it."""

    delivery: str
    version: str
    commit: str


def tag_name(files: Files, version: str, delivery: str) -> str:
    return f"healthy/{files.environment}/{files.model}/{version}-{delivery}"


def healthy(root: Path, files: Files) -> list[Healthy]:
    """Every healthy delivery of this (environment, model), in no particular order."""
    prefix = f"refs/tags/healthy/{files.environment}/{files.model}/"
    lines = git.git(root, "for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
    found = []
    for line in lines:
        name, commit = line.split()
        version, _, delivery = name.removeprefix(prefix).rpartition("-")
        found.append(Healthy(delivery, version, commit))
    return found


def denied_at(root: Path, files: Files, revision: str) -> list[Denial]:
    """The deny list that a revision holds; the target branch's is the one that counts."""
    text = git.show(root, revision, files.denied)
    return release.denied_from_text(text, str(files.denied)) if text else []


def restorable(root: Path, files: Files, revision: str) -> list[Healthy]:
    """The healthy deliveries that are not denied: what may serve again without a canary."""
    denied = {denial.delivery for denial in denied_at(root, files, revision)}
    return [one for one in healthy(root, files) if one.delivery not in denied]


def last_healthy(root: Path, files: Files, revision: str) -> Healthy | None:
    """The champion: walking back from `revision`, the first delivery that is healthy and not denied.

    Not the newest tag: after a rollback those differ.
    """
    known = {one.delivery: one for one in restorable(root, files, revision)}
    for delivery, _, _ in deliveries(root, files, revision):
        if delivery in known:
            return known[delivery]
    return None


def deliveries(root: Path, files: Files, revision: str) -> list[tuple[str, str, str]]:
    """(delivery, version, commit) of each first-parent change of the rendered file, newest first."""
    found = []
    for commit in git.first_parents(root, revision, files.rendered):
        text = git.show(root, commit, files.rendered)
        if text is not None:
            found.append((*delivered(text), commit))
    return found


def brought_by(root: Path, files: Files, revision: str, delivery: str) -> str | None:
    """The first-parent commit that brought `delivery`, counted from its latest stay; None if it never came."""
    brought = None
    for found, _, commit in deliveries(root, files, revision):
        if found == delivery:
            brought = commit
        elif brought:
            break
    return brought


def release_at(root: Path, files: Files, revision: str) -> Release | None:
    """The release that a revision holds."""
    text = git.show(root, revision, files.release)
    return release.from_text(text, f"{revision}:{files.release}") if text else None


def versions(root: Path, model: str, environments: list[str], revision: str) -> list[str]:
    """Every version that a model ever had in the first-parent history of `revision`, denied ones too."""
    found = set()
    for environment in environments:
        files = Files(environment, model)
        found |= {version for _, version, _ in deliveries(root, files, revision)}
        found |= {denial.version for denial in denied_at(root, files, revision)}
    return sorted(found, key=release.parse)
