"""Calls timed in interleaved rounds, the only way to compare two latencies on a machine that others use too.

Measured one after the other, two identical systems seemed to differ by 38 %, with 95 % confidence; randomised interleaved
trials compare them fairly (both Abedi & Brecht 2017). Every round makes each call once, in random order.
"""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np

from fledge.stats import Array
from fledge.stats.timing import BLOCK, LOOKS, Sample

Call = Callable[[], object]
Clock = Callable[[], int]

WARM_UP = 300  # rounds
FIRST = 1000  # rounds of the first look
BLOCKS = FIRST // BLOCK  # of the first look, however slow the calls are
SECONDS = 16.0  # for all looks at calls that take longer than a millisecond


class Plan(NamedTuple):
    """Rounds of the first look, and rounds in a block."""

    first: int
    block: int


def plan(round_seconds: float, seconds: float = SECONDS) -> Plan:
    """As many rounds in the first look as let all looks end within `seconds`; between BLOCKS, however long, and FIRST."""
    blocks = seconds / 2 ** (LOOKS - 1) / round_seconds / BLOCKS
    block = int(min(max(blocks, 1), BLOCK))
    return Plan(BLOCKS * block, block)


def looks(
    calls: Sequence[Call], clock: Clock = perf_counter_ns, *, seconds: float = SECONDS, seed: int = 0
) -> Iterator[Sample]:
    """What `clock` said of each call (nanoseconds, (rounds, calls)) in ever more rounds: each look doubles them.

    Calls are warmed up first: 300 rounds, or as many as an eighth of `seconds` allows.
    """
    order = np.random.default_rng(seed)
    first, block = plan(_warmed(calls, seconds / 8), seconds)
    times: Array = np.empty((0, len(calls)))
    for look in range(LOOKS):
        more = [_round(calls, clock, order) for _ in range(first * 2**look - len(times))]
        times = np.vstack([times, more])
        yield Sample(times, block)


def _warmed(calls: Sequence[Call], seconds: float) -> float:
    """Seconds that a round of the warm-up takes, in the middle."""
    ticks = [perf_counter_ns()]
    while len(ticks) <= WARM_UP and ticks[-1] - ticks[0] < seconds * 1e9:
        for call in calls:
            call()
        ticks.append(perf_counter_ns())
    return max(float(np.median(np.diff(ticks))), 1.0) / 1e9


def _round(calls: Sequence[Call], clock: Clock, order: np.random.Generator) -> list[int]:
    taken = [0] * len(calls)
    for index in order.permutation(len(calls)):
        begun = clock()
        calls[index]()
        taken[index] = clock() - begun
    return taken
