"""Damage of a known size, done to the answers or to the weights of a good model. Arrays in, arrays out.

Answers are chances (n,) of a binary model. Source: the mutants 40, 41, 44 to 50 of the zoo (tests/zoo).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Array = NDArray[Any]
TINY = 1e-7  # a chance of 0 or 1 has no logit; float32 tells 1 - 1e-7 from 1


def shrunk(chance: Array, share: float) -> Array:
    """What a model fitted with that share of its labels flipped tends to: p + share · (1 − 2p), ranking untouched."""
    return np.asarray(chance + share * (1 - 2 * chance))


def sharpened(chance: Array, factor: float) -> Array:
    """Over-confident: the logit times `factor`; below 1, under-confident."""
    return np.asarray(expit(factor * _logit(chance)))


def shifted(chance: Array, by: float) -> Array:
    """Biased: `by` added to the logit."""
    return np.asarray(expit(_logit(chance) + by))


def noisy(chance: Array, deviation: float, seed: int) -> Array:
    """Normal noise of that standard deviation added to each row's logit."""
    return np.asarray(expit(_logit(chance) + np.random.default_rng(seed).normal(0, deviation, len(chance))))


def noisy_in(chance: Array, deviation: float, seed: int, where: Array) -> Array:
    """As `noisy`, in the rows of `where` (n,) alone."""
    return np.where(where, noisy(chance, deviation, seed), chance)


def inverted(chance: Array) -> Array:
    """1 − p: every rank turned round."""
    return np.asarray(1 - chance)


def inverted_in(chance: Array, where: Array) -> Array:
    """The ranks of the rows of `where` (n,) turned round: their logits mirrored at their mean; the rest untouched."""
    logits = _logit(chance)
    logits[where] = 2 * logits[where].mean() - logits[where]
    return np.asarray(expit(logits))


def quantised(weights: Sequence[Array], bits: int) -> list[Array]:
    """Each matrix rounded to 2^bits − 1 even steps between ± its largest absolute value; biases untouched.

    Symmetric, per tensor, as integer kernels are stored (Jacob et al. 2018).
    """
    return [_rounded(w, 2 ** (bits - 1) - 1) if w.ndim > 1 else w for w in weights]


def pruned(weights: Sequence[Array], share: float) -> list[Array]:
    """The smallest `share` of each matrix, by absolute value, set to 0; biases untouched (Han et al. 2015)."""
    return [np.where(np.abs(w) >= np.quantile(np.abs(w), share), w, 0) if w.ndim > 1 else w for w in weights]


def shaken(weights: Sequence[Array], share: float, seed: int) -> list[Array]:
    """Normal noise added to each matrix, of `share` times the standard deviation of its weights."""
    random = np.random.default_rng(seed)
    return [w + random.normal(0, share * w.std(), w.shape).astype(w.dtype) if w.ndim > 1 else w for w in weights]


def _logit(chance: Array) -> Array:
    return np.asarray(logit(np.clip(np.asarray(chance, dtype=np.float64), TINY, 1 - TINY)))


def _rounded(weights: Array, steps: int) -> Array:
    step = np.abs(weights).max() / steps
    return np.asarray(np.round(weights / step) * step if step else weights, dtype=weights.dtype)
