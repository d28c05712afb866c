"""The statistics of measured times: arrays in, numbers out.

Times come from interleaved rounds (`fledge.measuring.rounds`), and whole blocks of neighbours are resampled, because what
disturbs one call disturbs the next. Sources: Abedi & Brecht 2017 (rounds), Carlstein 1986 (blocks), Efron 1979 (bootstrap),
McNemar 1947 (the tail). How seldom equal calls are told apart, and how often slower ones: tests/stats/test_timing.py.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats

from fledge.stats import ALPHA, POWER, Array

BLOCK = 25  # rounds
LOOKS = 4  # at ever more rounds, each twice as many as before
SLOW = 0.95  # quantile of the champion's calls from which a call counts as slow


class Sample(NamedTuple):
    """`times` (rounds, calls) of interleaved rounds in any unit, candidate first; `block` is a number of rounds."""

    times: Array
    block: int = BLOCK


class Reading(NamedTuple):
    """What a comparison says: True shown above the one limit, False shown below the other, None neither."""

    slower: bool | None
    ratio: float
    interval: tuple[float, float]
    detectable: float  # the smallest ratio that these rounds would refuse nine times in ten
    rounds: int
    blocks: list[float]  # each block's ratio, in order of time
    medians: tuple[float, float]  # of candidate and champion, in the unit of the sample


class Tail(NamedTuple):
    """Shares of slow calls, the rounds in which only one of the two was slow, and McNemar's exact one-sided p."""

    candidate: float
    champion: float
    only_candidate: int
    only_champion: int
    p: float


def told(samples: Iterable[Sample], block_above: float, pass_below: float) -> Reading:
    """Look at ever more rounds until the interval of candidate/champion is above the one limit or below the other.

    At most LOOKS looks, each with ALPHA/LOOKS (Bonferroni): over all of them a candidate at `block_above` is shown
    above it with a chance of at most ALPHA, and one at `pass_below` below it likewise. Raises ValueError for no sample.
    """
    alpha, reading = ALPHA / LOOKS, None
    for sample in samples:
        reading = _reading(sample, block_above, pass_below, alpha)
        if reading.slower is not None:
            break
    if reading is None:
        raise ValueError("a comparison needs a sample")
    return reading


def block_ratios(candidate: Array, champion: Array, block: int = BLOCK) -> Array:
    """Each block's median of `candidate` over its median of `champion` (both (n,)), in order of time.

    Raises ValueError for less than two blocks, and for a clock that did not move in half of a block's calls.
    """
    ours, theirs = _block_medians(candidate, block), _block_medians(champion, block)
    if not (ours.all() and theirs.all()):
        raise ValueError("the clock is too coarse for these calls")
    ratios: Array = ours / theirs
    return ratios


def latency_ratio(
    candidate: Array, champion: Array, *, block: int = BLOCK, alpha: float = ALPHA, resamples: int = 2000, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Ratio candidate/champion of latencies (n,) in any unit, taken in interleaved rounds, and its 1 − 2α interval.

    The median over time-ordered blocks of the blocks' log-ratio of medians, by the bootstrap of blocks. Raises
    ValueError as `block_ratios` does.
    """
    logs = np.log(block_ratios(candidate, champion, block))
    middle, (low, high), _ = _median(logs, alpha, resamples, seed)
    return float(np.exp(middle)), (float(np.exp(low)), float(np.exp(high)))


def latency_median(
    times: Array, *, block: int = BLOCK, alpha: float = ALPHA, resamples: int = 2000, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Median over blocks of the blocks' medians of `times` (n,), and its 1 − 2α interval, in the unit of `times`."""
    middle, interval, _ = _median(_block_medians(times, block), alpha, resamples, seed)
    return middle, interval


def tail(candidate: Array, champion: Array, slack: float, block: int = BLOCK) -> Tail:
    """Is the candidate (times (n,)) slow more often than the champion on the same rounds?

    Times count in medians of their block, both models together, so that a machine that wanders has one measure. A
    champion's call is slow above its own 95 % quantile, a candidate's above `slack` times that: what a slower median
    may cost is the ratio's to say. Only rounds in which one of the two was slow tell, and to an equal candidate either
    is as likely (McNemar; the order inside a round is random).
    """
    rounds = len(candidate) // block * block
    both = np.stack([candidate[:rounds], champion[:rounds]], axis=1)
    level = np.repeat(np.median(both.reshape(-1, 2 * block), axis=1), block)
    bar = np.quantile(champion[:rounds] / level, SLOW)
    ours, theirs = candidate[:rounds] > slack * bar * level, champion[:rounds] > bar * level
    worse, better = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    p = stats.binomtest(worse, worse + better, alternative="greater").pvalue if worse + better else 1.0
    return Tail(float(ours.mean()), float(theirs.mean()), worse, better, float(p))


def fresh_ratio(candidate: Array, champion: Array) -> tuple[float, tuple[float, float]]:
    """Ratio of the medians of a few independent times each, and the interval between the extreme quotients.

    It is Mann and Whitney's widest: with five times each it misses the true factor on either side with 1/252.
    """
    ratio = float(np.median(candidate) / np.median(champion))
    return ratio, (float(candidate.min() / champion.max()), float(candidate.max() / champion.min()))


def _reading(sample: Sample, block_above: float, pass_below: float, alpha: float) -> Reading:
    ours, theirs = sample.times.T
    ratios = block_ratios(ours, theirs, sample.block)
    middle, (low, high), error = _median(np.log(ratios), alpha)
    needed = stats.norm.ppf(1 - alpha) + stats.norm.ppf(POWER)
    return Reading(
        True if np.exp(low) > block_above else False if np.exp(high) < pass_below else None,
        float(np.exp(middle)),
        (float(np.exp(low)), float(np.exp(high))),
        float(block_above * np.exp(needed * error)),
        len(ours),
        [float(ratio) for ratio in ratios],
        (float(np.median(ours)), float(np.median(theirs))),
    )


def _block_medians(times: Array, block: int) -> Array:
    count = len(times) // block
    if count < 2:
        raise ValueError(f"latency needs two blocks of {block} calls")
    medians: Array = np.median(np.reshape(times[: count * block], (count, block)), axis=1)
    return medians


def _median(
    values: Array, alpha: float, resamples: int = 2000, seed: int = 0
) -> tuple[float, tuple[float, float], float]:
    """The median of `values` (n,), its 1 − 2α interval by the percentile bootstrap, and its standard error."""
    draws = np.median(np.random.default_rng(seed).choice(values, (resamples, len(values))), axis=1)
    low, high = np.quantile(draws, [alpha, 1 - alpha])
    return float(np.median(values)), (float(low), float(high)), float(np.std(draws))
