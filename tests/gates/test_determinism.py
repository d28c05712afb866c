"""Is a row's answer its own? Asked again, in another order, beside fewer rows, it is the same."""

from collections.abc import Callable

import numpy as np

from fledge.artifact.contract import Contract
from fledge.artifact.savedmodel import Model
from fledge.checks import determinism
from fledge.checks.agreement import Tolerance
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from tests.gates import asking

Record = Callable[[Check], None]

ALL, SAMPLE = 10_000, 448  # rows asked at once; rows asked one by one, 7 batches of 64


def test_repeat(candidate: Model, contract: Contract, rows: Rows, record: Record) -> None:
    """The same rows get the same bits when they are asked again."""
    sample = asking.sample(rows, ALL)
    first, second = (asking.asked(candidate, contract, sample) for _ in range(2))
    record(determinism.repeat(first, second, asking.count(sample)))


def test_order(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A row's answer does not depend on where in the batch it stands."""
    limit = limits.of("determinism", "order", Tolerance)
    sample = asking.sample(rows, ALL)
    permutation = np.random.default_rng(0).permutation(asking.count(sample))
    whole = asking.asked(candidate, contract, sample)
    shuffled = asking.asked(candidate, contract, {name: values[permutation] for name, values in sample.items()})
    record(determinism.order(whole, shuffled, permutation, limit))


def test_split(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A row's answer does not depend on the rows beside it: batches of 1, 7 and 64 answer as all at once."""
    limit = limits.of("determinism", "split", Tolerance)
    sample = asking.sample(rows, SAMPLE)
    count = asking.count(sample)
    parts = {
        size: asking.joined(
            asking.asked(candidate, contract, {name: values[part] for name, values in sample.items()})
            for part in determinism.batches(count, size)
        )
        for size in determinism.SPLITS
    }
    record(determinism.split(asking.asked(candidate, contract, sample), parts, count, limit))
