"""Are the rows what the contract says, those that judge and those that trained?"""

from collections.abc import Callable

from fledge.artifact.contract import Contract
from fledge.checks import data
from fledge.evidence import Check
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows

Record = Callable[[Check], None]


def test_count(rows: Rows, limits: Limits, record: Record) -> None:
    """Enough rows of enough clusters are held out."""
    record(data.count(rows, limits.of("data", "count", data.Count), limits.file))


def test_quality(rows: Rows, contract: Contract, limits: Limits, record: Record) -> None:
    """No input of the held-out rows is missing, unseen or out of range more often than its cap allows."""
    record(data.quality(rows, contract, limits.of("data", "quality", data.Quality), limits.file))


def test_training(training: Rows | None, contract: Contract, limits: Limits, record: Record) -> None:
    """The same caps hold for the rows that the candidate was trained on."""
    limit, caps = limits.of("data", "training", Limit), limits.of("data", "quality", data.Quality)
    if training is None:
        record(data.unknown_training("data", "training", limit, limits.file))
    else:
        record(data.quality(training, contract, caps, limits.file, "training"))
