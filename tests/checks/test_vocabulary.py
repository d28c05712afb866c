"""Tables of words are those of the contract, in its order."""

from typing import Any

import pytest

from fledge.artifact.contract import Contract, Input, Output
from fledge.checks import vocabulary
from fledge.checks.structural import Also
from fledge.evidence import Verdict

NONE = Also()


def contract(column: Input) -> Contract:
    """A contract of one input, and one chance."""
    outputs = {"p": Output(dtype="float32")}
    return Contract(signature="serving_default", inputs={"origin": column}, outputs=outputs, classes=["no", "yes"])


PLACES = ["EWR", "JFK", "LGA"]
TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "from-0": ({"JFK": 1, "EWR": 0, "LGA": 2}, ""),
    "from-1": ({"EWR": 1, "JFK": 2, "LGA": 3}, ""),
    "with-missing": ({"": 0, "EWR": 1, "JFK": 2, "LGA": 3}, ""),
    "shifted": ({"EWR": 2, "JFK": 0, "LGA": 1}, "has 'JFK' at 0, expected 'EWR' (contract.yaml: inputs.origin.known)"),
    "one-less": ({"EWR": 0, "JFK": 1}, "has 'nothing' at 2, expected 'LGA'"),
    "one-more": ({"EWR": 0, "JFK": 1, "LGA": 2, "PHL": 3}, "has 'PHL' at 3, expected 'nothing'"),
    "a-gap": ({"EWR": 0, "JFK": 1, "LGA": 3}, "does not number its words one after another"),
    "shares-a-number": ({"EWR": 0, "JFK": 1, "LGA": 1}, "does not number its words one after another"),
    "effects": ({"EWR": 0.6, "JFK": -0.4, "LGA": -0.2}, "does not number its words one after another"),
    "emptied": ({}, "is empty, expected words"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_numbers_a_list_of_the_contract(name: str) -> None:
    """Words in the list's order, numbered one after another from anywhere; another table may be accepted by its hash."""
    table, reason = TABLES[name]
    promised = contract(Input(dtype="string", missing="", known=PLACES))
    found = vocabulary.vocabulary({"hash_table": table}, promised, NONE)
    assert (found.verdict is Verdict.PASS) == (not reason)
    assert reason in found.reason
    digest = vocabulary.digest(table)
    assert not reason or f"table hash_table ({digest})" in found.reason
    assert vocabulary.vocabulary({"hash_table": table}, promised, Also(also=(digest,))).verdict is Verdict.PASS


def test_a_table_without_a_list_is_refused_and_no_table_is_told() -> None:
    """Words that no input declares are nobody's; a graph without a table of words has nothing to compare."""
    promised = contract(Input(dtype="float32"))
    assert "has 'EWR' at 0, expected 'nothing'" in vocabulary.vocabulary({"t": {"EWR": 0}}, promised, NONE).reason
    found = vocabulary.vocabulary({}, promised, NONE)
    assert (found.verdict, found.reason) == (Verdict.PASS, "the graph has no table of strings")


def test_the_hash_of_a_table_is_of_its_pairs() -> None:
    """The order in which a table was read does not count; a word that has another number does."""
    assert (
        vocabulary.digest({"a": 0, "b": 1})
        == vocabulary.digest({"b": 1, "a": 0})
        != vocabulary.digest({"a": 1, "b": 0})
    )
