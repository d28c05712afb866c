"""Do the answers mean what they say: is a chance of 30 % right three times in ten?"""

from collections.abc import Callable

import pytest

from fledge.checks import calibration
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array

Record = Callable[[Check], None]


def test_in_the_large(
    first: bool, ours: Array, rows: Rows, limits: Limits, record: Record, request: pytest.FixtureRequest
) -> None:
    """The mean prediction is as near to the mean label as the champion's and a bit, or within the limit."""
    record(calibration.in_the_large(limits, rows, ours, None if first else request.getfixturevalue("theirs")))


@pytest.mark.task("binary")
def test_slope(ours: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The chances are not shown to be too sure of themselves, nor not sure enough."""
    record(calibration.slope(limits, rows, ours))
