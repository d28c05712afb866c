"""The statistics of the gates: arrays in, numbers out. What scipy has is scipy's.

Sources: DeLong, DeLong & Clarke-Pearson 1988 and Sun & Xu 2014 (AUC); Liang & Zeger 1986 (clustered errors); Holm 1979;
rules and defaults: the margins under `gates:` of a model's params.yaml. Only scipy.special is imported: importing
scipy.stats takes as long as all gates that score.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtr, stdtrit

Array = NDArray[Any]

ALPHA = 0.05  # chance of passing a candidate that is worse by exactly the margin
POWER = 0.90  # chance of passing a candidate as good as the champion, at the smallest detectable effect


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit; `freedom` is what that error was learnt from."""

    value: float
    error: float
    freedom: float = float("inf")  # degrees of freedom: clusters − 1, of an AUC those of the class that has fewer

    def scaled(self, factor: float) -> "Estimate":
        return Estimate(self.value * factor, self.error * abs(factor), self.freedom)


@dataclass(frozen=True)
class Comparison:
    """An estimate with its 1 − 2α interval, and what it says about a margin on one side."""

    estimate: float
    interval: tuple[float, float]
    margin: float
    smallest_detectable_effect: float
    higher_is_better: bool

    @property
    def shown_within(self) -> bool:
        """The whole interval is on the good side of the margin: not worse, with the burden on the candidate."""
        low, high = self.interval
        return low >= self.margin if self.higher_is_better else high <= self.margin

    @property
    def shown_beyond(self) -> bool:
        """The whole interval is on the bad side of the margin: worse, whatever the noise."""
        low, high = self.interval
        return high < self.margin if self.higher_is_better else low > self.margin

    @property
    def shown_better(self) -> bool:
        """The whole interval is on the good side of zero."""
        low, high = self.interval
        return low > 0 if self.higher_is_better else high < 0

    @property
    def shown_worse(self) -> bool:
        """The whole interval is on the bad side of zero, and the estimate is beyond the margin: a loss, likely too large."""
        low, high = self.interval
        if self.higher_is_better:
            return high < 0 and self.estimate < self.margin
        return low > 0 and self.estimate > self.margin

    @property
    def powerful(self) -> bool:
        """With these rows an equal candidate would be shown within the margin, nine times in ten."""
        return self.smallest_detectable_effect <= abs(self.margin)


def compare(
    estimate: Estimate,
    margin: float,
    *,
    higher_is_better: bool = False,
    alpha: float = ALPHA,
    sigma_seed: float = 0.0,
) -> Comparison:
    """Put an estimate beside a margin in the estimate's own direction (−0.01 for a loss of 0.01 where higher is better).

    Student's t, not the normal: a handful of clusters says little about its own spread. `sigma_seed` as in `detectable`.
    """
    reach = _t(1 - alpha, estimate.freedom) * estimate.error
    return Comparison(
        estimate.value,
        (float(estimate.value - reach), float(estimate.value + reach)),
        margin,
        detectable(estimate, alpha, sigma_seed),
        higher_is_better,
    )


def detectable(estimate: Estimate, alpha: float = ALPHA, sigma_seed: float = 0.0, power: float = POWER) -> float:
    """The smallest detectable effect, t₁₋α·SE + t₁₋β·max(SE, √2·sigma_seed): the narrowest margin within which an equal
    candidate is shown, nine times in ten (or as often as `power` says).

    `sigma_seed` is the spread of a metric over retrainings that differ in the seed alone, in the estimate's unit. Two of
    them differ by √2·sigma_seed, which holds the luck of the rows already and so takes the place of the second SE.
    """
    t, often = _t(1 - alpha, estimate.freedom), _t(power, estimate.freedom)
    return float(t * estimate.error + often * max(estimate.error, np.sqrt(2) * sigma_seed))


def shown(estimate: Estimate, margin: float, *, higher_is_better: bool = False, alpha: float = ALPHA) -> Comparison:
    """As `compare`, with the burden on the gate: the smallest detectable effect is the harm, counted from 0, that would be
    shown beyond the margin nine times in ten, |margin| + (t₁₋α + t₁₋β)·SE.
    """
    found = compare(estimate, margin, higher_is_better=higher_is_better, alpha=alpha)
    return replace(found, smallest_detectable_effect=abs(margin) + found.smallest_detectable_effect)


def needed_rows(estimate: Estimate, margin: float, rows: int, alpha: float = ALPHA, sigma_seed: float = 0.0) -> float:
    """How many rows like these `rows` would make `margin` (above 0) detectable; infinity where no number would.

    The standard error falls with the root of the rows; what retraining moves does not fall at all.
    """
    t, power = _t(1 - alpha, estimate.freedom), _t(POWER, estimate.freedom)
    error = min(margin / (t + power), (margin - power * np.sqrt(2) * sigma_seed) / t)
    return float(rows * (estimate.error / error) ** 2) if error > 0 else float("inf")


def needed_sigma(estimate: Estimate, margin: float, alpha: float = ALPHA) -> float:
    """The largest sigma_seed at which `margin` is detectable with these rows; 0 where none is."""
    if detectable(estimate, alpha) > margin:
        return 0.0
    t, power = _t(1 - alpha, estimate.freedom), _t(POWER, estimate.freedom)
    return float((margin - t * estimate.error) / (power * np.sqrt(2)))


