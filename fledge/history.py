"""What git remembers of one (environment, model): which deliveries came, and which were healthy, denied, last healthy."""

from pathlib import Path
from typing import NamedTuple

from fledge import git, release
from fledge.release import Denial, Files, Release
from fledge.render import delivered


class Delivery(NamedTuple):
    """A delivery and the first-parent commit of the target branch that changed the rendered file to it."""

    delivery: str
    version: str
    commit: str


def tag_name(files: Files, version: str, delivery: str) -> str:
    return f"healthy/{files.environment}/{files.model}/{version}-{delivery}"


def deliveries(root: Path, files: Files, revision: str) -> list[Delivery]:
    """Every delivery in the first-parent history of `revision`, newest first; one that came back stands twice."""
    commits = git.first_parents(root, revision, files.rendered)
    texts = git.shows(root, commits, files.rendered)
    return [Delivery(*delivered(text), commit) for text, commit in zip(texts, commits, strict=True) if text]


def healthy(root: Path, files: Files, revision: str) -> list[Delivery]:
    """The deliveries of that history whose commit carries the healthy tag, newest first.

    A tag anywhere else says nothing: a branch's own commit cannot make itself healthy.
    """
    prefix = f"refs/tags/{tag_name(files, '', '').removesuffix('-')}"
    lines = git.git(root, "for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
    tagged = {(name.rpartition("-")[2], commit) for name, commit in map(str.split, lines)}
    return [one for one in deliveries(root, files, revision) if (one.delivery, one.commit) in tagged]


def denied_at(root: Path, files: Files, revision: str) -> list[Denial]:
    """The deny list that a revision holds; the target branch's is the one that counts."""
    text = git.show(root, revision, files.denied)
    return release.denied_from_text(text, str(files.denied)) if text else []


def restorable(root: Path, files: Files, revision: str) -> list[Delivery]:
    """The healthy deliveries that are not denied: what may serve again without a canary."""
    denied = {denial.delivery for denial in denied_at(root, files, revision)}
    return [one for one in healthy(root, files, revision) if one.delivery not in denied]


def last_healthy(root: Path, files: Files, revision: str) -> Delivery | None:
    """The champion: walking back from `revision`, the first delivery that is healthy and not denied.

    Not the newest tag: after a rollback those differ. The commit is the tagged one.
    """
    known = {one.delivery: one for one in restorable(root, files, revision)}
    return next(
        (known[one.delivery] for one in deliveries(root, files, revision) if one.delivery in known),
        None,
    )


def brought_by(root: Path, files: Files, revision: str, delivery: str) -> Delivery | None:
    """When `delivery` came for its latest stay; None if it never came."""
    brought = None
    for one in deliveries(root, files, revision):
        if one.delivery == delivery:
            brought = one
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
        found |= {one.version for one in deliveries(root, files, revision)}
        found |= {denial.version for denial in denied_at(root, files, revision)}
    return sorted(found, key=release.parse)
