"""Values that break careless arithmetic are answered, or refused so that a client knows why."""

from typing import Any

import numpy as np
import pytest

from fledge.artifact.contract import Contract, Input, Output
from fledge.checks import special
from fledge.evidence import Verdict


def contract(**inputs: Input) -> Contract:
    """A contract of these inputs and one chance."""
    chance = {"p": Output(dtype="float32", range=(0, 1))}
    return Contract(signature="serving_default", inputs=inputs, outputs=chance, classes=["no", "yes"])


def test_special_values_are_the_dtypes() -> None:
    """A float32 has ten, among them its own largest and smallest; an int8 its own ends; a string odd letters; a bool both."""
    floats = special.specials(Input(dtype="float32"))
    array = Input(dtype="float32").array(floats.values())
    assert len(floats) == 10
    assert (np.isnan(array).sum(), np.isinf(array).sum(), (array == 0).sum()) == (1, 2, 2)
    assert np.float32(floats["the smallest"]) > 0 == np.float32(floats["the smallest"] / 2)
    assert special.specials(Input(dtype="int8")) == {"the largest": 127, "the lowest": -128, "0": 0, "-1": -1}
    assert "-1" not in special.specials(Input(dtype="uint8"))
    assert {"", "\0", b"\xff\xfe"} < set(special.specials(Input(dtype="string")).values())
    assert special.specials(Input(dtype="bool")) == {"true": True, "false": False}


GOOD, BAD = {"p": np.array([0.5])}, {"p": np.array([np.nan])}
X = Input(dtype="float32", missing="nan", means=0, range=(0, 1))
SPECIAL: dict[str, tuple[Input, str, Any, str]] = {
    # an input, the value, what came of it, and what the check says
    "answered": (X, "inf", GOOD, "all answered as expected"),
    "no-number": (X, "inf", BAD, "x = inf: p is not finite in 1 of 1 rows"),
    "clear-error": (X, "inf", "INVALID_ARGUMENT", "all answered as expected"),
    "unclear-error": (X, "inf", "INTERNAL", "x = inf: answered INTERNAL"),
    "error-for-missing": (X, "nan", "INVALID_ARGUMENT", "x = nan: answered INVALID_ARGUMENT"),
    "error-in-range": (X, "0", "OUT_OF_RANGE", "x = 0: answered OUT_OF_RANGE"),
    "error-for-what-is-open": (Input(dtype="string"), "a NUL", "INVALID_ARGUMENT", "all answered as expected"),
    "error-for-unknown": (
        Input(dtype="string", known=["a"], unknown=""), "a NUL", "INVALID_ARGUMENT", "x = a NUL: answered INVALID_ARGUMENT",
    ),
    "error-for-a-known-number": (Input(dtype="int32", known=[0, 1]), "0", "INVALID_ARGUMENT", "x = 0: answered"),
    "error-for-a-number-without-missing": (Input(dtype="int32"), "-1", "INVALID_ARGUMENT", "all answered as expected"),
    "error-for-true": (Input(dtype="bool"), "true", "INVALID_ARGUMENT", "x = true: answered"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_a_special_value_is_answered_or_clearly_refused(name: str) -> None:
    """What the contract promises to read is answered; the rest may be refused, by a status that tells the client."""
    column, value, answer, reason = SPECIAL[name]
    found = special.special({("x", value): answer}, contract(x=column), rows=1)
    assert found.reason.startswith(reason)
    assert (found.verdict is Verdict.PASS) == (reason == "all answered as expected")
    refused = [f"x = {value}"] if isinstance(answer, str) and found.verdict is Verdict.PASS else []
    assert found.details == {"refused": refused}
