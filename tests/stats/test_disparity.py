"""How far apart groups are treated: hand-made cases, errors by simulation, and the laws of gaps and ratios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.stats import Array, disparity
from fledge.stats.disparity import Groups, Measure

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=30)
MEASURES: list[Measure] = ["selection_rate_ratio", "equalised_odds_gap", "accuracy_gap", "error_gap"]
# Two groups of ten rows: of the first 4 of 5 positives and 1 of 5 negatives get a yes, of the second 2 of 5 and 2 of 5.
BY_HAND = Groups(np.tile(np.repeat([1, 0], 5), 2), np.repeat([0, 1], 10), np.tile(np.arange(5), 4))
SCORE = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0], dtype=float)


def drawn(seed: int, rows: int = 1200, clusters: int = 40) -> tuple[Groups, Array, Array]:
    """Three groups in clusters that share a shock, with two scores that know something."""
    random = np.random.default_rng(seed)
    cluster, group = np.arange(rows) % clusters, np.arange(rows) // clusters % 3
    truth = random.normal(size=rows) + 0.6 * random.normal(size=clusters)[cluster] + 0.5 * group
    label = (random.uniform(size=rows) < 1 / (1 + np.exp(-truth))).astype(int)
    ours, theirs = (1 / (1 + np.exp(-truth - 0.5 * random.normal(size=rows))) for _ in range(2))
    return Groups(label, group, cluster), ours, theirs


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("selection_rate_ratio", 0.4 / 0.5),
        ("equalised_odds_gap", 0.8 - 0.4),
        ("accuracy_gap", 0.8 - 0.5),
        ("error_gap", (0.5 - 0.2) / 0.35),
    ],
)
def test_each_measure_is_what_its_definition_says(measure: Measure, expected: float) -> None:
    """By hand: rates of yes 5 and 4 of 10, true positives 4 and 2 of 5, false positives 1 and 2 of 5, right 8 and 5 of 10."""
    assert disparity.apart(measure, BY_HAND, SCORE).value == pytest.approx(expected)


def test_the_rates_are_those_of_each_group() -> None:
    """What the views show beside a gap: each group's rates."""
    assert disparity.rates("equalised_odds_gap", BY_HAND, SCORE) == {
        "true_positive_rate": [0.8, 0.4],
        "false_positive_rate": [0.2, 0.4],
    }


@FIXED
@given(st.sampled_from(MEASURES), st.integers(0, 1000))
def test_swapping_the_models_turns_the_sign(measure: Measure, seed: int) -> None:
    """Both models meet the same resampled clusters, so the error stays."""
    groups, ours, theirs = drawn(seed, 300, 20)
    there, back = (
        disparity.further_apart(measure, groups, ours, theirs),
        disparity.further_apart(measure, groups, theirs, ours),
    )
    assert there == pytest.approx(back.scaled(-1))
    assert disparity.further_apart(measure, groups, ours, ours)[:2] == (0, 0)


@FIXED
@given(st.sampled_from(MEASURES), st.integers(0, 1000))
def test_the_names_of_groups_and_clusters_do_not_matter(measure: Measure, seed: int) -> None:
    """Renumbering groups changes nothing; gaps are at least 0 and ratios at most 1."""
    groups, ours, _ = drawn(seed, 300, 20)
    found = disparity.apart(measure, groups, ours)
    assert disparity.apart(measure, groups._replace(group=2 - groups.group), ours) == pytest.approx(found)
    assert 0 <= found.value <= (1 if measure == "selection_rate_ratio" else 5)


@pytest.mark.parametrize("measure", MEASURES)
def test_groups_that_are_treated_alike_are_not_apart(measure: Measure) -> None:
    """The same rows in both groups: the gap is 0, the ratio 1."""
    label, score, cluster = np.tile([1, 0, 1], 20), np.tile([1.0, 0.0, 0.0], 20), np.repeat(np.arange(10), 6)
    group = np.tile(np.repeat([0, 1], 3), 10)
    alike = 1.0 if measure == "selection_rate_ratio" else 0.0
    assert disparity.apart(measure, Groups(label, group, cluster), score)[:2] == pytest.approx((alike, 0))


def test_where_nobody_gets_a_yes_all_are_treated_alike() -> None:
    """No yes at all is a ratio of 1, not of nothing to nothing; and no error at all is no gap."""
    assert disparity.apart("selection_rate_ratio", BY_HAND, np.zeros(20)).value == 1
    assert disparity.apart("error_gap", BY_HAND, BY_HAND.label).value == 0


@pytest.mark.parametrize("measure", ["accuracy_gap", "equalised_odds_gap"])
def test_the_paired_error_is_the_spread_over_samples(measure: Measure) -> None:
    """Over 300 samples the difference of two equal models spreads as much as the bootstrap of each says, on average."""
    found = [disparity.further_apart(measure, *drawn(seed)) for seed in range(300)]
    spread = np.std([one.value for one in found])
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(spread, rel=0.15)


def test_clusters_beyond_so_many_are_bundled_with_the_same_error() -> None:
    """Rows in clusters of their own have the error of 500 bundles of them: that of single rows."""
    random = np.random.default_rng(9)
    label, group = random.integers(0, 2, 6000), np.arange(6000) % 2
    score = np.where(random.uniform(size=6000) < 0.7, label, 1 - label).astype(float)
    found = disparity.apart("accuracy_gap", Groups(label, group, np.arange(6000)), score)
    shares = [np.mean((score == label)[group == one]) for one in (0, 1)]
    assert found.error == pytest.approx(np.sqrt(sum(p * (1 - p) / 3000 for p in shares)), rel=0.15)
    assert found.freedom == 499


def test_one_group_or_one_cluster_is_refused() -> None:
    """Nothing is apart from itself, and one cluster has no visible spread."""
    for wrong in (BY_HAND._replace(group=np.zeros(20, int)), BY_HAND._replace(cluster=np.zeros(20, int))):
        with pytest.raises(ValueError, match="two clusters or more, and two groups or more"):
            disparity.apart("accuracy_gap", wrong, SCORE)
