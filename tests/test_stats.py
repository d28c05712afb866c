"""The gates' statistics: against scipy, against the bootstrap, against simulation, and by their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from fledge import stats
from fledge.stats import Array, Estimate

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=100)
VALUES = hnp.arrays(np.float64, st.integers(3, 40), elements=st.floats(-100, 100, width=32), fill=st.nothing())


def scored(seed: int, rows: int, clusters: int, spread: float) -> tuple[Array, Array, Array, Array]:
    """label, two correlated scores and cluster; rows of one cluster share a shock to label and scores alike."""
    random = np.random.default_rng(seed)
    cluster = np.arange(rows) % clusters
    truth = random.normal(size=rows) + spread * random.normal(size=clusters)[cluster]
    label = (random.uniform(size=rows) < 1 / (1 + np.exp(1 - truth))).astype(int)
    shift = spread * random.normal(size=clusters)[cluster]
    return label, truth + random.normal(size=rows), truth + shift + random.normal(size=rows), cluster


def bootstrap_error(label: Array, ours: Array, theirs: Array, cluster: Array) -> float:
    """The spread of the AUC difference over 400 resamplings of whole clusters."""
    random, groups = np.random.default_rng(1), [np.flatnonzero(cluster == g) for g in np.unique(cluster)]
    found = []
    for _ in range(400):
        index = np.concatenate([groups[g] for g in random.integers(0, len(groups), len(groups))])
        found.append(stats.auc_difference(label[index], ours[index], theirs[index]).value)
    return float(np.std(found))


def auc(label: Array, score: Array) -> float:
    """The area under the ROC curve by scipy's Mann-Whitney U."""
    up, down = score[label == 1], score[label == 0]
    return float(scipy_stats.mannwhitneyu(up, down).statistic / len(up) / len(down))


def test_a_cluster_of_one_row_each_gives_the_ordinary_standard_error() -> None:
    """When every row is its own cluster the clustered error is s/√n."""
    values = np.random.default_rng(0).normal(size=50)
    found = stats.clustered_mean(values, np.arange(50))
    assert found.error == pytest.approx(scipy_stats.sem(values))
    assert found.value == pytest.approx(values.mean())
    assert found.freedom == 49


@FIXED
@given(VALUES, st.integers(2, 5))
def test_repeating_rows_inside_their_cluster_adds_no_certainty(values: Array, times: int) -> None:
    """A row copied within its cluster leaves estimate and error as they were."""
    cluster = np.arange(len(values)) % 3
    once, often = (
        stats.clustered_mean(values, cluster),
        stats.clustered_mean(*(np.repeat(x, times) for x in (values, cluster))),
    )
    assert often == pytest.approx(once, abs=1e-9)


@FIXED
@given(VALUES, st.floats(-10, 10), st.floats(-10, 10))
def test_mean_and_error_follow_a_change_of_unit(values: Array, shift: float, factor: float) -> None:
    """mean(a + b·x) = a + b·mean(x), and its error is |b| times as large."""
    cluster = np.arange(len(values)) % 3
    plain, moved = stats.clustered_mean(values, cluster), stats.clustered_mean(shift + factor * values, cluster)
    assert moved.value == pytest.approx(shift + plain.scaled(factor).value, abs=1e-6)
    assert moved.error == pytest.approx(plain.scaled(factor).error, abs=1e-6)


def test_one_cluster_is_refused() -> None:
    """Rows of a single cluster have no visible spread, so there is no error to give, and surely not 0."""
    with pytest.raises(ValueError, match="two clusters"):
        stats.clustered_mean(np.arange(4.0), np.zeros(4))


@pytest.mark.parametrize("clusters", [5, 31])
def test_clustered_intervals_cover_the_truth_as_often_as_they_say(clusters: int) -> None:
    """With rows that share their cluster's shock, nine in ten 90 % intervals hold the true mean of 0."""
    random, cluster = np.random.default_rng(2), np.repeat(np.arange(clusters), 20)
    held = 0
    for _ in range(1000):
        values = random.normal(size=len(cluster)) + random.normal(size=clusters)[cluster]
        low, high = stats.compare(stats.clustered_mean(values, cluster), 1.0).interval
        held += low <= 0 <= high
    assert 870 <= held <= 930  # 900 ± 3 standard deviations


