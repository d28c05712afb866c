"""The table of compatibility: every field of contract.yaml, one row for each kind of change, laws that hold for all."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.artifact import compatibility
from fledge.artifact.compatibility import TABLE
from fledge.artifact.contract import Contract, Input, Output
from fledge.artifact.versioning import LEVELS, level
from fledge.release import recipe
from fledge.release.compatibility import page
from tests.conftest import ROOT
from tests.test_house import imports
from tests.tiny.owner import CONTRACT

Said = dict[str, Any]


def column(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Said]:
    """A part of a contract of which each field but the dtype may be absent."""
    return st.fixed_dictionaries({"dtype": fields.pop("dtype")}, optional=fields)


SPAN = st.tuples(st.integers(-2, 0), st.integers(1, 3)).map(list)
NUMBER = column(
    dtype=st.sampled_from(["float32", "int64"]),
    missing=st.sampled_from([-9, 1]),
    means=st.integers(0, 2),
    range=SPAN,
    monotone=st.sampled_from(["up", "down"]),
    known_at=st.sampled_from([-24, 0]),
)
WORD = column(
    dtype=st.just("string"),
    missing=st.sampled_from(["", "a"]),
    known=st.lists(st.sampled_from("abc"), min_size=1, unique=True),
    unknown=st.sampled_from(["", "a"]),
)
OUTPUT = column(dtype=st.sampled_from(["float32", "float16"]), shape=st.sampled_from([[], [2]]), range=SPAN)
CONTRACTS = st.fixed_dictionaries(
    {
        "signature": st.sampled_from(["serving_default", "score"]),
        "inputs": st.fixed_dictionaries({"x": NUMBER, "word": WORD}, optional={"y": NUMBER}),
        "outputs": st.fixed_dictionaries({"p": OUTPUT}, optional={"q": OUTPUT, "r": OUTPUT}),
        "classes": st.sampled_from([["no", "yes"], ["yes", "no"], ["no", "perhaps"]]),
    }
)


def height(before: Said, after: Said) -> int:
    """How high a level the difference of two contracts asks for."""
    return LEVELS.index(level(compatibility.differences(before, after))[0])


@st.composite
def edited(draw: st.DrawFn, contract: Said) -> Said:
    """A contract of which one part is drawn anew."""
    found = copy.deepcopy(contract)
    key, name = draw(st.sampled_from([("inputs", "x"), ("inputs", "word"), ("outputs", "p")]))
    field = draw(st.sampled_from([*Input.model_fields, "shape"]))
    drawn = draw({"x": NUMBER, "word": WORD, "p": OUTPUT}[name])
    found[key][name].pop(field, None)
    found[key][name] |= (
        {field: drawn[field]} if field in drawn else {"dtype": found[key][name].get("dtype", drawn["dtype"])}
    )
    return found


def test_every_field_of_a_contract_has_rows() -> None:
    """No field of contract.yaml is left out, so that a new one needs its rows."""
    fields = {
        (part, field)
        for part, record in {"contract": Contract, "input": Input, "output": Output}.items()
        for field in record.model_fields
    }
    parts = {("input", None), ("output", None)}  # `inputs` is the rows of an input
    assert {rule[:2] for rule in TABLE} == fields - {("contract", "inputs")} | parts


def test_rows_are_told_apart() -> None:
    """No two rows of the contract say the same, nor do two of the recipe, and each says why."""
    assert len({rule[:3] for rule in TABLE}) == len(TABLE)
    assert len({rule.pattern for rule in recipe.TABLE}) == len(recipe.TABLE)
    assert [rule for rule in (*TABLE, *recipe.TABLE) if not rule.why] == []


def test_a_row_is_major_where_an_old_client_gets_something_else() -> None:
    """What an old client gets decides the level: something else is major, what it had is not."""
    assert [rule for rule in TABLE if (rule.level == "major") != (rule.sight != "nothing")] == []


@given(CONTRACTS)
def test_the_same_contract_differs_in_nothing(contract: Said) -> None:
    """A contract, read twice, asks for no version."""
    assert compatibility.differences(contract, copy.deepcopy(contract)) == []


@given(CONTRACTS, CONTRACTS)
def test_no_difference_is_overlooked(before: Said, after: Said) -> None:
    """Two contracts that say other things differ by the table, whatever they say; by none only where they say the same."""
    said = [Contract(**side).model_dump() for side in (before, after)]
    assert bool(compatibility.differences(before, after)) == (said[0] != said[1])


@given(st.data())
def test_what_two_steps_keep_one_keeps(data: st.DataObject) -> None:
    """A client that two versions in turn do not break is not broken by both at once: in production it skips the one between."""
    first = data.draw(CONTRACTS)
    second = data.draw(edited(first))
    third = data.draw(edited(second))
    assert height(first, third) <= max(height(first, second), height(second, third))


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"temp": {"missing": float("nan"), "means": 55.0}}},
        {"outputs": {"probability": {"shape": []}}},
    ],
)
def test_another_way_to_write_it_is_no_difference(change: Said) -> None:
    """`.nan` is `nan`, 55.0 is 55, and no shape is that of one number."""
    after = copy.deepcopy(CONTRACT)
    for part, columns in change.items():
        for name, fields in columns.items():
            after[part][name] |= fields
    assert compatibility.differences(CONTRACT, after) == []


def test_a_renamed_input_is_gone_and_new() -> None:
    """Each line says what changed, both values, the level and the reason."""
    inputs = {("temperature" if name == "temp" else name): one for name, one in CONTRACT["inputs"].items()}
    gone, new = compatibility.differences(CONTRACT, CONTRACT | {"inputs": inputs})
    assert (gone.key, gone.said, gone.level) == ("inputs.temp", "input temp is gone", "major")
    assert (new.key, new.said, new.level) == ("inputs.temperature", "input temperature is new", "major")
    assert gone.found.startswith("dtype float32, missing nan, means 55")
    assert "no input is optional" in new.why
    assert compatibility.breaks(CONTRACT, CONTRACT | {"inputs": inputs}) == [gone.said, new.said]


def test_of_a_long_list_the_difference_is_told() -> None:
    """Of `known` a reader sees what was taken out and what was put in, not all of it."""
    words = [f"W{number}" for number in range(500)]
    before, after = ({"inputs": {"w": {"dtype": "string", "known": known}}} for known in (words, [*words[1:], "NEW"]))
    [one] = compatibility.differences(before, after)
    assert (one.key, one.found) == ("inputs.w.known", "without ['W0'], with ['NEW']")


@pytest.mark.parametrize(
    "name", ["compatibility/__init__", "compatibility/promises", "compatibility/table", "versioning"]
)
def test_who_delivers_compares_without_numpy(name: str) -> None:
    """`make propose` runs where only the dependencies of delivery are: contracts are compared without the model's."""
    assert imports(f"fledge/artifact/{name}.py") & {"numpy", "fledge.artifact.contract"} == set()


def test_the_page_is_the_tables() -> None:
    """docs/compatibility.md is what `python -m fledge.release.compatibility` writes."""
    assert (ROOT / "docs/compatibility.md").read_text() == page()
