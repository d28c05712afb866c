"""What of DVC's remote nothing needs, and its removal. What must stay is fledge.retention's to say."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from fledge import remote as remotes
from fledge.problems import Problem
from fledge.remote import address, answering, below
from fledge.remote.listing import contents

# Work that was pushed to the remote and not yet to git: as long as `git gc` leaves what no branch names (gc.pruneExpire).
GRACE = timedelta(days=14)
# Whose each name is: DVC's objects, and what lies beside an artifact. Anything else in the remote is not ours.
NAMES = {
    "files/md5": r"files/md5/([0-9a-f]{2}/[0-9a-f]{30}(?:\.dir)?)",
    "signatures": r"signatures/([0-9a-f]{2}/[0-9a-f]{30}\.dir)\.json",
    "evidence": r"evidence/([0-9a-f]{32}(?:\.dir)?)/[^/]+",
}
ABSENT = "gc: gone while it was looked at, expected a remote that nobody else tidies"


class Stored(NamedTuple):
    """An object of the remote: the DVC hash that it is, or lies beside, and its bytes."""

    md5: str
    size: int


@dataclass(frozen=True)
class Garbage:
    """What may go, by its name below the remote; how much was left for its youth, and how much is needed."""

    names: Mapping[str, Stored]
    young: int
    needed: int

    @property
    def folders(self) -> list[str]:
        """The names of folders' listings. While one is there, DVC takes all of its files to be there too."""
        return [name for name in self.names if name.startswith("files/") and name.endswith(".dir")]


def found(remote: str, promised: Mapping[str, str], named: Collection[str], now: datetime) -> Garbage:
    """What of the remote nothing needs, and is older than GRACE.

    What is `promised` (DVC's hash -> whose it is) must be there: Problem, a line for each that is not, for then something
    else is wrong. What is `named` and was never pushed is no concern. Raises Problem for a remote that does not answer.
    """
    system = remotes.filesystem(remote)
    with answering("gc", remote, ABSENT):
        stored = _stored(system, remote)
    lost = {md5: whose for md5, whose in promised.items() if address(md5) not in stored}
    if lost:
        raise Problem(*(f"gc: no {md5} of {whose} found, expected it kept ({remote})" for md5, whose in lost.items()))
    needed = _with_files(remote, stored, {*promised, *named})
    left = {name: one for name, one in stored.items() if one.md5 not in needed}
    with answering("gc", remote, ABSENT, "a remote that says when an object was written"):
        young = {name for name in left if now - system.modified(below(remote, name)) < GRACE}
    # A young folder may be made of old files: DVC pushes none twice.
    needed |= _with_files(remote, stored, {left[name].md5 for name in young})
    old = {name: one for name, one in left.items() if one.md5 not in needed and name not in young}
    return Garbage(old, len(young), len(stored) - len(left))


def remove(remote: str, garbage: Garbage) -> None:
    """Remove it, listings first: of an artifact without its listing nothing is served, pushed or fetched by halves."""
    system = remotes.filesystem(remote)
    rest = [name for name in garbage.names if name not in set(garbage.folders)]
    with answering("gc", remote, ABSENT, "an address that may be written"):
        for names in (garbage.folders, rest):
            if names:
                system.rm([below(remote, name) for name in names])


def _stored(system: Any, remote: str) -> dict[str, Stored]:
    """Every object that is ours, by its name below the remote."""
    stored = {}
    system.invalidate_cache()
    top = system._strip_protocol(remote).rstrip("/")
    for folder, pattern in NAMES.items():
        for path, about in system.find(below(remote, folder), detail=True).items():
            name = str(path).removeprefix(top).lstrip("/")
            if match := re.fullmatch(pattern, name):
                stored[name] = Stored(match[1].replace("/", ""), int(about["size"] or 0))
    return stored


def _with_files(remote: str, stored: Mapping[str, Stored], md5s: set[str]) -> set[str]:
    """These, and the files of those that are folders in the remote."""
    folders = [md5 for md5 in md5s if md5.endswith(".dir") and address(md5) in stored]
    return md5s.union(*(contents(remote, md5).values() for md5 in folders))
