"""Where plain data differs: every key once, with both sides, and nothing else."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fledge.differences import Difference, differences

values = st.integers(0, 2) | st.sampled_from([0.5, float("nan"), "a", True, [1], ["a", 1.0]])
names = st.sampled_from(["a", "b", "c"])
trees = st.dictionaries(
    names, st.recursive(values, lambda inner: st.dictionaries(names, inner, max_size=3)), max_size=3
)


def applied(content: dict[str, Any], one: Difference) -> None:
    """Make at a dotted key what the other side has there."""
    *path, last = one.key.split(".")
    for part in path:
        content = content[part]
    if one.after is None:
        del content[last]
    else:
        content[last] = one.after


@given(trees)
def test_what_is_alike_has_none(tree: dict[str, Any]) -> None:
    """Of a copy nothing differs, not a number neither."""
    assert list(differences(tree, copy.deepcopy(tree))) == []


@given(trees, trees)
def test_what_differs_makes_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The named keys, and they alone, turn one side into the other; each is named once, and the way back is the same."""
    found = list(differences(before, after))
    assert len({one.key for one in found}) == len(found)
    assert sorted((key, repr(b), repr(a)) for key, a, b in found) == sorted(
        (key, repr(a), repr(b)) for key, a, b in differences(after, before)
    )
    made = copy.deepcopy(before)
    for one in found:
        applied(made, one)
    assert list(differences(made, after)) == []


def test_one_is_not_true() -> None:
    """A number, its text and a yes are three values, although Python says that 1 is True."""
    assert list(differences({"a": 1, "b": 1, "c": 1}, {"a": True, "b": "1", "c": 1.0})) == [
        ("a", 1, True), ("b", 1, "1"), ("c", 1, 1.0),
    ]  # fmt: skip
