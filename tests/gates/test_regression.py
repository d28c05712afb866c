"""Is the candidate as good as the champion on the same rows, and better than a constant?"""

from collections.abc import Callable

import pytest

from fledge.checks import regression
from fledge.checks.report import report
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array

Record = Callable[[Check], None]


def test_metric(metric: str, ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate is not worse than the champion by more than the margin, in each metric that the owner declares."""
    record(regression.not_worse(limits, rows, ours, theirs, metric))


def test_floor(ours: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate beats the best constant answer by more than the least improvement."""
    record(regression.floor(limits, rows, ours))


def test_anchor(ours: Array, anchored: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate is not worse than a pinned older release: no chain of small losses."""
    record(regression.anchor(limits, rows, ours, anchored))


def test_report(
    first: bool, ours: Array, rows: Rows, limits: Limits, record: Record, request: pytest.FixtureRequest
) -> None:
    """Precision, recall, F1 and accuracy of both models are reported, never judged by."""
    record(report(limits, rows, ours, None if first else request.getfixturevalue("theirs")))
