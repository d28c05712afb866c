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


@pytest.mark.parametrize("better", [False, True])
def test_harm_of_the_smallest_detectable_effect_is_shown_nine_times_in_ten(better: bool) -> None:
    """With the burden on the gate it is the harm that blocks as often, and lies beyond the margin, not at it."""
    margin, sign = 0.02, -1 if better else 1
    least = stats.shown(Estimate(0.0, 0.003), sign * margin, higher_is_better=better).smallest_detectable_effect
    assert least > margin
    values = np.random.default_rng(6).normal(sign * least, 0.003, 4000)
    beyond = [stats.shown(Estimate(v, 0.003), sign * margin, higher_is_better=better).shown_beyond for v in values]
    assert np.mean(beyond) == pytest.approx(stats.POWER, abs=0.015)  # 3 standard deviations of 4,000 draws


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


def test_the_smallest_detectable_effect_counts_what_retraining_moves() -> None:
    """Above the rows' own error √2·sigma_seed takes its second place; below it nothing changes."""
    estimate, t, power = Estimate(0.0, 0.002), 1.644854, 1.281552  # the normal's 95 % and 90 %
    assert stats.detectable(estimate) == pytest.approx(0.002 * (t + power))
    assert stats.detectable(estimate, sigma_seed=0.0001) == stats.detectable(estimate)
    assert stats.detectable(estimate, sigma_seed=0.01) == pytest.approx(0.002 * t + 0.01 * np.sqrt(2) * power)


@FIXED
@given(st.floats(1e-4, 0.1), st.floats(1e-3, 0.1), st.floats(0, 0.05), st.sampled_from([0.05, 0.01]))
def test_the_rows_that_a_remedy_names_would_do(error: float, margin: float, sigma: float, alpha: float) -> None:
    """With so many rows the smallest detectable effect is the margin; where no number would do, it is not below it."""
    rows = stats.needed_rows(Estimate(0, error), margin, 1000, alpha, sigma)
    shrunk = 0.0 if np.isinf(rows) else error * np.sqrt(1000 / rows)
    found = stats.detectable(Estimate(0, shrunk), alpha, sigma)
    assert found == pytest.approx(margin) or (np.isinf(rows) and found >= margin)


@FIXED
@given(st.floats(1e-4, 0.1), st.floats(1e-3, 0.1), st.sampled_from([0.05, 0.01]))
def test_the_sigma_that_a_remedy_names_would_do(error: float, margin: float, alpha: float) -> None:
    """With that sigma_seed the smallest detectable effect is the margin; 0 where the rows alone show too little."""
    sigma = stats.needed_sigma(Estimate(0, error), margin, alpha)
    found = stats.detectable(Estimate(0, error), alpha, sigma)
    assert found == pytest.approx(margin) if sigma else found > margin


@FIXED
@given(st.floats(-1, 1), st.floats(1e-3, 1), st.floats(0, 1), st.floats(3, 100))
def test_harm_is_shown_where_its_p_is_below_alpha(value: float, error: float, margin: float, freedom: float) -> None:
    """p < α says the same as an interval that lies wholly beyond the margin, in either direction."""
    estimate = Estimate(value, error, freedom)
    p = stats.p_harmed(estimate, margin)
    assert (p < 0.01) == stats.compare(estimate, margin, alpha=0.01).shown_beyond
    assert stats.p_harmed(estimate.scaled(-1), -margin, higher_is_better=True) == pytest.approx(p)


def test_without_an_error_the_margin_decides_alone() -> None:
    """Harm of an estimate without error is certain beyond the margin, and impossible within."""
    assert [stats.p_harmed(Estimate(value, 0.0), 0.01) for value in (0.0, 0.01, 0.02)] == [1, 1, 0]


P_VALUES = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1), fill=st.nothing())


@FIXED
@given(P_VALUES)
def test_holm_only_raises_keeps_the_order_and_is_at_most_bonferroni(p: Array) -> None:
    """Adjusted p-values lie between p and m·p, in p's order, at most 1."""
    found = stats.holm(p)
    assert (found >= p).all()
    assert (found <= np.minimum(p * len(p), 1) + 1e-12).all()
    assert (np.diff(found[np.argsort(p)]) >= 0).all()


