"""The statistics of measured times: by their laws, and by simulation of machines that no two calls find the same."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.stats import ALPHA, Array, timing
from fledge.stats.timing import Sample

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=100)
LIMITS = (1.05, 1.10)  # what is shipped


def noisy(seed: int, calls: int = 1000, spread: float = 0.1) -> tuple[Array, Array]:
    """Latencies of two interleaved calls to the same thing, on a machine whose speed wanders."""
    random = np.random.default_rng(seed)
    machine = np.exp(np.cumsum(random.normal(scale=0.02, size=calls)))
    return machine * random.lognormal(0, spread, calls), machine * random.lognormal(0, spread, calls)


def looks(seed: int, factor: float, spread: float) -> Iterator[Sample]:
    """All looks at a candidate that is `factor` times as slow."""
    ours, theirs = noisy(seed, 8000, spread)
    times = np.stack([factor * ours, theirs], axis=1)
    return (Sample(times[:rounds]) for rounds in (1000, 2000, 4000, 8000))


def test_a_series_times_1_1_has_the_ratio_1_1() -> None:
    """A constant factor is found exactly, without any width, in the whole and in every block."""
    times, _ = noisy(0)
    ratio, interval = timing.latency_ratio(times * 1.1, times)
    assert [ratio, *interval] == pytest.approx([1.1, 1.1, 1.1])
    assert timing.block_ratios(times * 1.1, times, 50) == pytest.approx([1.1] * 20)


def test_latency_ratio_sees_ten_per_cent_on_a_wandering_machine_and_nothing_where_there_is_nothing() -> None:
    """Of 50 pairs of equal series none is above 1.05 for sure; of 50 that are 10 % slower all are."""
    equal = [timing.latency_ratio(*noisy(seed), resamples=200)[1][0] for seed in range(50)]
    slower = [timing.latency_ratio(a * 1.1, b, resamples=200)[1][0] for a, b in map(noisy, range(50))]
    assert max(equal) <= 1.05
    assert min(slower) > 1.05


@FIXED
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_latency_ratio_has_no_unit(seed: int, factor: float) -> None:
    """Milliseconds or nanoseconds: the ratio and its interval are the same; the median follows the unit."""
    ours, theirs = noisy(seed, 100)
    plain, scaled = (timing.latency_ratio(ours * f, theirs * f, resamples=50) for f in (1, factor))
    assert [scaled[0], *scaled[1]] == pytest.approx([plain[0], *plain[1]])
    assert timing.latency_median(ours * factor)[0] == pytest.approx(factor * timing.latency_median(ours)[0])


def test_one_block_is_refused() -> None:
    """A single block has no visible spread."""
    with pytest.raises(ValueError, match="two blocks"):
        timing.latency_ratio(np.ones(49), np.ones(49))
    with pytest.raises(ValueError, match="needs a sample"):
        timing.told([], *LIMITS)


def test_a_clock_that_stands_still_is_refused() -> None:
    """Where most calls seem to take no time nothing can be compared, and nothing passes."""
    with pytest.raises(ValueError, match="too coarse"):
        timing.latency_ratio(np.zeros(50), np.ones(50))


def test_an_equal_candidate_is_refused_at_most_twice_in_a_thousand() -> None:
    """Over all looks none of 1,500 equal pairs is shown slower: with 95 % confidence fewer than 0.2 % are (3/1,500)."""
    assert not any(timing.told(looks(seed, 1.0, 0.4), *LIMITS).slower for seed in range(1500))


def test_looking_again_and_again_costs_no_more_than_alpha() -> None:
    """A candidate exactly at a limit is shown beyond it by at most ALPHA of the runs, though there are four looks."""
    at_block = [timing.told(looks(seed, 1.05, 0.4), *LIMITS).slower for seed in range(300)]
    at_pass = [timing.told(looks(seed, 1.10, 0.4), *LIMITS).slower for seed in range(300)]
    noise = 3 * np.sqrt(ALPHA * (1 - ALPHA) / 300)
    assert np.mean([slower is True for slower in at_block]) <= ALPHA + noise
    assert np.mean([slower is False for slower in at_pass]) <= ALPHA + noise


@pytest.mark.parametrize(("spread", "least"), [(0.1, 1.0), (0.3, 0.95)])
def test_ten_per_cent_slower_is_refused(spread: float, least: float) -> None:
    """A candidate 10 % slower is shown above 1.05 by at least 95 % of the runs, where single calls spread by 30 %."""
    assert np.mean([timing.told(looks(seed, 1.1, spread), *LIMITS).slower is True for seed in range(200)]) >= least


def test_the_smallest_detectable_ratio_is_refused_nine_times_in_ten() -> None:
    """A candidate as slow as a reading calls detectable is refused by about 90 % of the first looks, never far fewer."""
    factor = float(np.median([timing.told([next(looks(s, 1.0, 0.4))], *LIMITS).detectable for s in range(50)]))
    refused = [timing.told([next(looks(seed, factor, 0.4))], *LIMITS).slower is True for seed in range(300)]
    assert 0.80 <= np.mean(refused) <= 0.99


def test_an_equal_tail_is_told_apart_as_seldom_as_its_p_says() -> None:
    """McNemar's p of equal pairs is below 5 % in at most 5 % of runs, and below 0.1 % in none of a thousand."""
    p = np.array([timing.tail(*noisy(seed), 1.0).p for seed in range(1000)])
    assert np.mean(p < 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
    assert p.min() >= 1e-4


def test_a_tail_is_seen_where_the_median_sees_nothing() -> None:
    """When one call in ten takes twice as long the medians differ by little, and the tail tells."""
    ours, theirs = noisy(1)
    late = np.where(np.arange(1000) % 10 == 0, 2 * ours, ours)
    assert timing.told([Sample(np.stack([late, theirs], axis=1))], *LIMITS).slower is False
    found = timing.tail(late, theirs, 1.1)
    assert found.champion == pytest.approx(0.05)
    assert found.candidate > 0.08
    assert found.p < 1e-4


def test_a_tail_without_slow_calls_tells_nothing() -> None:
    """Calls that all take the same time are never slow: no round tells, and p is 1."""
    assert timing.tail(np.ones(100), np.ones(100), 1.0) == (0.0, 0.0, 0, 0, 1.0)


def test_five_fresh_times_miss_the_true_factor_once_in_252() -> None:
    """The interval between the extreme quotients of five times each holds the true factor but for 1 in 126 runs."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(4000):
        ours, theirs = 1.3 * random.lognormal(0, 0.2, 5), random.lognormal(0, 0.2, 5)
        _, (low, high) = timing.fresh_ratio(ours, theirs)
        held += low <= 1.3 <= high
    assert 1 - held / 4000 == pytest.approx(2 / 252, abs=3 * np.sqrt(2 / 252 / 4000))