@pytest.mark.parametrize("seed", range(3))
def test_auc_difference_is_that_of_the_mann_whitney_statistics(seed: int) -> None:
    """The estimate is the difference of the two areas under the ROC curve, ties included."""
    label, ours, theirs, _ = scored(seed, 500, 10, 0)
    ours, theirs = ours.round(1), theirs.round(1)
    assert stats.auc_difference(label, ours, theirs).value == pytest.approx(auc(label, ours) - auc(label, theirs))


def test_delong_error_agrees_with_the_bootstrap() -> None:
    """DeLong's standard error and 400 resamplings of rows differ by no more than resampling noise."""
    label, ours, theirs, _ = scored(3, 2000, 10, 0)
    expected = bootstrap_error(label, ours, theirs, np.arange(2000))
    assert stats.auc_difference(label, ours, theirs).error == pytest.approx(expected, rel=0.11)  # 3/√(2·400)


def test_clustered_delong_error_agrees_with_the_bootstrap_of_clusters() -> None:
    """Summing influences per cluster sees what resampling whole clusters sees, and rows alone do not."""
    label, ours, theirs, cluster = scored(4, 4000, 60, 3.0)
    expected = bootstrap_error(label, ours, theirs, cluster)
    assert stats.auc_difference(label, ours, theirs, cluster).error == pytest.approx(expected, rel=0.15)
    assert stats.auc_difference(label, ours, theirs).error < expected / 2


def test_clustered_delong_with_single_rows_is_delong() -> None:
    """When every row is its own cluster the two errors agree to one part in the number of rows of a class."""
    label, ours, theirs, _ = scored(5, 1000, 10, 0)
    plain, own = (stats.auc_difference(label, ours, theirs, c) for c in (None, np.arange(1000)))
    assert own.error == pytest.approx(plain.error, rel=2 / min(label.sum(), 1000 - label.sum()))


@FIXED
@given(st.integers(0, 10_000))
def test_auc_difference_sees_ranks_only_and_changes_sign_with_its_arguments(seed: int) -> None:
    """A monotone transformation changes nothing; swapping the models changes the sign and keeps the error."""
    label, ours, theirs, cluster = scored(seed, 60, 6, 0.5)
    label[:4] = [0, 1, 0, 1]
    found = stats.auc_difference(label, ours, theirs, cluster)
    assert stats.auc_difference(label, np.exp(ours / 4), theirs, cluster) == pytest.approx(found)
    swapped = stats.auc_difference(label, theirs, ours, cluster)
    assert swapped.value == pytest.approx(-found.value)
    assert swapped.error == pytest.approx(found.error)
    assert stats.auc_difference(label, ours, ours, cluster)[:2] == (0, 0)


def test_auc_of_one_class_is_refused() -> None:
    """Without two rows of each class there is no AUC."""
    with pytest.raises(ValueError, match="two rows of each class"):
        stats.auc_difference(np.array([0, 0, 0, 1]), np.arange(4.0), np.arange(4.0))


def test_log_loss_is_minus_the_log_of_what_happened() -> None:
    """Half a chance costs ln 2, certainty nothing, an impossible event much but not infinitely much."""
    found = stats.log_loss(np.array([1, 0, 1, 1]), np.array([0.5, 0.5, 1.0, 0.0]))
    assert found[:3] == pytest.approx([np.log(2), np.log(2), 0])
    assert 80 < found[3] < 100


@FIXED
@given(hnp.arrays(np.float64, 12, elements=st.floats(0.01, 0.99), fill=st.nothing()))
def test_two_classes_cost_the_same_in_both_notations(chance: Array) -> None:
    """A column of chances and a matrix of two columns give the same log-loss."""
    label = np.arange(12) % 2
    assert stats.log_loss(label, chance) == pytest.approx(stats.log_loss(label, np.stack([1 - chance, chance], axis=1)))


