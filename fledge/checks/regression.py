"""Is the candidate as good as the champion on the same rows, and better than a constant?

The candidate carries the burden of proof: it passes where it is shown not to be worse than the margin, and rows that
cannot show so much are INCONCLUSIVE. Sources: Piaggio et al. 2012 (non-inferiority), DeLong et al. 1988 and Sun & Xu 2014
(AUC), Liang & Zeger 1986 (clusters), Clopper & Pearson 1934 and Edwards 1948 (few discordant rows), Breck et al. 2017
(ML test score: beat a simple model).
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from fledge import stats
from fledge.checks.scores import WORSE, Alpha, Least, Positive, numbers, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.stats import Array, Comparison, Estimate, metrics

FEW = 25  # rows that one model alone has right, below which its share is bounded exactly (Dwyer 1991 has that many of both)
MOST = 10**12  # rows: nobody holds out more
SIZES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)  # of the rows there are: the power curve


class Margin(Limit):
    """`margin` is of AUC or of a share for auc and accuracy, of the champion's loss for a loss; so is `sigma_seed`."""

    margin: Positive
    alpha: Alpha
    sigma_seed: Least = 0.0


class Anchor(Limit):
    """`version` pins a release, which fledge.gates.comparison finds; without it the oldest healthy one is the anchor."""

    factor: Positive
    version: str | None = None


class Floor(Limit):
    min_improvement: float
    alpha: Alpha


@dataclass(frozen=True)
class Sample:
    """What `n` rows say of candidate − champion. `counts`, where shares of right answers are compared, are the rows that
    the candidate alone has right (gained) and that the champion alone has right (lost)."""

    estimate: Estimate
    n: int
    counts: tuple[int, int] | None = None

    def times(self, size: float) -> "Sample":
        """`size` times as many rows like these."""
        n, error = max(1, round(self.n * size)), self.estimate.error / size**0.5
        counts = self.counts and (round(self.counts[0] * size), round(self.counts[1] * size))
        return Sample(self.estimate._replace(error=error), n, counts)

    def compared(self, margin: float, limit: Margin, *, higher_is_better: bool) -> Comparison:
        """Beside a margin in the estimate's own direction."""
        found = stats.compare(
            self.estimate, margin, higher_is_better=higher_is_better, alpha=limit.alpha, sigma_seed=limit.sigma_seed
        )
        return found if self.counts is None else whole_rows(found, *self.counts, self.n, limit.alpha)

    def detectable(self, limit: Margin) -> float:
        """The smallest detectable effect."""
        return self.compared(-limit.margin, limit, higher_is_better=True).smallest_detectable_effect


@dataclass(frozen=True)
class Against:
    """Whom a check compares the candidate with, what it is called, and where its margin stands."""

    name: str
    other: str
    key: str


def not_worse(limits: Limits, rows: Rows, ours: Array, theirs: Array, metric: str) -> Check:
    """The candidate is not worse than the champion in `metric` by more than its margin."""
    against = Against(metric, "champion", f"{limits.file}: gates.regression.{metric}.margin")
    return _judged(limits, rows, ours, theirs, metric, limits.of("regression", metric, Margin), against)


def anchor(limits: Limits, rows: Rows, ours: Array, anchored: Array) -> Check:
    """The candidate is not worse than a pinned older release in the primary metric by more than `factor` margins.

    Without it a chain of releases, each not worse than the last, may lose a margin at every step.
    """
    metric, given = limits.metrics[0], limits.of("regression", "anchor", Anchor)
    own = limits.of("regression", metric, Margin)
    limit = own.model_copy(update={"margin": own.margin * given.factor, "inconclusive": given.inconclusive})
    against = Against("anchor", "anchor", f"{limits.file}: gates.regression.anchor.factor")
    return _judged(limits, rows, ours, anchored, metric, limit, against)


