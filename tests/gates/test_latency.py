"""Is the candidate as fast as the champion, measured in interleaved rounds, and within its budget?"""

from collections.abc import Callable, Iterator
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fledge.artifact.contract import Contract
from fledge.checks import latency
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.measuring import rounds
from fledge.stats.timing import Sample
from tests.gates.asking import asked

if TYPE_CHECKING:
    from fledge.artifact.savedmodel import Model

Record = Callable[[Check], None]


@pytest.fixture(scope="module")
def samples(
    candidate: "Model",
    champion: "Model",
    contract: Contract,
    champion_contract: Contract,
    rows: Rows,
    champion_rows: Rows,
    limits: Limits,
) -> tuple[Iterator[Sample], Iterator[Sample]]:
    """The same looks at candidate and champion, twice: for the median and for the tail."""
    batch = limits.of("latency", "ratio", latency.Ratio).batch
    asked(candidate, contract, rows.take(np.arange(1)))  # what it lacks is a line here, not a bug in a round
    ours = call(candidate, contract, rows, batch)
    first, second = tee(rounds.looks([ours, call(champion, champion_contract, champion_rows, batch)]))
    return first, second


def test_ratio(samples: tuple[Iterator[Sample], ...], limits: Limits, record: Record) -> None:
    """The candidate's latency is not shown above the champion's by more than the limit."""
    record(latency.ratio(samples[0], limits.of("latency", "ratio", latency.Ratio), limits.file))


def test_tail(samples: tuple[Iterator[Sample], ...], limits: Limits, record: Record) -> None:
    """The candidate is not shown to be slow more often than the champion on the same rounds."""
    # The first look alone: how many there are depends on what they show.
    record(latency.tail(next(samples[1]), limits.of("latency", "tail", latency.Tail), limits.file))


def test_budget(candidate: "Model", contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """Half of the candidate's calls are faster than the budget, champion or not."""
    limit = limits.of("latency", "budget", latency.Budget)
    asked(candidate, contract, rows.take(np.arange(1)))
    record(latency.budget(next(rounds.looks([call(candidate, contract, rows, limit.batch)])), limit, limits.file))


def call(model: "Model", contract: Contract, rows: Rows, batch: int) -> rounds.Call:
    """One request of `batch` real rows."""
    inputs = rows.take(np.arange(batch) % len(rows))
    return lambda: model.run(contract.signature, inputs)
