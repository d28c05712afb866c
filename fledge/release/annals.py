"""What git remembers of many (environment, model), by a few questions to git however many they are."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fledge import git
from fledge.cores import FEW
from fledge.release import Files, history
from fledge.release.history import Delivery

AT_ONCE = 500  # texts that one process is asked for


@dataclass(frozen=True)
class Commit:
    """A commit as a person knows it. `time` is that of its commit, ISO 8601."""

    time: str
    author: str
    subject: str


@dataclass(frozen=True)
class Annals:
    """What a revision holds of `files`, as texts (None: no such file), and remembers: newest first, as fledge.release.history.

    `commits` are those of the deliveries that came, by hash.
    """

    files: Files
    rendered: str | None
    release: str | None
    denied: str | None
    came: list[Delivery]
    healthy: list[Delivery]
    commits: dict[str, Commit]


@dataclass
class Changes:
    """The commits of a first-parent history, and which of them changed each path, newest first."""

    commits: dict[str, Commit] = field(default_factory=dict)
    of: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def read(root: Path, pairs: Sequence[Files], revision: str) -> list[Annals]:
    """The annals of each pair in the first-parent history of `revision`."""
    changes, tagged = _changes(root, pairs, revision), history.tags(root)
    held = _texts(root, [f"{revision}:{path}" for one in pairs for path in (one.rendered, one.release, one.denied)])
    found = []
    for one, came in zip(pairs, _came(root, pairs, changes), strict=True):
        healthy = [each for each in came if (one, each.delivery, each.commit) in tagged]
        commits = {each.commit: changes.commits[each.commit] for each in came}
        found.append(Annals(one, next(held), next(held), next(held), came, healthy, commits))
    return found


def _changes(root: Path, pairs: Sequence[Files], revision: str) -> Changes:
    # A few paths git finds by its index of changed paths; of many it is quicker to look at each commit once.
    paths = [str(one.rendered) for one in pairs] if len(pairs) <= FEW else [str(Path("manifests/rendered"))]
    command = ["log", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--name-only"]
    said = git.run(root, *command, "--format=%x00%H%x00%cI%x00%an%x00%s%x00", revision, "--", *paths)
    changes, parts = Changes(), said.split("\0")[1:]
    for commit, time, author, subject, names in zip(*(parts[start::5] for start in range(5)), strict=True):
        changes.commits[commit] = Commit(time, author, subject)
        for name in names.split():
            changes.of[name].append(commit)
    return changes


def _came(root: Path, pairs: Sequence[Files], changes: Changes) -> Iterator[list[Delivery]]:
    """The deliveries of each pair, newest first."""
    commits = [changes.of[str(one.rendered)] for one in pairs]
    texts = _texts(
        root, [f"{each}:{one.rendered}" for one, those in zip(pairs, commits, strict=True) for each in those]
    )
    for those in commits:
        yield [found for each in those if (found := history.brought(next(texts), each))]


def _texts(root: Path, names: Sequence[str]) -> Iterator[str | None]:
    """The texts of `revision:path`, one after the other: a thousand rendered files are 20 MB."""
    for start in range(0, len(names), AT_ONCE):
        yield from git.blobs(root, names[start : start + AT_ONCE])
