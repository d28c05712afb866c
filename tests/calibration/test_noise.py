"""Tests of fledge.calibration.noise: what was put into a simulation comes out of it."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from fledge.calibration.noise import Noise, Pairing, noise, pairing, rounded_up, value, worse
from fledge.stats import Estimate

EXAMPLE = Noise(
    "auc", 0.73, sigma_seed=0.0015, error=0.0014, single_error=0.0007, freedom=71, alpha=0.05, seeds=600, pairs=300
)
TIES = [Pairing(Estimate(0.0, 0.3, 5), Estimate(0.0, 0.1, 99)), Pairing(Estimate(0.0, 0.4, 5), Estimate(0.0, 0.2, 99))]


def rows(random: np.random.Generator, clusters: int, each: int, shared: float) -> tuple[np.ndarray, np.ndarray]:
    """A regression's errors of `clusters` × `each` rows, of which `shared` of the variance is the cluster's."""
    cluster = np.repeat(np.arange(clusters), each)
    error = sqrt(shared) * random.normal(size=clusters)[cluster] + sqrt(1 - shared) * random.normal(size=len(cluster))
    return error, cluster


def test_sigma_is_the_spread_over_seeds() -> None:
    """600 seeds with a known spread give it back, and its interval holds the truth."""
    values = np.random.default_rng(0).normal(0.73, 0.0015, 600)
    found = noise("auc", values.tolist(), TIES)
    assert found.sigma_seed == pytest.approx(0.0015, rel=0.08)
    assert found.sigma_interval[0] < 0.0015 < found.sigma_interval[1]


def test_the_interval_of_sigma_keeps_its_promise() -> None:
    """Over 2,000 simulated calibrations of 20 seeds, 95 % of the intervals hold the truth, within 4 standard errors."""
    random = np.random.default_rng(1)
    found = [noise("auc", random.normal(0, 1, 20).tolist(), TIES).sigma_interval for _ in range(2000)]
    held = np.mean([low < 1 < high for low, high in found])
    assert held == pytest.approx(0.95, abs=4 * sqrt(0.95 * 0.05 / 2000))


def test_a_loss_has_its_noise_as_a_share() -> None:
    """Log-losses around 0.5 with spread 0.01 have a sigma of 2 %."""
    values = np.random.default_rng(2).normal(0.5, 0.01, 2000).tolist()
    assert noise("log_loss", values, TIES).sigma_seed == pytest.approx(0.02, rel=0.06)


def test_errors_are_averaged_as_variances() -> None:
    """Errors 0.3 and 0.4 have a root mean square of √0.125; the design effect is the ratio of the mean variances."""
    found = noise("auc", [0.1, 0.2], TIES)
    assert found.error == pytest.approx(sqrt(0.125))
    assert found.design_effect == pytest.approx(0.125 / 0.025)
    assert found.freedom == 5


@pytest.mark.parametrize(("shared", "expected"), [(0.0, 1.0), (0.2, 1 + 0.2 * 24)])
def test_the_design_effect_is_kish(shared: float, expected: float) -> None:
    """Rows that share nothing have design effect 1, those of clusters of 25 with correlation ρ have 1 + 24ρ (Kish 1965)."""
    random, found = np.random.default_rng(3), []
    for _ in range(40):
        error, cluster = rows(random, 60, 25, shared)
        label = np.zeros(len(cluster))
        # The losses of theirs are 1, of ours 1 + error: their difference is the error itself.
        ours = np.sqrt(np.maximum(1 + 0.1 * error, 0))
        found.append(pairing("squared_error", label, ours, np.ones(len(label)), cluster, 0.5))
    assert noise("squared_error", [1.0, 1.1], found).design_effect == pytest.approx(expected, rel=0.12)


def test_worse_is_above_zero_for_every_metric() -> None:
    """A candidate that errs more is worse in AUC, accuracy and every loss, and its opposite is better."""
    random = np.random.default_rng(4)
    label = random.integers(0, 2, 400)
    good = np.clip(label * 0.5 + 0.25 + random.normal(0, 0.1, 400), 0.01, 0.99)
    bad = np.clip(label * 0.2 + 0.4 + random.normal(0, 0.2, 400), 0.01, 0.99)
    for metric in ("auc", "accuracy", "log_loss", "brier"):
        assert worse(metric, label, bad, good, np.arange(400), 0.5).value > 0
        assert worse(metric, label, good, bad, np.arange(400), 0.5).value < 0


def test_values_are_the_textbooks() -> None:
    """Of four rows with one pair out of order, AUC is 3/4, accuracy 1/2; squared and absolute error are means."""
    label, answer = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9])
    assert value("auc", label, answer, 0.5) == pytest.approx(0.75)
    assert value("accuracy", label, answer, 0.5) == pytest.approx(0.5)
    assert value("absolute_error", label, answer, 0.5) == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)
    assert value("log_loss", label, answer, 0.5) == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_the_least_margin_is_rule_p4() -> None:
    """z₁₋β·√2·σ + t₁₋α·SE, with β = 1 − 0.99^(1/8) of eight checks, and it says so in its derivation."""
    z, t = stats.norm.ppf(0.99 ** (1 / 8)), stats.t.ppf(0.95, 71)
    assert EXAMPLE.least(8) == pytest.approx(z * sqrt(2) * 0.0015 + t * 0.0014)
    assert EXAMPLE.derivation(8) == f"{z:.2f}·√2·0.0015 + {t:.2f}·0.0014 = {EXAMPLE.least(8):.3g}"


def test_the_least_margin_blocks_no_more_than_its_share() -> None:
    """At the least margin of one check, 1 % of equal candidates are blocked in a simulation, within 4 standard errors."""
    random, sigma, error, tries = np.random.default_rng(5), 0.0015, 0.0014, 40_000
    margin = Noise("auc", 0.7, sigma, error, error, 71, 0.05, 600, 300).least(1)
    difference = random.normal(0, sqrt(2) * sigma, tries)  # of two seeds, on the same rows
    blocked = difference + stats.t.ppf(0.95, 71) * error > margin
    assert blocked.mean() == pytest.approx(0.01, abs=4 * sqrt(0.01 * 0.99 / tries))


@pytest.mark.parametrize(("margin", "expected"), [(0.0089, 0.0089), (0.00891, 0.009), (0.0131, 0.014), (0.013, 0.013)])
def test_margins_are_rounded_up(margin: float, expected: float) -> None:
    """Two digits, never below what was derived."""
    assert rounded_up(margin) == expected


def test_no_spread_without_two_seeds() -> None:
    """One seed, or no pair, says nothing about noise."""
    with pytest.raises(ValueError, match="two seeds"):
        noise("auc", [0.7], TIES)
    with pytest.raises(ValueError, match="two seeds"):
        noise("auc", [0.7, 0.71], [])
