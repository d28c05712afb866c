"""Is what is served what was trained? Training, the artifact and its server give the same numbers and decisions."""

from collections.abc import Callable

import pytest

from fledge.artifact import vectors
from fledge.artifact.contract import Contract
from fledge.artifact.savedmodel import Model
from fledge.checks import parity
from fledge.checks.agreement import Tolerance
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from tests.gates import asking
from tests.gates.asking import Api
from tests.gates.served import Served

Record = Callable[[Check], None]

BATCH = 1000  # rows in a request


def test_golden(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """The artifact answers the rows that training left in it as the trained network did."""
    limit = limits.of("parity", "golden", Tolerance)
    left = vectors.read(candidate.path / vectors.FILE, contract)
    if left is None:
        record(parity.no_golden(limit))
        return
    inputs, expected = left
    found = asking.asked(candidate, contract, inputs)
    record(parity.golden(found, expected, min(vectors.ROWS, len(rows)), limit, limits.task, limits.threshold))


@pytest.mark.parametrize("api", ["rest", "grpc"], ids=["rest", "grpc"])
def test_served(
    served: Served, candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record, api: Api
) -> None:
    """A client gets the answers of the raw session, and takes the same decisions."""
    limit = limits.of("parity", api, parity.Served)
    sample = asking.sample(rows, limit.rows)
    found = asking.served(served, api, contract, sample, BATCH)
    expected = asking.asked(candidate, contract, sample)
    record(parity.same(api, found, expected, limit, limits.task, limits.threshold))
