"""Is any declared segment of the rows harmed, whatever the model gains elsewhere?"""

from collections.abc import Callable

import pytest

from fledge.checks import segments
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array


def test_harm(
    first: bool,
    ours: Array,
    rows: Rows,
    limits: Limits,
    record: Callable[[Check], None],
    request: pytest.FixtureRequest,
) -> None:
    """No declared segment is shown to be harmed: against the champion, in a first release against the best constant."""
    record(segments.harm(limits, rows, ours, None if first else request.getfixturevalue("theirs")))