def floor(limits: Limits, rows: Rows, ours: Array) -> Check:
    """The candidate beats the best constant answer by more than the least improvement.

    The constant is the best in hindsight, on these very rows: one fitted in training could not be harder to beat.
    """
    limit = limits.of("regression", "floor", Floor)
    usable(rows, candidate=ours)
    metric, least = floor_metric(limits), limit.min_improvement
    gain = metrics.difference(metric, rows.label, ours, constant(limits, rows, ours), rows.cluster).scaled(-1)
    found = stats.compare(gain, least, higher_is_better=True, alpha=limit.alpha)
    low = found.interval[0]
    verdict, remedy = Verdict.PASS, ""
    reason = (
        f"gain over the best constant's {metric} is {gain.value:+.2%}, at worst {low:+.2%}, expected above {least:+.2%}"
    )
    if not low > least:  # strictly: a constant answer gains nothing, and nothing is not enough
        verdict, remedy = Verdict.BLOCK, WORSE.format(key=f"{limits.file}: gates.regression.floor.min_improvement")
        if gain.value > least:
            verdict = Verdict.INCONCLUSIVE
            wanted = len(rows) * (found.smallest_detectable_effect / (gain.value - least)) ** 2
            remedy = f"hold out more rows ({limits.file}: gates.rows, about {wanted:,.0f} instead of {len(rows):,})"
    return Check(
        "regression",
        "floor",
        verdict,
        reason,
        remedy,
        *numbers(found, len(rows)),
        "of constant's",
        limit.inconclusive,
        {"higher_is_better": True},
    )


def whole_rows(found: Comparison, gained: int, lost: int, n: int, alpha: float) -> Comparison:
    """The comparison of two shares of right answers of `n` rows, its interval never narrower than whole rows allow.

    Each bound is a row wider (Edwards 1948), and where few rows speak for it at least the difference of Clopper's and
    Pearson's bounds of the two shares. Those have the whole `alpha`, not Bonferroni's half: it is what one of them may
    miss where the other share is 0, and elsewhere both seldom err together (tests/checks/test_regression.py computes
    the chance). McNemar's exact test is no bound here: it takes the number of discordant rows for known.
    """
    more, less = (stats.exact_share(count, n, alpha) for count in (gained, lost))
    low, high = found.interval[0] - 1 / n, found.interval[1] + 1 / n
    if gained < FEW:
        low = min(low, more[0] - less[1])
    if lost < FEW:
        high = max(high, more[1] - less[0])
    effect = found.smallest_detectable_effect + found.interval[0] - low
    return replace(found, interval=(low, high), smallest_detectable_effect=effect)


def floor_metric(limits: Limits) -> str:
    """What the floor is measured in: of a regression its primary metric, otherwise log-loss, which sees all."""
    return limits.metrics[0] if limits.task == "regression" else "log_loss"


def constant(limits: Limits, rows: Rows, like: Array) -> Array:
    """The best constant answer in hindsight, of the shape of `like`: rates of the classes, or a number's mean or median."""
    if limits.task == "multiclass":
        return np.broadcast_to(np.bincount(rows.label, minlength=like.shape[1]) / len(rows), like.shape)
    best = np.median if limits.metrics[0] == "absolute_error" else np.mean
    return np.full(len(rows), best(rows.label), dtype=np.float64)


def _judged(
    limits: Limits, rows: Rows, ours: Array, theirs: Array, metric: str, limit: Margin, against: Against
) -> Check:
    usable(rows, **{"candidate": ours, against.other: theirs})
    estimate = metrics.difference(metric, rows.label, ours, theirs, rows.cluster, threshold=limits.threshold)
    better = metric in metrics.HIGHER_IS_BETTER
    margin = -limit.margin if better else limit.margin
    sample = Sample(estimate, len(rows), _counts(limits, rows, ours, theirs) if metric == "accuracy" else None)
    found = sample.compared(margin, limit, higher_is_better=better)
    unit = metrics.unit(metric).replace("champion", against.other)
    rows_would_do = isfinite(stats.needed_rows(estimate, limit.margin, len(rows), limit.alpha, limit.sigma_seed))
    verdict, reason, remedy = _said(found, unit, against, rows_would_do)
    if verdict is Verdict.INCONCLUSIVE:
        remedy = f"{_wanted(limits, sample, metric, limit)}, or move {against.key}"
    return Check(
        "regression",
        against.name,
        verdict,
        reason,
        remedy,
        *numbers(found, len(rows)),
        unit,
        limit.inconclusive,
        {"higher_is_better": better, "power": power(sample, limit)},
    )


