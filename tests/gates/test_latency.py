"""Is the candidate as fast as the champion, measured in interleaved pairs, and within its budget?"""

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from fledge import stats
from fledge.contract import Contract
from fledge.evidence import Check, Verdict
from fledge.limits import Limit, Limits
from fledge.rows import Rows
from fledge.stats import Array

if TYPE_CHECKING:
    from fledge.savedmodel import Model

Record = Callable[[Check], None]
Call = Callable[[], object]

WARM_UP = 300  # calls
PAIRS = 1000
DOUBLINGS = 3


class Ratio(Limit):
    batch: int
    block_above: float
    pass_below: float


class Budget(Limit):
    batch: int
    p50_ms: float


def test_ratio(
    candidate: "Model", champion: "Model", contract: Contract, rows: Rows, limits: Limits, record: Record
) -> None:
    """The candidate's latency is not shown above the champion's by more than the limit."""
    limit = limits.of("latency", "ratio", Ratio)
    calls = [call(model, contract, rows, limit.batch) for model in (candidate, champion)]
    record(ratio_check(measured(calls), limit, f"{limits.file}: gates.latency.ratio"))


def test_budget(candidate: "Model", contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """Half of the candidate's calls are faster than the budget, champion or not."""
    limit = limits.of("latency", "budget", Budget)
    (times,) = next(measured([call(candidate, contract, rows, limit.batch)]))
    record(budget_check(times / 1e6, limit, f"{limits.file}: gates.latency.budget.p50_ms"))


def ratio_check(samples: Iterator[tuple[Array, ...]], limit: Ratio, key: str) -> Check:
    """Look at ever more pairs until they tell; what `DOUBLINGS` doublings cannot tell is INCONCLUSIVE."""
    for ours, theirs in samples:
        ratio, (low, high) = stats.latency_ratio(ours, theirs)
        numbers = (ratio, (low, high), limit.block_above, len(ours), None, "ratio", limit.inconclusive)
        if low > limit.block_above:
            reason = (
                f"{ratio:.3f} times the champion's latency, at least {low:.3f}, expected at most {limit.block_above}"
            )
            return Check(
                "latency",
                "ratio",
                Verdict.BLOCK,
                reason,
                f"make the model cheaper, or move {key}.block_above",
                *numbers,
            )
        if high < limit.pass_below:
            reason = f"{ratio:.3f} times the champion's latency, at most {high:.3f}"
            return Check("latency", "ratio", Verdict.PASS, reason, "", *numbers)
    reason = (
        f"{low:.3f} … {high:.3f} times the champion's latency after {len(ours):,} pairs, expected a narrower interval"
    )
    return Check("latency", "ratio", Verdict.INCONCLUSIVE, reason, "measure again on a quieter machine", *numbers)


def budget_check(times: Array, limit: Budget, key: str) -> Check:
    """`times` in milliseconds; the interval of their median is compared with the budget."""
    median, (low, high) = stats.latency_median(times)
    numbers = (median, (low, high), limit.p50_ms, len(times), None, "ms", limit.inconclusive)
    reason = f"half of the calls take over {median:.2f} ms, expected {limit.p50_ms} ms"
    if low > limit.p50_ms:
        return Check("latency", "budget", Verdict.BLOCK, reason, f"make the model cheaper, or move {key}", *numbers)
    verdict = Verdict.PASS if high <= limit.p50_ms else Verdict.INCONCLUSIVE
    remedy = "" if verdict is Verdict.PASS else "measure again on a quieter machine"
    return Check("latency", "budget", verdict, reason, remedy, *numbers)


def call(model: "Model", contract: Contract, rows: Rows, batch: int) -> Call:
    """One request of `batch` real rows."""
    inputs = rows.take(np.arange(batch) % len(rows))
    return lambda: model.run(contract.signature, inputs)


def measured(calls: list[Call], pairs: int = PAIRS) -> Iterator[tuple[Array, ...]]:
    """Nanoseconds of each call, n each: of `pairs` rounds, then twice as many, … The order in each round is random."""
    order, times = np.random.default_rng(0), np.empty((0, len(calls)))
    for _ in range(WARM_UP):
        for one in calls:
            one()
    for doubling in range(DOUBLINGS + 1):
        more = [_round(calls, order) for _ in range(pairs * 2**doubling - len(times))]
        times = np.vstack([times, more])
        yield tuple(times.T)


def _round(calls: list[Call], order: np.random.Generator) -> list[int]:
    taken = [0] * len(calls)
    for index in order.permutation(len(calls)):
        start = perf_counter_ns()
        calls[index]()
        taken[index] = perf_counter_ns() - start
    return taken
