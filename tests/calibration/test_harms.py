"""Tests of fledge.calibration.harms: damage is of the size that its name says."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import spearmanr

from fledge.calibration import harms

CHANCE = np.random.default_rng(0).uniform(0.01, 0.99, 2000)
WEIGHTS = [np.random.default_rng(1).normal(size=(40, 30)).astype("float32"), np.arange(30, dtype="float32")]


def test_flipped_labels_shrink_towards_a_half() -> None:
    """A share f of flipped labels leaves 1 − 2f of each chance's distance from a half."""
    assert np.allclose(harms.shrunk(CHANCE, 0.1) - 0.5, 0.8 * (CHANCE - 0.5))


def test_logits_are_multiplied_and_moved() -> None:
    """Over-confidence multiplies the logit, bias adds to it, and neither changes a rank."""
    assert np.allclose(logit(harms.sharpened(CHANCE, 2.0)), 2 * logit(CHANCE))
    assert np.allclose(logit(harms.shifted(CHANCE, 0.2)), logit(CHANCE) + 0.2)


def test_noise_has_the_deviation_that_was_asked_and_repeats_itself() -> None:
    """The noise on the logit has its standard deviation, and the same seed gives the same noise."""
    moved = logit(harms.noisy(CHANCE, 0.5, seed=3)) - logit(CHANCE)
    assert moved.std() == pytest.approx(0.5, rel=0.05)
    assert np.array_equal(harms.noisy(CHANCE, 0.5, seed=3), harms.noisy(CHANCE, 0.5, seed=3))


def test_inverting_a_segment_touches_it_alone() -> None:
    """In the segment every rank is turned round and the mean logit kept; outside nothing changes."""
    where = np.arange(len(CHANCE)) % 5 == 0
    harmed = harms.inverted_in(CHANCE, where)
    assert np.allclose(harmed[~where], CHANCE[~where])
    assert spearmanr(harmed[where], CHANCE[where])[0] == pytest.approx(-1)
    assert logit(harmed[where]).mean() == pytest.approx(logit(CHANCE[where]).mean())


def test_noise_in_a_segment_touches_it_alone() -> None:
    """In the segment the noise is that of all rows, outside nothing changes."""
    where = np.arange(len(CHANCE)) % 5 == 0
    harmed = harms.noisy_in(CHANCE, 0.5, 3, where)
    assert np.array_equal(harmed[where], harms.noisy(CHANCE, 0.5, 3)[where])
    assert np.array_equal(harmed[~where], CHANCE[~where])


def test_inverting_turns_all_round() -> None:
    """Inverted chances are one minus what they were."""
    assert np.allclose(harms.inverted(CHANCE) + CHANCE, 1)


def test_chances_of_zero_and_one_stay_finite() -> None:
    """A chance of exactly 0 or 1 is damaged like its neighbour, not to NaN."""
    assert np.isfinite(harms.sharpened(np.array([0.0, 1.0]), 2.0)).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_matrices_have_few_values(bits: int) -> None:
    """A matrix at b bits has at most 2^b − 1 values, no weight moves by more than half a step, and biases stay."""
    matrix, bias = harms.quantised(WEIGHTS, bits)
    step = np.abs(WEIGHTS[0]).max() / (2 ** (bits - 1) - 1)
    assert len(np.unique(matrix)) <= 2**bits - 1
    assert np.abs(matrix - WEIGHTS[0]).max() <= step / 2 * 1.001
    assert np.array_equal(bias, WEIGHTS[1])


def test_pruning_takes_the_smallest() -> None:
    """At 30 % the 30 % of weights nearest to zero are zero, all others as they were."""
    matrix, bias = harms.pruned(WEIGHTS, 0.3)
    gone = matrix == 0
    assert gone.mean() == pytest.approx(0.3, abs=0.01)
    assert np.abs(WEIGHTS[0][gone]).max() < np.abs(WEIGHTS[0][~gone]).min()
    assert np.array_equal(matrix[~gone], WEIGHTS[0][~gone])
    assert np.array_equal(bias, WEIGHTS[1])


def test_shaken_weights_move_by_a_share_of_their_spread() -> None:
    """Noise of 10 % has a tenth of the standard deviation of the matrix, in its dtype."""
    matrix, bias = harms.shaken(WEIGHTS, 0.1, seed=1)
    assert (matrix - WEIGHTS[0]).std() == pytest.approx(0.1 * WEIGHTS[0].std(), rel=0.1)
    assert matrix.dtype == np.float32
    assert np.array_equal(bias, WEIGHTS[1])


def test_a_matrix_of_zeros_is_left() -> None:
    """Nothing is divided by zero where a matrix holds nothing."""
    assert not harms.quantised([np.zeros((2, 2))], 4)[0].any()
