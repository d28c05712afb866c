"""Old clients against new models: the table of compatibility says what they get, and that is what they get.

For each row of the table contracts are drawn that differ so. The strictest model of the new one, a real SavedModel, is
loaded by the stand-in for TensorFlow Serving. A client of the old contract asks, by the handlers of REST and of gRPC,
what the old contract lets it ask, and reads the answers by the old contract.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fledge.artifact.compatibility import TABLE, Rule, fitting
from fledge.artifact.contract import Contract
from tests.tiny.clients import complaints, sendable, served

Said = dict[str, Any]  # a contract, or a part of one, as contract.yaml is read
Change = tuple[str, Any, Any]  # what of a contract: a key, or an input or output beside the others; before, after

PROPERTY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
A, B, C = "EWR", "JFK", "Zürich"
NUMBER: Said = {"dtype": "float32", "range": [0, 10], "known_at": -24}
WORD: Said = {"dtype": "string", "known": [A, B, C], "known_at": 0}
CHANCE: Said = {"dtype": "float32", "range": [0, 1]}
COUNT: Said = {"dtype": "int64", "range": [0, 1000]}


def number(**fields: Any) -> Said:
    """An input of numbers, with some fields of its own; None is none."""
    return {name: value for name, value in (NUMBER | fields).items() if value is not None}


def word(**fields: Any) -> Said:
    """An input of strings, with some fields of its own; None is none."""
    return {name: value for name, value in (WORD | fields).items() if value is not None}


def both_ways(what: str, one: Any, other: Any) -> list[Change]:
    """A change and the opposite one."""
    return [(what, one, other), (what, other, one)]


# By part, field and change of its row.
CHANGES: dict[tuple[str, str | None, str], list[Change]] = {
    ("contract", "signature", "is another"): both_ways("signature", "serving_default", "score"),
    ("contract", "classes", "are in another order"): [("classes", ["no", "yes"], ["yes", "no"])],
    ("contract", "classes", "are others"): [("classes", ["no", "yes"], ["no", "perhaps"])],
    ("contract", "outputs", "were one and are several, or the other way round"):
        both_ways("outputs", {"p": CHANCE}, {"p": CHANCE, "q": COUNT}),
    ("input", None, "is gone"): [("input", number(), None), ("input", word(), None)],
    ("input", None, "is new"): [("input", None, number(missing="nan", means=5)), ("input", None, word(unknown=""))],
    ("input", "dtype", "is another"): [
        *both_ways("input", number(), number(dtype="float64")),
        *both_ways("input", number(dtype="int32"), number(dtype="int64")),
        *both_ways("input", number(dtype="int64"), number()),
        *both_ways("input", word(), number(dtype="int32")),
        *both_ways("input", number(), {"dtype": "bool", "known_at": -24}),
    ],
    ("input", "missing", "is stated, and was an ordinary value"): [
        ("input", number(), number(missing=0, means=5)),
        ("input", word(), word(missing=A)),
    ],
    ("input", "missing", "is stated"): [
        ("input", number(), number(missing="nan", means=5)),
        ("input", number(dtype="int32"), number(dtype="int32", missing=-1)),
        ("input", word(unknown=A), word(unknown=A, missing="")),
    ],
    ("input", "missing", "is another or none, the old one an ordinary value"): [
        ("input", number(missing=7), number()),
        ("input", number(dtype="int64", missing=7), number(dtype="int64", missing=-1)),
        ("input", word(missing="", unknown=A), word(missing="?", unknown=A)),
    ],
    ("input", "missing", "is another or none"): [
        ("input", number(missing="nan"), number(missing=-999)),
        ("input", number(dtype="int32", missing=-1), number(dtype="int32", missing=-2)),
        ("input", number(missing=float("nan")), number()),
        ("input", word(missing=""), word(missing="?")),
    ],
    ("input", "means", "is another, stated, or none"): [
        *both_ways("input", number(missing="nan", means=5), number(missing="nan", means=6)),
        *both_ways("input", number(missing="nan"), number(missing="nan", means=6)),
    ],
    ("input", "unknown", "is none"): [("input", word(unknown=A), word()), ("input", word(unknown=""), word())],
    ("input", "unknown", "is another or stated"): [
        *both_ways("input", word(unknown=A), word(unknown="")),
        ("input", word(), word(unknown=B)),
    ],
    ("input", "known", "is in another order"): [("input", word(), word(known=[C, A, B]))],
    ("input", "known", "lost a value, or is none"): [
        ("input", word(), word(known=[A, C])),
        ("input", word(missing=""), word(known=None, missing="")),
        ("input", number(dtype="int32", range=None, known=[5, 7]), number(dtype="int32", range=None, known=[7])),
    ],
    ("input", "known", "lost a value to `unknown`"): [("input", word(unknown=""), word(known=[A, B], unknown=""))],
    ("input", "known", "has more values or is stated"): [
        ("input", word(known=[A, B]), word(known=[A, B, C])),
        ("input", word(known=[A, B], unknown=A), word(unknown=A)),
        ("input", word(known=None, missing=""), word(missing="")),
    ],
    ("input", "range", "is narrower or none"): [
        ("input", number(), number(range=[1, 10])),
        ("input", number(dtype="int64"), number(dtype="int64", range=[0, 8])),
        ("input", number(), number(range=[-5, 5])),
        ("input", number(missing="nan"), number(missing="nan", range=None)),
    ],
    ("input", "range", "is wider or stated"): [
        ("input", number(), number(range=[-1, 11])),
        ("input", number(dtype="int32"), number(dtype="int32", range=[0, 20])),
        ("input", number(missing="nan", range=None), number(missing="nan")),
    ],
    ("input", "monotone", "is stated"): [("input", number(), number(monotone="up"))],
    ("input", "monotone", "is another or none"): [
        *both_ways("input", number(monotone="up"), number(monotone="down")),
        ("input", number(monotone="up"), number()),
        ("input", number(monotone="down", dtype="int32"), number(dtype="int32")),
    ],
    ("input", "known_at", "is later or none"): [
        ("input", number(), number(known_at=0)),
        ("input", word(), word(known_at=None)),
    ],
    ("input", "known_at", "is earlier or stated"): [
        ("input", word(), word(known_at=-1)),
        ("input", word(known_at=None), word()),
    ],
    ("output", None, "is gone"): [("output", CHANCE, None), ("output", COUNT, None)],
    ("output", None, "is new, of a type without JSON"): [
        ("output", None, CHANCE | {"dtype": dtype}) for dtype in ("float16", "bfloat16", "uint16")
    ],
    ("output", None, "is new"): [("output", None, CHANCE), ("output", None, COUNT | {"dtype": "uint8"})],
    ("output", "dtype", "is another"): [
        *both_ways("output", CHANCE, CHANCE | {"dtype": "float64"}),
        *both_ways("output", COUNT, COUNT | {"dtype": "int32"}),
        *both_ways("output", COUNT, COUNT | {"dtype": "float32"}),
    ],
    ("output", "shape", "is another"): both_ways("output", CHANCE, CHANCE | {"shape": [2]}),
    ("output", "range", "is wider or none"): [
        ("output", CHANCE, CHANCE | {"range": [-1, 1]}),
        ("output", COUNT, COUNT | {"range": [1, 1001]}),
        ("output", CHANCE, {"dtype": "float32"}),
    ],
    ("output", "range", "is narrower or stated"): [
        ("output", COUNT, COUNT | {"range": [1, 1000]}),
        ("output", {"dtype": "float32"}, CHANCE),
    ],
}  # fmt: skip


@st.composite
def contracts(draw: st.DrawFn) -> Said:
    """A contract of one or two inputs and one to three outputs, of two classes."""
    inputs = {"x": draw(st.sampled_from([number(), number(monotone="up"), number(dtype="int64", monotone="down")]))}
    if draw(st.booleans()):
        inputs["word"] = draw(st.sampled_from([word(missing="", unknown=""), word(), word(unknown=A)]))
    beside = draw(st.sampled_from([{"q": COUNT, "r": CHANCE | {"shape": [2]}}, {}, {"q": COUNT}]))
    return {
        "signature": draw(st.sampled_from(["serving_default", "score"])),
        "inputs": inputs,
        "outputs": {"p": CHANCE} | beside,
        "classes": ["no", "yes"],
    }


@st.composite
def differing(draw: st.DrawFn, change: Change) -> tuple[Said, Said]:
    """Two contracts, before and after a change."""
    base, (what, *sides) = draw(contracts()), change
    if what not in ("input", "output"):
        before, after = ({what: side} for side in sides)
        return base | before, base | after
    alone = what == "output" and None not in sides and draw(st.booleans())
    others = {} if alone else base[f"{what}s"]
    before, after = ({f"{what}s": others | ({"z": side} if side else {})} for side in sides)
    return base | before, base | after


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: f"{rule.part} {rule.field or ''} {rule.change}")
def test_old_clients_get_what_the_table_says(rule: Rule, tmp_path: Path) -> None:
    """An old request is refused, or an answer breaks the old contract, exactly where a row says that clients see it."""
    for change in CHANGES[rule[:3]]:

        @PROPERTY
        @given(differing(change), st.data())
        def holds(sides: tuple[Said, Said], data: st.DataObject) -> None:
            old, new = (Contract(**side) for side in sides)
            rows = [row for row, _ in fitting(*sides)]
            drawn = data.draw(st.lists(st.fixed_dictionaries(sendable(old)), max_size=3))
            with served(new, tmp_path) as ask:
                found = complaints(old, ask, drawn)
            seen = {row.sight for row in rows} & {"refused", "answer"}
            assert rule in rows
            assert bool(found) == bool(seen), found
            assert "refused" not in seen or any(line.startswith("refused") for line in found), found

        holds()


def test_every_row_is_tried() -> None:
    """Each row of the table has its changes here, and each change its row."""
    assert list(CHANGES) == [rule[:3] for rule in TABLE]
