"""The judge's rule: E-values of a canary's failed requests. Pure; counts in, verdict out.

If the canary gets the share w of the requests and fails ρ times as often as the stable release, a failure is the
canary's with probability q(ρ) = ρw / (ρw + 1 − w), whatever the error rate or the time of day. An E-value is a
likelihood ratio against a null hypothesis, averaged over alternatives; by Ville's inequality it ever exceeds 1/α with
probability at most α while the null holds, however often one looks (Lindon & Malek 2022, "Anytime-valid inference for
multinomial count data"; Howard et al. 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

WORSE = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)  # alternatives to "no worse"
SAFE = (0.5, 1.0, 1.5)  # alternatives to "TOLERATED times worse"
TOLERATED = 3.0
CLEAN = (0.0, 0.1, 1 / 3)  # alternatives to the error ratio p0, in parts of p0
ABORT, PASS, DOUBT = 100.0, 20.0, 10.0  # 1/α for α = 1 %, 1/β for β = 5 %, and no passing with this much suspicion
_LARGEST = 690.0  # exp of it is still a finite number


@dataclass(frozen=True)
class Counts:
    """Requests that ended, and how many of them badly."""

    requests: int = 0
    bad: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.requests + other.requests, self.bad + other.bad)

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(self.requests - other.requests, self.bad - other.bad)


@dataclass(frozen=True)
class Step:
    """What both releases did while the canary's share of the requests was `share`, in (0, 1]."""

    share: float
    canary: Counts
    stable: Counts


@dataclass(frozen=True)
class Judgement:
    """The verdict on a canary, with the evidence that it rests on."""

    verdict: Literal["pass", "fail", "inconclusive"]
    e_worse: float
    e_safe: float
    e_clean: float
    canary: Counts
    stable: Counts
    reason: str


def e_worse(canary_bad: ArrayLike, stable_bad: ArrayLike, share: ArrayLike) -> Floats:
    """Evidence against "the canary fails no more often than stable", from cumulative failures; arrays broadcast.

    A share of 1 leaves nothing to compare with, so there the E-value is 1. Values end at 10^299, to stay finite.
    """
    return _finite(_log_e(canary_bad, stable_bad, share, null=1.0, alternatives=WORSE))


def e_safe(canary_bad: ArrayLike, stable_bad: ArrayLike, share: ArrayLike) -> Floats:
    """Evidence against "the canary fails at least TOLERATED times as often as stable", as `e_worse`."""
    return _finite(_log_e(canary_bad, stable_bad, share, null=TOLERATED, alternatives=SAFE))


def e_clean(requests: ArrayLike, bad: ArrayLike, error_ratio: float) -> Floats:
    """Evidence against "the canary fails in at least `error_ratio`, in (0, 1), of its requests"."""
    n, x = _last_axis(requests), _last_axis(bad)
    # Not 0 but next to it: 0 · log 0 would not be a number.
    p = np.maximum(np.multiply(CLEAN, error_ratio), np.finfo(float).tiny)
    return _finite(_log_mean(x * np.log(p / error_ratio) + (n - x) * (np.log1p(-p) - np.log1p(-error_ratio))))


def judge(steps: Sequence[Step], error_ratio: float, canary: Counts | None = None) -> Judgement:
    """The whole rule. E-values of the steps multiply, each with its own share; E_clean counts over all of them.

    The last step is the current one. `canary` are the canary's counts over all steps, where the steps together do not
    cover everything that it answered. No request in the current step is inconclusive, never pass and never fail.
    """
    totals = canary or sum((s.canary for s in steps), Counts())
    stable = sum((s.stable for s in steps), Counts())
    bad = [(s.canary.bad, s.stable.bad, s.share) for s in steps]
    worse = float(_finite(np.sum([_log_e(*b, null=1.0, alternatives=WORSE) for b in bad])))
    safe = float(_finite(np.sum([_log_e(*b, null=TOLERATED, alternatives=SAFE) for b in bad])))
    clean = float(e_clean(totals.requests, totals.bad, error_ratio))

    def verdict(word: Literal["pass", "fail", "inconclusive"], why: str) -> Judgement:
        seen = f"canary {totals.bad} bad of {totals.requests}, stable {stable.bad} bad of {stable.requests}"
        return Judgement(word, worse, safe, clean, totals, stable, f"{why}; {seen}")

    if not steps or not steps[-1].canary.requests:
        return verdict("inconclusive", "no request reached the canary in this step")
    if worse >= ABORT:
        return verdict("fail", f"worse than stable: e_worse {worse:.3g} ≥ {ABORT:g}")
    if safe >= PASS:
        return verdict("pass", f"less than {TOLERATED:g} times as bad as stable: e_safe {safe:.3g} ≥ {PASS:g}")
    if clean >= PASS and worse < DOUBT:
        return verdict("pass", f"cleaner than {error_ratio:g}: e_clean {clean:.3g} ≥ {PASS:g}, e_worse {worse:.3g}")
    return verdict("inconclusive", f"not enough evidence: e_worse {worse:.3g}, e_safe {safe:.3g}, e_clean {clean:.3g}")


def _last_axis(values: ArrayLike) -> Floats:
    return np.asarray(values, float)[..., None]


def _log_e(
    canary_bad: ArrayLike, stable_bad: ArrayLike, share: ArrayLike, null: float, alternatives: Sequence[float]
) -> Floats:
    x, y, w = _last_axis(canary_bad), _last_axis(stable_bad), _last_axis(share)
    ratios = np.asarray(alternatives)
    # q(ρ)/q(null) is ρ/null · wholes, (1 − q(ρ))/(1 − q(null)) is wholes alone.
    wholes = (null * w + 1 - w) / (ratios * w + 1 - w)
    return _log_mean(x * np.log(ratios / null) + (x + np.where(w < 1, y, 0)) * np.log(wholes))


def _log_mean(logs: Floats) -> Floats:
    mean: Floats = np.logaddexp.reduce(logs, axis=-1) - np.log(logs.shape[-1])
    return mean


def _finite(logs: Floats) -> Floats:
    return np.exp(np.minimum(logs, _LARGEST))
