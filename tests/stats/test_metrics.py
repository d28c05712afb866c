"""What a model is scored by: against hand-made cases and scikit-learn, and by the laws of a difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fledge import stats
from fledge.stats import Array, metrics

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=100)


def test_log_loss_is_minus_the_log_of_what_happened() -> None:
    """Half a chance costs ln 2, certainty nothing, an impossible event much but not infinitely much."""
    found = metrics.log_loss(np.array([1, 0, 1, 1]), np.array([0.5, 0.5, 1.0, 0.0]))
    assert found[:3] == pytest.approx([np.log(2), np.log(2), 0])
    assert 80 < found[3] < 100


@FIXED
@given(hnp.arrays(np.float64, 12, elements=st.floats(0.01, 0.99), fill=st.nothing()))
def test_two_classes_cost_the_same_in_both_notations(chance: Array) -> None:
    """A column of chances and a matrix of two columns give the same log-loss."""
    label = np.arange(12) % 2
    assert metrics.log_loss(label, chance) == pytest.approx(
        metrics.log_loss(label, np.stack([1 - chance, chance], axis=1))
    )


LABEL, CLUSTER = np.arange(600) % 2, np.arange(600) % 12
METRICS = ["auc", "accuracy", "log_loss", "brier", "squared_error", "absolute_error"]


def chances(seed: int) -> Array:
    """Chances that know something of LABEL."""
    return np.random.default_rng(seed).beta(2 + LABEL, 3 - LABEL)


@FIXED
@given(st.sampled_from(METRICS), st.integers(0, 10_000), st.integers(0, 10_000))
def test_swapping_the_models_turns_the_sign(metric: str, one: int, other: int) -> None:
    """A − B is −(B − A), error and all, once a loss is counted in its own unit again."""
    ours, theirs = chances(one), chances(other)
    there, back = (metrics.difference(metric, LABEL, *pair, CLUSTER) for pair in ((ours, theirs), (theirs, ours)))
    if metric in metrics.LOSSES:
        there = there.scaled(float(metrics.LOSSES[metric](LABEL, theirs).mean()))
        back = back.scaled(float(metrics.LOSSES[metric](LABEL, ours).mean()))
    assert there == pytest.approx(back.scaled(-1), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_does_not_differ_from_itself(metric: str) -> None:
    """The same answers on the same rows differ by nothing, with no error."""
    assert metrics.difference(metric, LABEL, chances(0), chances(0), CLUSTER)[:2] == (0, 0)


@pytest.mark.parametrize("metric", METRICS)
def test_a_worse_model_differs_for_the_worse(metric: str) -> None:
    """Answers of which two in ten are turned round lose AUC and accuracy, and gain loss."""
    ours = np.where(np.arange(600) % 10 < 2, 1 - chances(0), chances(0))
    found = metrics.difference(metric, LABEL, ours, chances(0), CLUSTER).value
    assert found < -0.01 if metric in metrics.HIGHER_IS_BETTER else found > 0.01


def test_accuracy_is_the_share_of_discordant_rows() -> None:
    """(c − b)/n with McNemar's error √(b + c − (b − c)²/n)/n, where rows are independent; `threshold` decides."""
    ours, theirs = chances(1), chances(2)
    right, before = ((score >= 0.4) == LABEL for score in (ours, theirs))
    b, c, n = (~right & before).sum(), (right & ~before).sum(), len(LABEL)
    found = metrics.difference("accuracy", LABEL, ours, theirs, np.arange(n), threshold=0.4)
    assert found.value == pytest.approx((c - b) / n)
    assert found.error == pytest.approx(np.sqrt(b + c - (b - c) ** 2 / n) / n, rel=1 / n)


def test_of_many_classes_the_likeliest_decides() -> None:
    """A matrix of chances is right where its largest column is the label."""
    assert metrics.correct(np.array([0, 2]), np.array([[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]])).tolist() == [True, False]


def test_nothing_is_a_share_of_no_loss() -> None:
    """A champion without any loss cannot be compared with in shares of it, and the line says so."""
    with pytest.raises(ValueError, match="the champion's squared_error is 0 in every row"):
        metrics.difference("squared_error", LABEL, chances(0), LABEL, CLUSTER)


def test_a_loss_is_compared_in_shares_of_the_champions() -> None:
    """Twice the error is a difference of one champion's loss, in any unit of the label."""
    label, theirs = np.arange(20.0), np.arange(20.0) + 3
    found = [
        metrics.difference("absolute_error", k * label, k * (label + 6), k * theirs, CLUSTER[:20]) for k in (1, 60)
    ]
    assert [one.value for one in found] == pytest.approx([1, 1])
    assert stats.compare(found[0], 0.02).shown_beyond