def drawn(true: float, error: float, margin: float) -> float:
    """The share of 20,000 estimates around `true` that are shown within the margin."""
    values = np.random.default_rng(6).normal(true, error, 20_000)
    return float(np.mean([stats.compare(Estimate(value, error), margin).shown_within for value in values[:4000]]))


def test_a_candidate_worse_by_the_margin_passes_one_time_in_twenty() -> None:
    """Non-inferiority keeps its promise at the margin."""
    assert drawn(0.01, 0.003, 0.01) == pytest.approx(stats.ALPHA, abs=0.011)  # 3 standard deviations of 4,000 draws


def test_an_equal_candidate_passes_nine_times_in_ten_at_the_smallest_detectable_effect() -> None:
    """The smallest detectable effect is the margin at which an equal candidate has the promised power."""
    margin = stats.compare(Estimate(0.0, 0.003), 0.01).smallest_detectable_effect
    assert drawn(0.0, 0.003, margin) == pytest.approx(stats.POWER, abs=0.015)


@FIXED
@given(st.floats(-1, 1), st.floats(1e-6, 1), st.floats(1e-3, 1))
def test_a_comparison_says_the_same_in_both_directions(value: float, error: float, margin: float) -> None:
    """Turning the sign of estimate and margin, and which side is better, changes no verdict."""
    less, more = (
        stats.compare(Estimate(value, error), margin),
        stats.compare(Estimate(-value, error), -margin, higher_is_better=True),
    )
    said = [(c.shown_within, c.shown_beyond, c.shown_better, c.powerful) for c in (less, more)]
    assert said[0] == said[1]
    assert not (less.shown_within and less.shown_beyond)


def test_few_clusters_need_a_wider_interval() -> None:
    """An error learnt from two clusters is trusted less than the same error learnt from many."""
    wide, narrow = (stats.compare(Estimate(0, 1, freedom), 1).interval[1] for freedom in (1, np.inf))
    assert wide == pytest.approx(6.314, abs=1e-3)  # Student's t, 95 %, one degree of freedom
    assert narrow == pytest.approx(1.645, abs=1e-3)


def noisy(seed: int, calls: int = 1000) -> tuple[Array, Array]:
    """Latencies of two interleaved calls to the same thing, on a machine whose speed wanders."""
    random = np.random.default_rng(seed)
    machine = np.exp(np.cumsum(random.normal(scale=0.02, size=calls)))
    return machine * random.lognormal(0, 0.1, calls), machine * random.lognormal(0, 0.1, calls)


def test_a_series_times_1_1_has_the_ratio_1_1() -> None:
    """A constant factor is found exactly, without any width."""
    times, _ = noisy(0)
    ratio, interval = stats.latency_ratio(times * 1.1, times)
    assert [ratio, *interval] == pytest.approx([1.1, 1.1, 1.1])


def test_latency_ratio_sees_ten_per_cent_on_a_wandering_machine_and_nothing_where_there_is_nothing() -> None:
    """Of 50 pairs of equal series none is above 1.05 for sure; of 50 that are 10 % slower all are."""
    equal = [stats.latency_ratio(*noisy(seed), resamples=200)[1][0] for seed in range(50)]
    slower = [stats.latency_ratio(a * 1.1, b, resamples=200)[1][0] for a, b in map(noisy, range(50))]
    assert max(equal) <= 1.05
    assert min(slower) > 1.05


@FIXED
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_latency_ratio_has_no_unit(seed: int, factor: float) -> None:
    """Milliseconds or nanoseconds: the ratio and its interval are the same; the median follows the unit."""
    ours, theirs = noisy(seed, 100)
    plain, scaled = (stats.latency_ratio(ours * f, theirs * f, resamples=50) for f in (1, factor))
    assert [scaled[0], *scaled[1]] == pytest.approx([plain[0], *plain[1]])
    assert stats.latency_median(ours * factor)[0] == pytest.approx(factor * stats.latency_median(ours)[0])


def test_one_block_is_refused() -> None:
    """A single block has no visible spread."""
    with pytest.raises(ValueError, match="two blocks"):
        stats.latency_ratio(np.ones(49), np.ones(49))