def test_holm_is_the_step_down_of_its_paper() -> None:
    """The smallest of four is held against α/4, the next against α/3, and none is adjusted below one before it."""
    assert stats.holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    """Of 2,000 families of 20 true hypotheses at most 5 % raise an alarm at 0.05; uncorrected, most would."""
    families = np.random.default_rng(8).uniform(size=(2000, 20))
    alarms = np.mean([stats.holm(p).min() <= 0.05 for p in families])
    assert alarms == pytest.approx(0.05, abs=0.015)  # 3 standard deviations
    assert (families.min(axis=1) <= 0.05).mean() > 0.6


@FIXED
@given(P_VALUES)
def test_false_discovery_is_scipys(p: Array) -> None:
    """Benjamini and Hochberg's adjustment agrees with scipy.stats, which costs too much to import."""
    assert stats.false_discovery(p) == pytest.approx(scipy_stats.false_discovery_control(p))


@FIXED
@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.05, 0.005]))
def test_exact_shares_are_scipys(found: int, more: int, alpha: float) -> None:
    """Clopper and Pearson's interval agrees with scipy.stats."""
    exact = scipy_stats.binomtest(found, found + more).proportion_ci(1 - 2 * alpha, "exact")
    assert stats.exact_share(found, found + more, alpha) == pytest.approx((exact.low, exact.high))


def test_a_loss_is_shown_where_it_is_sure_and_its_best_estimate_is_too_large() -> None:
    """Worse than 0 for sure and beyond the margin by the estimate: both are needed, in either direction."""
    for value, error, shown in [(0.02, 0.005, True), (0.02, 0.02, False), (0.009, 0.001, False)]:
        assert stats.compare(Estimate(value, error), 0.01).shown_worse is shown
        assert stats.compare(Estimate(-value, error), -0.01, higher_is_better=True).shown_worse is shown


def test_clusters_are_numbered_whatever_names_them() -> None:
    """Names, dates and far numbers become small numbers; small numbers stay what they are."""
    days = np.array(["2013-07-02", "2013-07-01", "2013-07-02"], "datetime64[D]")
    for names in (days, np.array(["b", None, "b"], object), np.array([9e9, -1, 9e9])):
        first, second, third = stats.clusters(names)[0].tolist()
        assert (first == third, first != second, stats.clusters(names)[1]) == (True, True, 2)
    assert stats.clusters(np.array([2, 0, 2]))[0].tolist() == [2, 0, 2]
    values, sparse = np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2])
    assert stats.clustered_mean(values, sparse) == stats.clustered_mean(values, days)


def test_auc_of_a_class_that_one_cluster_holds_is_refused() -> None:
    """Within one cluster a class's influences sum to 0, so its luck would be taken for certainty."""
    label = np.array([1, 1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="AUC needs two clusters of each class"):
        stats.auc_difference(label, np.arange(6.0), np.arange(6.0)[::-1], np.array([0, 0, 0, 1, 2, 3]))


def test_auc_learns_its_error_from_the_class_in_fewer_clusters() -> None:
    """Positives of 3 of 30 clusters leave 2 degrees of freedom; with them equal models are seldom called harmed."""
    random, false = np.random.default_rng(0), 0
    cluster = np.repeat(np.arange(30), 20)
    label = np.zeros(600, int)
    label[:60:2] = 1
    for _ in range(300):
        ours, theirs = (random.normal(size=600) + random.normal(size=30)[cluster] + label for _ in range(2))
        found = stats.auc_difference(label, ours, theirs, cluster)
        assert found.freedom == 2
        false += stats.p_harmed(found, 0.0, higher_is_better=True) < 0.01
    assert scipy_stats.binomtest(false, 300, 0.01, "greater").pvalue > 1e-3


@FIXED
@given(hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1)), st.integers(1, 4), st.floats(0, 1))
def test_a_test_that_was_counted_and_is_then_made_takes_no_shown_harm_away(p: Array, spare: int, late: float) -> None:
    """Holm over tests of which some were not made (p 1): whatever one of them says later, what was shown stays shown."""
    before = stats.holm(np.append(p, np.ones(spare)))[: len(p)]
    after = stats.holm(np.concatenate([p, [late], np.ones(spare - 1)]))[: len(p)]
    assert np.all(after[before <= 0.01] <= 0.01)


def test_clusters_are_counted_whatever_names_them() -> None:
    """Numbers with gaps, words and None: as many as there are."""
    for names, count in (([5, 5, 0, 0], 2), ([0, 0, 1], 2), (["a", None, "a"], 2), ([7], 1)):
        assert stats.distinct(np.array(names)) == count
