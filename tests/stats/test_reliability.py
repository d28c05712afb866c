"""How answers and what happened agree: the Cox line against scikit-learn and the bootstrap, the curve by its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from fledge import stats
from fledge.stats import Array, reliability

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=50)


def chances(seed: int, rows: int, clusters: int, spread: float = 0.0, slope: float = 1.0) -> tuple[Array, Array, Array]:
    """label, the chance that is `slope` times as sure as the true one, and cluster, which shares a shock of `spread`."""
    random = np.random.default_rng(seed)
    cluster = np.arange(rows) % clusters
    logit = random.normal(-1, 1.2, rows)
    shock = spread * random.normal(size=clusters)[cluster]
    label = (random.uniform(size=rows) < 1 / (1 + np.exp(-logit - shock * logit))).astype(int)
    return label, 1 / (1 + np.exp(-slope * logit)), cluster


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0, -1.0])
def test_the_slope_is_the_logistic_regressions(slope: float) -> None:
    """Without a penalty scikit-learn finds the same slope, also for overconfident and inverted chances."""
    label, chance, cluster = chances(0, 3000, 30, slope=slope)
    near = np.clip(chance, reliability.NEAREST, 1 - reliability.NEAREST)
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(np.log(near / (1 - near))[:, None], label).coef_[0, 0]
    assert reliability.cox_slope(label, chance, cluster).value == pytest.approx(expected, rel=1e-4)


def test_with_single_rows_the_error_is_the_robust_one() -> None:
    """With every row a cluster of its own the error agrees with the Fisher information's, the model being right."""
    label, chance, _ = chances(1, 20_000, 1)
    logit = np.log(chance / (1 - chance))
    line = np.stack([np.ones(len(logit)), logit], axis=1)
    fisher = np.linalg.inv((line * (chance * (1 - chance))[:, None]).T @ line)
    found = reliability.cox_slope(label, chance, np.arange(len(label)))
    assert found.error == pytest.approx(np.sqrt(fisher[1, 1]), rel=0.05)
    assert found.freedom == len(label) - 1


def test_the_clustered_error_agrees_with_the_bootstrap_of_clusters() -> None:
    """Clusters that share a shock make the slope as uncertain as resampling whole clusters says, and rows alone do not."""
    label, chance, cluster = chances(2, 4000, 50, spread=0.6)
    random, groups = np.random.default_rng(3), [np.flatnonzero(cluster == one) for one in range(50)]
    drawn = []
    for _ in range(300):
        index = np.concatenate([groups[one] for one in random.integers(0, 50, 50)])
        drawn.append(reliability.cox_slope(label[index], chance[index], cluster[index]).value)
    found = reliability.cox_slope(label, chance, cluster)
    assert found.error == pytest.approx(np.std(drawn), rel=0.2)
    assert reliability.cox_slope(label, chance, np.arange(4000)).error < found.error / 1.5


def test_the_interval_of_calibrated_chances_holds_1_as_often_as_it_says() -> None:
    """Of 400 samples of calibrated chances 99 % of the two-sided 99 % intervals hold the slope 1."""
    held = 0
    for seed in range(400):
        low, high = stats.compare(reliability.cox_slope(*chances(seed, 1000, 40)), 1.0, alpha=0.005).interval
        held += low <= 1 <= high
    assert held >= 400 * 0.99 - 3 * np.sqrt(400 * 0.99 * 0.01)


@FIXED
@given(st.integers(0, 1000), st.floats(0.3, 1.5))
def test_chances_twice_as_sure_have_half_the_slope(seed: int, factor: float) -> None:
    """Multiplying the logit by k divides slope and error by k; adding to it changes neither."""
    label, chance, cluster = chances(seed, 400, 10)
    logit, plain = np.log(chance / (1 - chance)), reliability.cox_slope(label, chance, cluster)
    scaled = reliability.cox_slope(label, 1 / (1 + np.exp(-factor * logit - 0.5)), cluster)
    assert scaled[:2] == pytest.approx((plain.value / factor, plain.error / factor), rel=1e-5)


def test_what_has_no_slope_is_refused() -> None:
    """Constant chances or labels, labels told apart without fault, and a single cluster have no slope or no error."""
    label, chance, cluster = chances(4, 100, 5)
    for wrong, reason in [
        ((label, np.full(100, 0.3), cluster), "the same in every row"),
        ((label, np.where(label == 1, 0.9, 0.1), cluster), "tell the labels apart without fault"),
        ((np.ones(100), chance, cluster), "the label is 1 in every row"),
        ((label, chance, np.zeros(100)), "two clusters"),
    ]:
        with pytest.raises(ValueError, match=reason):
            reliability.cox_slope(*wrong)


def test_the_curve_is_scikit_learns() -> None:
    """Ten bins of equally many rows have scikit-learn's means, and every row is in one."""
    label, chance, cluster = chances(5, 5000, 25)
    found = reliability.curve(chance, label, cluster)
    observed, predicted = calibration_curve(label, chance, n_bins=10, strategy="quantile")
    assert [one["predicted"] for one in found] == pytest.approx(predicted.tolist(), rel=1e-3)
    assert [one["observed"] for one in found] == pytest.approx(observed.tolist(), rel=1e-2)
    assert [one["n"] for one in found] == [500] * 10


def test_equal_predictions_share_a_bin_and_one_cluster_has_no_interval() -> None:
    """A constant is one bin; a bin with rows of a single cluster says that its spread is not known."""
    (one,) = reliability.curve(np.full(10, 0.3), np.arange(10) % 2, np.arange(10) % 3)
    assert (one["predicted"], one["observed"], one["n"]) == (pytest.approx(0.3), 0.5, 10)
    assert one["low"] < 0.5 < one["high"]
    low, high = reliability.curve(np.repeat([0.1, 0.9], 5), np.arange(10) % 2, np.repeat([0, 1], 5))
    assert (low["low"], high["high"]) == (None, None)


def test_the_expected_error_is_the_mean_distance_of_the_bins() -> None:
    """Ten rows off by 0.1 and thirty off by 0.3 are off by 0.25."""
    bins = [{"predicted": 0.2, "observed": 0.3, "n": 10}, {"predicted": 0.9, "observed": 0.6, "n": 30}]
    assert reliability.expected_error(bins) == pytest.approx(0.25)
