"""More of an input never moves an answer the wrong way."""

import numpy as np
import pytest

from fledge.artifact.contract import Contract, Input, Output
from fledge.checks import monotone
from fledge.checks.agreement import Tolerance
from fledge.evidence import Verdict

LIMIT = Tolerance(tolerance=1e-5)


def contract(**inputs: Input) -> Contract:
    """A contract of these inputs and one chance."""
    chance = {"p": Output(dtype="float32", range=(0, 1))}
    return Contract(signature="serving_default", inputs=inputs, outputs=chance, classes=["no", "yes"])


def test_a_rising_input_never_lowers_an_answer() -> None:
    """The deepest fall below any earlier answer counts, and where the direction is down the highest rise."""
    answers = np.array([[0.1, 0.5], [0.4, 0.5], [0.2, 0.6]])
    up, down = Input(dtype="float32", monotone="up"), Input(dtype="float32", monotone="down")
    assert monotone.fall(answers, up) == pytest.approx(0.2)
    assert monotone.fall(answers, down) == pytest.approx(0.3)
    found = monotone.monotone({"x": answers}, contract(x=up), LIMIT)
    assert (found.verdict, found.n) == (Verdict.BLOCK, 4)
    assert found.reason == "more x moves an answer against `monotone` by 0.2, expected at most 1e-05"


def test_steps_are_where_the_rows_are() -> None:
    """A number rises evenly over its range, and more finely where the real rows crowd."""
    seen = np.array([0.0] * 90 + [1.0, 2.0, 3.0, 4.0, 5.0] * 2, np.float32)
    found = monotone.steps(Input(dtype="float32", range=(0, 1000)), seen)
    assert (found[0], found[-1], found.dtype) == (0, 1000, np.float32)
    assert (np.diff(found) > 0).all()
    assert {1.0, 5.0} <= set(found.tolist()), "the last quantiles of the rows"
    assert len(found) == monotone.STEPS + 2
