"""What differs between a candidate's side and its champion's beside the artifact: sentences for who reads evidence."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fledge.artifact import compatibility
from fledge.release import Release

MOST, LONGEST = 20, 400  # lines or names, characters of a line: a note is for reading


def data(candidate: Release, champion: Release) -> list[str]:
    """A line where the champion was released with other data than that which judges."""
    ours, theirs = candidate.data.md5, champion.data.md5
    if ours == theirs:
        return []
    return [f"Judged on the candidate's data {ours}, the champion {champion.version} was released with {theirs}."]


def months(ours: Mapping[str, str], theirs: Mapping[str, str], names: Sequence[str], who: str) -> list[str]:
    """A line that names the held-out files (to their md5) that are others than `who` was judged on, or were none then.

    A branch's own data.py decides what is held out: who may choose the rows may choose the verdict.
    """
    other = [name for name in names if name in theirs and theirs[name] != ours[name]]
    new = [name for name in names if name not in theirs]
    told = {f"differ from those of {who}": other, f"are not in those of {who}": new}
    return [f"Held-out rows that {what}: {_names(files)}." for what, files in told.items() if files]


def contract(before: Any, after: Any, file: str) -> list[str]:
    """A line for each difference from the champion's contract (contract.yaml as read), at most MOST."""
    found = compatibility.differences(before, after)
    lines = [_cut(f"The contract changes {one.key}, {one.found}: {one.level}, {one.why} ({file}).") for one in found]
    more = [f"The contract changes {len(lines) - MOST} more keys ({file})."] if len(lines) > MOST else []
    return [*lines[:MOST], *more]


def requests(before: str, after: str, base: str, file: str) -> list[str]:
    """A line that names the requests (the lines of a requests.jsonl) of `base` that do not ask as they do there."""
    theirs, ours = _requests(before), _requests(after)
    gone = [name for name in theirs if name not in ours]
    other = [name for name in theirs if name in ours and ours[name] != theirs[name]]
    told = {"are gone": gone, "are changed": other}
    return [f"Requests of {base} that {what}: {_names(names)} ({file})." for what, names in told.items() if names]


def _requests(text: str) -> dict[str, str]:
    # Whether a line is a request is the gates' to say: what is none is told by its number.
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = line
        name = content.get("name") if isinstance(content, dict) else None
        found[str(name or f"line {number}")] = json.dumps(content, sort_keys=True)
    return found


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(_cut, names[:MOST])) + more


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
