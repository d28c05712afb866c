"""In which keys two pieces of plain data differ: YAML as read, or a record's dump."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """`key` is dotted; a value is None where that side lacks the key."""

    key: str
    before: Any
    after: Any


def differences(before: Any, after: Any, key: str = "") -> Iterator[Difference]:
    """Each key that was changed, added or taken away; a list is one value."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if repr(before) != repr(after):  # .nan equals nothing, itself neither; and 1 is True
            yield Difference(key, before, after)
        return
    for name in dict.fromkeys([*before, *after]):
        yield from differences(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))


def said(value: Any) -> str:
    """A value in a sentence."""
    return "nothing" if value is None else str(value)
