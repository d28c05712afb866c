"""Does the model treat the declared groups alike, and not less so than the champion?"""

from collections.abc import Callable

from fledge.checks import fairness
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array

Record = Callable[[Check], None]


def test_absolute(ours: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The groups are treated as alike as the owner's limit asks."""
    record(fairness.absolute(limits, rows, ours))


def test_relative(ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The groups are not shown to be treated less alike than by the champion, beyond the margin."""
    record(fairness.relative(limits, rows, ours, theirs))