def _said(found: Comparison, unit: str, against: Against, rows_would_do: bool) -> tuple[Verdict, str, str]:
    """Verdict, reason and remedy of non-inferiority.

    What is shown within the margin needs no power: that other candidates might not be shown on these rows is nothing
    against this one. Only where no number of rows would do, because retraining alone moves more than the margin, is the
    margin none that this recipe can be held to.
    """
    low, high = found.interval
    worst = f"{low:+.4f}, expected above" if found.higher_is_better else f"{high:+.4f}, expected below"
    reason = f"candidate - {against.other} is {found.estimate:+.4f} {unit}, at worst {worst} {found.margin:+.4f}"
    if found.shown_better or (found.shown_within and (found.powerful or rows_would_do)):
        return Verdict.PASS, reason, ""
    # Shown worse needs no power either, whether beyond the margin is sure or only likely.
    if found.powerful or found.shown_beyond or found.shown_worse:
        return Verdict.BLOCK, reason, WORSE.format(key=against.key)
    least, margin = found.smallest_detectable_effect, abs(found.margin)
    return Verdict.INCONCLUSIVE, f"these rows can show a loss of {least:.4f} at best, expected {margin:g}", ""


def power(sample: Sample, limit: Margin) -> list[dict[str, float]]:
    """The smallest detectable effect of fewer and of more rows like these."""
    return [{"rows": round(sample.n * size), "detectable": sample.times(size).detectable(limit)} for size in SIZES]


def _counts(limits: Limits, rows: Rows, ours: Array, theirs: Array) -> tuple[int, int]:
    """How many rows the candidate alone has right, and how many the champion alone."""
    right, before = (metrics.correct(rows.label, score, limits.threshold) for score in (ours, theirs))
    return int(np.sum(right & ~before)), int(np.sum(~right & before))


def _enough(sample: Sample, limit: Margin) -> float:
    """How many rows like these would make the margin detectable; infinity where no number would."""
    rows = stats.needed_rows(sample.estimate, limit.margin, sample.n, limit.alpha, limit.sigma_seed)
    if sample.counts is None or not isfinite(rows):
        return rows

    def enough(wanted: int) -> bool:
        return sample.times(wanted / sample.n).detectable(limit) <= limit.margin

    return bisect_left(range(MOST), True, sample.n, key=enough)


def _wanted(limits: Limits, sample: Sample, metric: str, limit: Margin) -> str:
    """What would make the margin detectable: more rows, a steadier recipe, or only both."""
    rows, estimate = _enough(sample, limit), sample.estimate
    wider = sample.detectable(limit) - stats.detectable(estimate, limit.alpha, limit.sigma_seed)  # by whole rows
    sigma = stats.needed_sigma(estimate, limit.margin - wider, limit.alpha)
    where, key = f"{limits.file}: gates.rows", f"gates.regression.{metric}.sigma_seed"
    more = f"hold out more rows ({where}, about {rows:,.0f} instead of {sample.n:,})"
    steadier = f"train more steadily ({key} at most {sigma:.2g} instead of {limit.sigma_seed:g})"
    ways = [more] * isfinite(rows) + [steadier] * (0 < sigma < limit.sigma_seed)
    return " or ".join(ways) or f"hold out more rows ({where}) and train more steadily ({key} is {limit.sigma_seed:g})"
