"""dvc.lock, a stage at a time: a YAML parser takes four seconds for a thousand stages, and one branch changes few."""

import re
from typing import Any

from fledge.project import parsed_yaml

LOCK = "dvc.lock"


def stage(text: str, name: str, file: str = LOCK) -> dict[str, Any]:
    """What dvc.lock says of a stage, nothing where it has none. `file` is what messages call it."""
    block = stages(text).get(name)
    content = parsed_yaml(text if block is None else f"stages:\n  {name}:\n{block}", file) if name in text else {}
    found: dict[str, Any] = ((content or {}).get("stages") or {}).get(name) or {}
    return found


def stages(text: str) -> dict[str, str]:
    """Each stage's own lines, unparsed, by its name: DVC writes a stage as a key that is indented by two.

    In a file that somebody wrote otherwise some are missing: `stage` then reads all of it.
    """
    _, *parts = re.split(r"^ {0,2}([^\s#][^\n]*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def differing(before: str, after: str, names: list[str]) -> list[str]:
    """Those stages of which the two texts say other things, or which are not written as DVC writes them."""
    old, new = stages(before), stages(after)
    return [name for name in names if old.get(name) != new.get(name) or _hidden(name, before, old, after, new)]


def _hidden(name: str, before: str, old: dict[str, str], after: str, new: dict[str, str]) -> bool:
    # In this order: a text is searched only where a stage is missing.
    return (name not in old and name in before) or (name not in new and name in after)
