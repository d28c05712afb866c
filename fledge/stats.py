"""The statistics of the gates: arrays in, numbers out. What scipy has is scipy's.

Sources: DeLong, DeLong & Clarke-Pearson 1988 and Sun & Xu 2014 (AUC); Liang & Zeger 1986 (clustered errors);
rules and defaults: the margins under `gates:` of a model's params.yaml.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]

ALPHA = 0.05  # chance of passing a candidate that is worse by exactly the margin
POWER = 0.90  # chance of passing a candidate as good as the champion, at the smallest detectable effect


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit; `freedom` is what that error was learnt from."""

    value: float
    error: float
    freedom: float = float("inf")  # degrees of freedom: clusters − 1

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
    def powerful(self) -> bool:
        """With these rows an equal candidate would be shown within the margin, nine times in ten."""
        return self.smallest_detectable_effect <= abs(self.margin)


def compare(estimate: Estimate, margin: float, *, higher_is_better: bool = False) -> Comparison:
    """Put an estimate beside a margin in the estimate's own direction (−0.01 for a loss of 0.01 where higher is better).

    The smallest detectable effect is (t₁₋α + t₁₋β)·SE: the narrowest margin that these rows could defend. Student's t,
    not the normal: a handful of clusters says little about its own spread.
    """
    t, t_power = stats.t.ppf([1 - ALPHA, POWER], estimate.freedom)
    interval = (float(estimate.value - t * estimate.error), float(estimate.value + t * estimate.error))
    return Comparison(estimate.value, interval, margin, float((t + t_power) * estimate.error), higher_is_better)


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
    Raises ValueError when a class has fewer than two rows, or there are fewer than two clusters.
    """
    positive = label == 1
    if min(positive.sum(), (~positive).sum()) < 2:
        raise ValueError("AUC needs two rows of each class")
    placements = _placements(positive, candidate) - _placements(positive, champion)
    up, down = placements[positive], placements[~positive]
    if cluster is None:
        return Estimate(float(up.mean()), float(np.hypot(stats.sem(up), stats.sem(down))))
    influence = np.empty(len(label))
    influence[positive], influence[~positive] = (up - up.mean()) / len(up), (down - down.mean()) / len(down)
    return Estimate(float(up.mean()), *_clustered_error(influence, cluster))


def log_loss(label: Array, probability: Array) -> Array:
    """−log of the probability given to what happened, per row (n,), in nats.

    `probability` is (n,), the chance that `label` (0 or 1) is 1; or (n, classes), and `label` an index into it.
    A chance of 0 counts as the smallest float32 above 0, so one such row is expensive (87 nats) but not infinite.
    """
    if probability.ndim == 1:
        happened = np.where(label == 1, probability, 1.0 - probability.astype(np.float64))
    else:
        happened = probability[np.arange(len(label)), label]
    return -np.log(np.maximum(happened, np.finfo(np.float32).tiny, dtype=np.float64))


def latency_ratio(
    candidate: Array, champion: Array, *, block: int = 25, resamples: int = 2000, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Ratio candidate/champion of latencies (n,) in any unit, taken in interleaved pairs, and its 1 − 2α interval.

    The median over time-ordered blocks of the blocks' log-ratio of medians; whole blocks are resampled, because
    what disturbs one call disturbs its neighbours. Raises ValueError for less than two blocks.
    """
    logs = np.log(_block_medians(candidate, block)) - np.log(_block_medians(champion, block))
    middle, interval = _median(logs, resamples, seed)
    return float(np.exp(middle)), (float(np.exp(interval[0])), float(np.exp(interval[1])))


def latency_median(times: Array, *, block: int = 25, resamples: int = 2000, seed: int = 0) -> tuple[float, Any]:
    """Median over blocks of the blocks' medians of `times` (n,), and its 1 − 2α interval, in the unit of `times`."""
    return _median(_block_medians(times, block), resamples, seed)


def _placements(positive: Array, score: Array) -> Array:
    """Share of the other class on the right side of each row, ties half: DeLong's V₁₀ and V₀₁ in one array."""
    rank, placement = stats.rankdata(score), np.empty(len(score))
    up, down = score[positive], score[~positive]
    placement[positive] = (rank[positive] - stats.rankdata(up)) / len(down)
    placement[~positive] = 1 - (rank[~positive] - stats.rankdata(down)) / len(up)
    return placement


def _clustered_error(influence: Array, cluster: Array) -> tuple[float, int]:
    """The standard error of a sum of influences (n,) and its degrees of freedom."""
    names, index = np.unique(cluster, return_inverse=True)
    if len(names) < 2:
        raise ValueError("a clustered error needs two clusters")
    freedom = len(names) - 1
    return float(np.sqrt((freedom + 1) / freedom * np.sum(np.bincount(index, influence) ** 2))), freedom


def _block_medians(times: Array, block: int) -> Array:
    count = len(times) // block
    if count < 2:
        raise ValueError(f"latency needs two blocks of {block} calls")
    medians: Array = np.median(np.reshape(times[: count * block], (count, block)), axis=1)
    return medians


def _median(values: Array, resamples: int, seed: int) -> tuple[float, tuple[float, float]]:
    draws = np.median(np.random.default_rng(seed).choice(values, (resamples, len(values))), axis=1)
    low, high = np.quantile(draws, [ALPHA, 1 - ALPHA])
    return float(np.median(values)), (float(low), float(high))
