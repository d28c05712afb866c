"""The difference of two contracts, field by field, with the level of a version that each asks for: the table says which.

Contracts are mappings, contract.yaml as read. Who has only the dependencies of delivery compares them too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fledge.artifact.compatibility.promises import same
from fledge.artifact.compatibility.table import TABLE, Part, Rule
from fledge.artifact.versioning import Difference

__all__ = ["TABLE", "Rule", "breaks", "differences", "fitting"]

PARTS: tuple[tuple[Part, str], ...] = (("input", "inputs"), ("output", "outputs"))
LONGEST = 60  # characters of one value
READ = ("missing", "means", "unknown")  # fields whose values the dtype reads


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """In what the contract `after` differs from `before`, in its order."""
    return [difference for _, difference in fitting(before, after)]


def breaks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What an old client would notice, a line each."""
    return [one.said for one in differences(before, after) if one.level == "major"]


def fitting(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[Rule, Difference]]:
    """As `differences`, each with its row of the table."""
    old, new = _whole(before), _whole(after)
    yield from _fields("contract", "", old, new)
    for part, key in PARTS:
        for name in dict.fromkeys([*old[key], *new[key]]):
            yield from _part(part, f"{key}.{name}", old[key].get(name), new[key].get(name))


def _whole(contract: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"signature": None, "classes": [], "inputs": {}, "outputs": {}}
    return {key: contract.get(key) or value for key, value in empty.items()}


def _part(part: Part, key: str, old: Any, new: Any) -> Iterator[tuple[Rule, Difference]]:
    if old is None or new is None:
        yield from _fit(part, None, key, old, new)
    else:
        yield from _fields(part, key, old, new)


def _fields(part: Part, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Rule, Difference]]:
    for field in dict.fromkeys(rule.field for rule in TABLE if rule.part == part and rule.field):
        if not _equal(field, old, new):
            yield from _fit(part, field, f"{key}.{field}".removeprefix("."), old, new)


def _fit(part: Part, field: str | None, key: str, old: Any, new: Any) -> Iterator[tuple[Rule, Difference]]:
    """The first row that fits; none where outputs come or go beside several, which have rows of their own."""
    rules = (rule for rule in TABLE if (rule.part, rule.field) == (part, field))
    rule = next((rule for rule in rules if rule.when(old, new)), None)
    if rule:
        said = f"{_named(part, key, field)} {rule.change}"
        yield rule, Difference(key, _found(field, old, new), said, rule.level, rule.why)


def _named(part: Part, key: str, field: str | None) -> str:
    if part == "contract":
        return f"the {field}"
    name = key.partition(".")[2]
    return f"{part} {name}" if field is None else f"{part} {name.removesuffix(f'.{field}')}: {field}"


def _equal(field: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    a, b = old.get(field), new.get(field)
    if field == "shape":  # none is the shape of one number
        return list(a or ()) == list(b or ())
    if field == "known" and a and b:
        return len(a) == len(b) and all(same(old, *pair) for pair in zip(a, b, strict=True))
    return same(old, a, b) if field in READ else bool(a == b)


def _found(field: str | None, old: Any, new: Any) -> str:
    """Both values, short; of `known`, which may be long, only what one of them lacks."""
    if field is not None:
        old, new = old.get(field), new.get(field)
    if field == "known" and old and new:
        lacks = {"without": [one for one in old if one not in new], "with": [one for one in new if one not in old]}
        return ", ".join(f"{word} {_short(values)}" for word, values in lacks.items() if values) or "the same values"
    return f"{_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):  # an input or output; or all of them, by name
        value = ", ".join(key if isinstance(one, Mapping) else f"{key} {one}" for key, one in value.items())
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
