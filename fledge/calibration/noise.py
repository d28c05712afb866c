"""How much a metric moves for no reason: from seed to seed, and from one draw of the rows to the next.

A margin has to let two things pass: that two trainings of one recipe differ, by √2·sigma_seed, and that rows show a
difference only so sharply, by their paired error. `Noise.least` is the sum of the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

import numpy as np
from scipy import stats as distributions

from fledge.problems import Problem
from fledge.stats import ALPHA, Array, Estimate, auc_difference
from fledge.stats.metrics import HIGHER_IS_BETTER, LOSSES, correct, difference

BUDGET = 0.01  # chance that a candidate as good as the champion is blocked, all checks that score together


@dataclass(frozen=True)
class Pairing:
    """How much worse one retraining is than another in a metric: the estimate when whole clusters are independent, and
    when every row is."""

    clustered: Estimate
    single: Estimate


@dataclass(frozen=True)
class Noise:
    """The noise of one metric, in the unit of its margin.

    `mean` and `sigma_seed` are mean and standard deviation over the retrainings; `error` and `single_error` are the
    root mean squares, over pairs, of the paired standard error with whole clusters and with rows independent; `freedom`
    is the clusters' degrees of freedom, `alpha` the level of the gate.
    """

    metric: str
    mean: float
    sigma_seed: float
    error: float
    single_error: float
    freedom: float
    alpha: float
    seeds: int
    pairs: int

    @property
    def design_effect(self) -> float:
        """Variance with whole clusters independent, divided by that with rows independent: 1 if rows are (Kish 1965)."""
        return (self.error / self.single_error) ** 2

    @property
    def sigma_interval(self) -> tuple[float, float]:
        """The 95 % interval of `sigma_seed`, if the metric is normal over seeds (chi-square)."""
        freedom = self.seeds - 1
        low, high = distributions.chi2.ppf([0.975, 0.025], freedom)
        return self.sigma_seed * sqrt(freedom / low), self.sigma_seed * sqrt(freedom / high)

    def quantiles(self, checks: int) -> tuple[float, float]:
        """z₁₋β, with the error budget shared by so many checks (β = 1 − 0.99^(1/m)), and t₁₋α of the paired error."""
        beta = 1 - (1 - BUDGET) ** (1 / checks)
        return float(distributions.norm.ppf(1 - beta)), float(distributions.t.ppf(1 - self.alpha, self.freedom))

    def least(self, checks: int) -> float:
        """The narrowest margin that these rows and this recipe can keep: z₁₋β·√2·sigma_seed + t₁₋α·SE."""
        z, t = self.quantiles(checks)
        return z * sqrt(2) * self.sigma_seed + t * self.error

    def derivation(self, checks: int) -> str:
        """`least` as a person would check it."""
        z, t = self.quantiles(checks)
        return (
            f"{z:.2f}·√2·{significant(self.sigma_seed)} + {t:.2f}·{significant(self.error)} = "
            f"{significant(self.least(checks))}"
        )


def noise(metric: str, values: Sequence[float], pairings: Sequence[Pairing], alpha: float = ALPHA) -> Noise:
    """`values` of the metric, one per seed; `pairings` of pairs of those seeds.

    Raises ValueError for fewer than two seeds or no pair: no spread can be seen.
    """
    if len(values) < 2 or not pairings:
        raise ValueError("noise needs two seeds and a pair of them")
    mean = float(np.mean(values))
    return Noise(
        metric,
        mean,
        float(np.std(values, ddof=1)) / (mean if metric in LOSSES else 1.0),
        _root_mean_square([pairing.clustered.error for pairing in pairings]),
        _root_mean_square([pairing.single.error for pairing in pairings]),
        pairings[0].clustered.freedom,
        alpha,
        len(values),
        len(pairings),
    )


def value(metric: str, label: Array, answer: Array, threshold: float) -> float:
    """The metric of `answer` (n,) or (n, classes): a share, nats, or the label's unit (squared)."""
    if metric == "auc":
        return auc_difference(label, answer, np.zeros(len(label))).value + 0.5
    if metric == "accuracy":
        return float(np.mean(correct(label, answer, threshold)))
    return float(np.mean(LOSSES[metric](label, answer)))


def worse(metric: str, label: Array, ours: Array, theirs: Array, cluster: Array, threshold: float) -> Estimate:
    """By how much `ours` is worse than `theirs` on the same rows, above 0 if it is; a loss in shares of theirs."""
    found = difference(metric, label, ours, theirs, cluster, threshold=threshold)
    return found.scaled(-1) if metric in HIGHER_IS_BETTER else found


def pairing(metric: str, label: Array, ours: Array, theirs: Array, cluster: Array, threshold: float) -> Pairing:
    """`worse` twice: with the clusters given, and with every row a cluster of its own."""
    clustered = worse(metric, label, ours, theirs, cluster, threshold)
    return Pairing(clustered, worse(metric, label, ours, theirs, np.arange(len(label)), threshold))


def rounded_up(margin: float) -> float:
    """`margin` to two significant digits, never below it. Raises Problem for 0: a recipe that no seed moves has no noise."""
    if not margin > 0:
        raise Problem("calibrate: every seed gives the same model, expected them to differ (model.py: build)")
    unit = 10.0 ** (floor(log10(margin)) - 1)
    return float(f"{ceil(round(margin / unit, 6)) * unit:.2g}")


def significant(number: float, digits: int = 3) -> str:
    """The number to so many significant digits, without an exponent where that reads well."""
    return f"{number:.{digits}g}"


def _root_mean_square(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
