"""Tests of fledge.calibration.rates."""

import math

import pytest
from scipy import stats

from fledge.calibration.rates import Rate, rate


@pytest.mark.parametrize(("count", "tries"), [(0, 10), (1, 150), (150, 300), (300, 300)])
def test_the_interval_is_where_the_binomial_tails_are_an_fortieth(count: int, tries: int) -> None:
    """At the lower bound so many successes or more have chance 2.5 %, at the upper so many or fewer; 0 and 1 are ends."""
    low, high = Rate(count, tries).interval
    assert low == 0 if count == 0 else stats.binom.sf(count - 1, tries, low) == pytest.approx(0.025)
    assert high == 1 if count == tries else stats.binom.cdf(count, tries, high) == pytest.approx(0.025)


def test_three_hundred_without_a_block_prove_almost_99_percent() -> None:
    """0 of 300 has an upper bound of 1 − 0.025^(1/300): 1.2 %."""
    assert Rate(0, 300).interval[1] == pytest.approx(1 - 0.025 ** (1 / 300))


def test_nothing_tried_says_nothing() -> None:
    """Without a try there is no share, and the interval is all there is."""
    assert math.isnan(Rate(0, 0).value)
    assert Rate(0, 0).interval == (0, 1)
    assert str(Rate(0, 0)) == "–"


def test_a_rate_counts_what_is_true() -> None:
    """A rate is read with its interval and its counts."""
    assert rate([True, False, True]) == Rate(2, 3)
    assert str(Rate(1, 2)) == "50.0 % [1.3, 98.7] (1 of 2)"
