"""What does the candidate cost: rows a second, CPU, memory, bytes, its start, and does it hold its peak?"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from time import process_time_ns
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from fledge.artifact.contract import Contract
from fledge.checks import rates, resources
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Array, Rows
from fledge.measuring import crowd, footprint, peak, rounds
from fledge.measuring.footprint import Footprint
from fledge.measuring.rounds import Call
from tests.gates import asking

if TYPE_CHECKING:
    from fledge.artifact.savedmodel import Model
    from tests.gates.served import Served

Record = Callable[[Check], None]
Calls = Callable[[int], list[Call]]

PROCESSES = 5  # fresh ones of each artifact; with five each Mann and Whitney's widest interval misses with 1/252
SECONDS = 8.0  # for all looks of a check here


class Asked(NamedTuple):
    """An artifact, and what it is asked with."""

    path: Path
    signature: str
    rows: Rows

    def batch(self, size: int) -> dict[str, Array]:
        """The inputs of `size` real rows."""
        return self.rows.take(np.arange(size) % len(self.rows))


@pytest.fixture(scope="module")
def asked(
    request: pytest.FixtureRequest,
    candidate: "Model",
    first: bool,
    contract: Contract,
    champion_contract: Contract,
    rows: Rows,
    champion_rows: Rows,
) -> list[Asked]:
    """The candidate, and the champion if there is one. What the candidate lacks is a line here, not a bug in a process."""
    asking.asked(candidate, contract, rows.take(np.arange(1)))
    ours = Asked(Path(request.config.getoption("--candidate")), contract.signature, rows)
    path = request.config.getoption("--champion")
    return [ours] if first else [ours, Asked(Path(path), champion_contract.signature, champion_rows)]


@pytest.fixture(scope="module")
def calls(candidate: "Model", champion: "Model", asked: list[Asked]) -> Calls:
    """Requests of a number of rows to candidate and champion."""

    def of(size: int) -> list[Call]:
        return [call(model, one, size) for model, one in zip((candidate, champion), asked, strict=True)]

    return of


@pytest.fixture(scope="module")
def footprints(asked: list[Asked], limits: Limits) -> list[list[Footprint]]:
    """Footprints of candidate and champion from fresh processes, one after the other in rounds of random order."""
    size = limits.of("resources", "memory", resources.Memory).batch
    made: list[list[Footprint]] = [[] for _ in asked]
    order = np.random.default_rng(0)
    for index in chain.from_iterable(order.permutation(len(asked)) for _ in range(PROCESSES)):
        one = asked[index]
        made[index].append(footprint.taken(one.path, one.signature, one.batch(size)))
    return made


def test_throughput(calls: Calls, limits: Limits, record: Record) -> None:
    """In large batches the candidate is not shown to answer fewer rows a second than the limit allows."""
    limit = limits.of("resources", "throughput", rates.Throughput)
    record(rates.throughput(rounds.looks(calls(limit.batch), seconds=SECONDS), limit, limits.file))


def test_cost(calls: Calls, limits: Limits, record: Record) -> None:
    """The candidate is not shown to take more CPU time for the same rows than the limit allows."""
    limit = limits.of("resources", "cost", resources.Cost)
    looks = rounds.looks(calls(limit.batch), process_time_ns, seconds=SECONDS)
    record(resources.cost(looks, limit, limits.file))


def test_concurrency(champion: "Model", asked: list[Asked], limits: Limits, record: Record) -> None:
    """Threads that ask at once are not shown to be answered more slowly than the limit allows: no lock in the graph."""
    limit = limits.of("resources", "concurrency", rates.Concurrency)
    requests = [footprint.request(one.signature, one.batch(limit.batch)) for one in asked]
    sample = crowd.asked([one.path for one in asked], requests, limit.threads)
    record(rates.concurrency(sample, limit, limits.file))


def test_memory(footprints: list[list[Footprint]], limits: Limits, record: Record) -> None:
    """The candidate's peak memory stays below the cap and near the champion's."""
    ours, *theirs = (np.array([one.memory_mb for one in made]) for made in footprints)
    limit = limits.of("resources", "memory", resources.Memory)
    record(resources.memory(ours, theirs[0] if theirs else None, limit, limits.file))


def test_load_time(footprints: list[list[Footprint]], limits: Limits, record: Record) -> None:
    """The candidate is ready, and answers first, within its budgets and not much later than the champion."""
    ours, *theirs = (
        {name: np.array([getattr(one, name) for one in made]) for name in resources.WHAT} for made in footprints
    )
    limit = limits.of("resources", "load_time", resources.LoadTime)
    record(resources.load_time(ours, theirs[0] if theirs else None, limit, limits.file))


def test_size(asked: list[Asked], limits: Limits, record: Record) -> None:
    """The artifact's files stay below the cap and near the champion's."""
    ours, *theirs = (sum(file.stat().st_size for file in one.path.rglob("*") if file.is_file()) for one in asked)
    limit = limits.of("resources", "size", resources.Size)
    record(resources.size(ours, theirs[0] if theirs else None, limit, limits.file))


def test_load(served: "Served", rows: Rows, limits: Limits, record: Record) -> None:
    """No request fails at a multiple of the declared peak."""
    limit = limits.of("resources", "load", rates.Load)
    answers = peak.asked(served.grpc, served.name, rows.inputs, limit.factor * limit.peak, limit.seconds)
    record(rates.load(answers, limit, limits.file))


def call(model: "Model", one: Asked, size: int) -> Call:
    """One request of `size` rows."""
    inputs = one.batch(size)
    return lambda: model.run(one.signature, inputs)