def p_harmed(estimate: Estimate, margin: float, *, higher_is_better: bool = False) -> float:
    """One-sided p of "not worse than the margin": small where the estimate is surely beyond it."""
    beyond = margin - estimate.value if higher_is_better else estimate.value - margin
    if estimate.error == 0:
        return float(beyond <= 0)
    return float(stdtr(estimate.freedom, -beyond / estimate.error))


def holm(p: Array) -> Array:
    """p-values (m,) adjusted by Holm's step-down: the chance of any false alarm stays below what they are held against."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)[np.argsort(order)]


def exact_share(found: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """The 1 − 2α interval of a share of which `found` of `n` were seen (Clopper & Pearson 1934)."""
    low = betaincinv(found, n - found + 1, alpha) if found else 0.0
    high = betaincinv(found + 1, n - found, 1 - alpha) if found < n else 1.0
    return float(low), float(high)


def false_discovery(p: Array) -> Array:
    """p-values (m,) adjusted by Benjamini and Hochberg's step-up, for reports: the share of false alarms among all."""
    order = np.argsort(p)[::-1]
    adjusted = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)[np.argsort(order)]


def clustered_mean(values: Array, cluster: Array) -> Estimate:
    """Mean of `values` (n,) and its standard error when only whole clusters (n,) are independent.

    SE = √(G/(G−1) · Σ_g (Σ_{i∈g} (x_i − x̄))²)/n over G clusters; when every row is its own cluster that is s/√n.
    Raises ValueError for fewer than two clusters: their spread cannot be seen.
    """
    mean = float(np.mean(values))
    return Estimate(mean, *_clustered_error((values - mean) / len(values), cluster))


def auc_difference(label: Array, candidate: Array, champion: Array, cluster: Array | None = None) -> Estimate:
    """AUC of `candidate` minus AUC of `champion` (scores, (n,)) on the same rows, and DeLong's standard error.

    `label` (n,) is 0 or 1. With `cluster` (n,) the rows' influences are summed per cluster before they are squared.
    Raises ValueError when a class has fewer than two rows, or is in fewer than two clusters: there its influences sum to
    0, whatever that cluster's luck was.
    """
    positive = label == 1
    if min(positive.sum(), (~positive).sum()) < 2:
        raise ValueError("AUC needs two rows of each class")
    placements = _placements(positive, candidate) - _placements(positive, champion)
    up, down = placements[positive], placements[~positive]
    if cluster is None:
        return Estimate(float(up.mean()), float(np.sqrt(up.var(ddof=1) / len(up) + down.var(ddof=1) / len(down))))
    influence = np.empty(len(label))
    influence[positive], influence[~positive] = (up - up.mean()) / len(up), (down - down.mean()) / len(down)
    index, _ = clusters(cluster)
    least = min(distinct(index[positive]), distinct(index[~positive]))
    if least < 2:
        raise ValueError("AUC needs two clusters of each class")
    return Estimate(float(up.mean()), _clustered_error(influence, index)[0], least - 1)


def clusters(names: Array) -> tuple[Array, int]:
    """Each row's cluster (n,) as a number below the second value. Numbers that are so already are taken as they are.

    Among words None is a cluster like any other: rows that nobody can tell apart are not independent.
    """
    if names.dtype.kind in "iu" and len(names) and names.min() >= 0 and names.max() < len(names):
        return names, int(names.max()) + 1
    if names.dtype == object:  # None has no order, and words are slow to sort
        place = {name: number for number, name in enumerate(dict.fromkeys(names.tolist()))}
        return np.fromiter(map(place.__getitem__, names.tolist()), np.int64, len(names)), len(place)
    distinct, index = np.unique(names, return_inverse=True)
    return index, len(distinct)


def distinct(cluster: Array) -> int:
    """How many clusters there are."""
    index, count = clusters(cluster)
    return int(np.count_nonzero(np.bincount(index, minlength=count)))


def _placements(positive: Array, score: Array) -> Array:
    """Share of the other class on the right side of each row, ties half: DeLong's V₁₀ and V₀₁ in one array."""
    order = np.argsort(score)
    above, ranked = positive[order], score[order]
    start = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # of each run of equal scores
    run = np.diff(np.r_[start, len(score)])
    ups = np.add.reduceat(above, start, dtype=np.int64)
    downs = run - ups
    up_right = (np.cumsum(downs) - downs / 2) / downs.sum()
    down_right = 1 - (np.cumsum(ups) - ups / 2) / ups.sum()
    placement = np.empty(len(score))
    placement[order] = np.where(above, np.repeat(up_right, run), np.repeat(down_right, run))
    return placement


def _clustered_error(influence: Array, cluster: Array) -> tuple[float, int]:
    """The standard error of a sum of influences (n,) and its degrees of freedom."""
    index, _ = clusters(cluster)
    there = distinct(index)
    if there < 2:
        raise ValueError("a clustered error needs two clusters")
    return float(np.sqrt(there / (there - 1) * np.sum(np.bincount(index, influence) ** 2))), there - 1


def _t(probability: float, freedom: float) -> float:
    return float(stdtrit(freedom, probability))
