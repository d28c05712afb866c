"""An unknown category that is answered as a known one: told from one that has an answer of its own."""

import re
from typing import Any

import numpy as np
import pytest

from fledge.artifact.contract import Contract
from fledge.checks import mistaken
from fledge.checks.mistaken import Read
from fledge.evidence import Check, Verdict
from tests.tiny.owner import CONTRACT

FINE = Check("edge_cases", "unknown", Verdict.PASS, "origin = 'no such category' instead of '' changes an answer by 0")
EWR, JFK, LGA, NONE = ({"probability": np.array(values)} for values in ([0.6, 0.7], [0.1, 0.1], [0.2, 0.3], [0.4, 0.5]))
KNOWN = {"EWR": EWR, "JFK": JFK, "LGA": LGA}


def contract(**origin: Any) -> Contract:
    """The tiny model's contract, its input `origin` changed."""
    inputs = CONTRACT["inputs"] | {"origin": CONTRACT["inputs"]["origin"] | origin}
    return Contract(**CONTRACT | {"inputs": inputs})


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [
        (LGA, "origin = '' is answered as 'LGA', the last of its known values, expected otherwise"),
        (EWR, "origin = '' is answered as 'EWR', the first of its known values, expected otherwise"),
    ],
)
def test_an_index_that_wraps_or_is_clipped_blocks(unknown: Any, reason: str) -> None:
    """The very answers of the last known value, or of the first, in every row are no answer of an unknown one."""
    found = mistaken.mistaken(FINE, {"origin": Read(unknown, KNOWN)}, contract())
    assert (found.verdict, found.reason) == (Verdict.BLOCK, reason)
    assert "inputs.<name>.unknown" in found.remedy


def test_an_answer_of_its_own_changes_nothing() -> None:
    """One row that differs is enough; and the answer of several known values, which have no effect, is nobody's."""
    near = {"probability": np.array([0.2, 0.3 + 1e-9])}
    without_effect = KNOWN | {"JFK": LGA}
    for read in (Read(NONE, KNOWN), Read(near, KNOWN), Read(LGA, without_effect), Read(JFK, KNOWN)):
        assert mistaken.mistaken(FINE, {"origin": read}, contract()) is FINE


def test_what_blocked_already_is_still_told() -> None:
    """A second fault does not hide the first."""
    other = Check("edge_cases", "unknown", Verdict.BLOCK, "something else")
    found = mistaken.mistaken(other, {"origin": Read(LGA, KNOWN)}, contract())
    assert re.search("the last of its known values, expected otherwise; something else", found.reason)


def test_an_unknown_value_that_is_read_as_a_known_one_is_the_owners_word() -> None:
    """Nothing is asked of an input whose contract says so, of one with a single known value, or of one with none."""
    assert list(mistaken.asked(contract())) == ["origin"]
    assert mistaken.asked(contract(unknown="LGA")) == {}
    assert mistaken.asked(contract(known=["EWR"])) == {}
    assert mistaken.asked(contract(known=None)) == {}
