"""What of DVC's remote must stay: what git can still ask for. The rest may go, and git alone decides which that is."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fledge import git, release
from fledge.problems import caught
from fledge.project import parsed_yaml
from fledge.release import Files, Release, history
from fledge.release.history import Delivery

# Deliveries of each (environment, model) that a rollback may want: the last that served, and the last one with those
# that lie one and two steps before it (`make rollback` without TO).
HEALTHY = 3
PINS = ("*dvc.lock", "*.dvc", "*release.yaml")  # the files in which git names objects of the remote
MD5 = r"md5: [0-9a-f]{32}(\.dir)?"


def promised(root: Path, base: str) -> dict[str, str]:
    """The folders that every environment must find: DVC's hash -> whose it is.

    What the target branch `base` says serves, the last healthy deliveries, and the anchor that the gates hold the next
    candidate against; of each the artifact and, for the replay, the rows.
    """
    pairs = served(root, base)
    found: dict[str, str] = {}
    for files, kept in zip(pairs, history.of_each(root, partial(_kept, root, base), pairs, "promised"), strict=True):
        for one in kept:
            for md5 in (one.artifact.md5, one.data.md5):
                found.setdefault(md5, f"{files.who} {one.version}")
    return found


def named(root: Path, base: str) -> set[str]:
    """Every object that a branch, its tip here or at the remote of git, or this working tree names in DVC's files."""
    tips = git.git(root, "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes").split()
    revisions = sorted({*tips, *git.git(root, "rev-parse", "HEAD", base).split()})
    found = git.grep(root, MD5, PINS, *revisions) | git.grep(root, MD5, PINS, "--untracked")
    return {line.removeprefix("md5: ") for line in found}


def released(root: Path, base: str) -> dict[str, str]:
    """The artifacts of all releases in the history of `base`, whatever became of them: DVC's hash -> whose it was."""
    pairs = served(root, base)
    found: dict[str, str] = {}
    for files, known in zip(
        pairs, history.of_each(root, partial(_offered, root, base), pairs, "released"), strict=True
    ):
        for one in known:
            found.setdefault(one.artifact.md5, f"{files.who} {one.version}")
    return found


def served(root: Path, base: str) -> list[Files]:
    """Every (environment, model) of which `base` holds a release, whether project.yaml of this tree lists it or not."""
    paths = git.git(root, "ls-tree", "-r", "--name-only", base, "manifests/releases").splitlines()
    return [
        Files(*Path(path).parts[2:4])
        for path in paths
        if re.fullmatch(r"manifests/releases/[^/]+/[^/]+/release\.yaml", path)
    ]


def require_whole(root: Path) -> None:
    """Bring what git's remote has. Raises Problem for a clone that cannot say what every branch and tag wants."""
    git.require_history(root, "gc")
    if git.git(root, "remote"):
        git.git(root, "fetch", "--quiet", "--prune", "--tags", "origin")


def _offered(root: Path, base: str, files: Files) -> list[Release]:
    """All releases in the history of `base`, newest first; what was no release once, was never one."""
    texts = git.shows(root, git.first_parents(root, base, files.release), files.release)
    found = (caught(partial(release.from_text, file=str(files.release)), text or "") for text in texts)
    return [one for one in found if isinstance(one, Release)]


def _kept(root: Path, base: str, files: Files) -> list[Release]:
    """What of one (environment, model) must stay: what serves now, the last healthy ones, the anchors."""
    now = history.release_at(root, files, base)
    healthy = history.restorable(root, files, base)
    texts = git.shows(root, [one.commit for one in healthy], files.release)
    there = {
        one.delivery: (text, f"{one.commit}:{files.release}") for one, text in zip(healthy, texts, strict=True) if text
    }
    came = history.deliveries(root, files, base)
    steps = history.steps(history.held(root, files, base), came, healthy)
    anchors = _anchors(root, files, base, [one for one in healthy if one.delivery in there])
    wanted = [*history.served(came, healthy)[:HEALTHY], *steps[: HEALTHY - 1], *anchors]
    kept = dict.fromkeys(one.delivery for one in wanted if one.delivery in there)
    return [*([now] if now else []), *(release.from_text(*there[delivery]) for delivery in kept)]


def _anchors(root: Path, files: Files, base: str, healthy: list[Delivery]) -> Iterator[Delivery]:
    """Which older release the gates may score beside a champion: the pinned one, else the oldest of a major version.

    `healthy` is newest first; see fledge.gates.comparison.anchor.
    """
    file = f"models/{files.model}/params.yaml"
    text = git.show(root, base, file)
    pinned = _at(parsed_yaml(text, file), "gates", "regression", "anchor", "version") if text else None
    yield from (one for one in healthy if one.version == str(pinned))
    yield from {release.parse(one.version)[0]: one for one in healthy}.values()


def _at(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content
