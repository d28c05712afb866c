"""Is the candidate as good as the champion on the same rows, and better than a constant?

The candidate carries the burden of proof: it passes where it is shown not to be worse than the margin, and rows that
cannot show so much are INCONCLUSIVE. Sources: Piaggio et al. 2012 (non-inferiority), DeLong et al. 1988 and Sun & Xu 2014
(AUC), Liang & Zeger 1986 (clusters), McNemar 1947 (few discordant rows), Breck et al. 2017 (ML test
score: beat a simple model).
"""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from fledge import stats
from fledge.checks.scores import WORSE, Alpha, Least, Positive, numbers, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.stats import Array, Comparison, Estimate, metrics

FEW = 25  # discordant rows below which McNemar's test is made exact (Dwyer 1991; statsmodels warns at the same number)
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


def with_few(found: Comparison, right: Array, before: Array, alpha: float) -> Comparison:
    """The comparison of two shares of right answers, its interval at least the exact one where few rows are discordant.

    `right` and `before` (n,) say of each row whether candidate and champion are right. The exact interval is Clopper's
    and Pearson's for the share of discordant rows that the candidate has right (McNemar 1947).
    """
    gained, lost, n = np.sum(right & ~before), np.sum(~right & before), len(right)
    discordant = int(gained + lost)
    if discordant >= FEW:
        return found
    if not discordant:  # nobody differed: by so much at most, or one of so many would have
        most = 1 - alpha ** (1 / n)
        return replace(found, interval=(-most, most), smallest_detectable_effect=most)
    exact = [(2 * bound - 1) * discordant / n for bound in stats.exact_share(int(gained), discordant, alpha)]
    low, high = found.interval
    return replace(found, interval=(min(low, exact[0]), max(high, exact[1])))


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
    found = stats.compare(estimate, margin, higher_is_better=better, alpha=limit.alpha, sigma_seed=limit.sigma_seed)
    if metric == "accuracy":
        right, before = (metrics.correct(rows.label, score, limits.threshold) for score in (ours, theirs))
        found = with_few(found, right, before, limit.alpha)
    unit = metrics.unit(metric).replace("champion", against.other)
    rows_would_do = isfinite(stats.needed_rows(estimate, limit.margin, len(rows), limit.alpha, limit.sigma_seed))
    verdict, reason, remedy = _said(found, unit, against, rows_would_do)
    if verdict is Verdict.INCONCLUSIVE:
        remedy = f"{_wanted(limits, estimate, len(rows), metric, limit)}, or move {against.key}"
    return Check(
        "regression",
        against.name,
        verdict,
        reason,
        remedy,
        *numbers(found, len(rows)),
        unit,
        limit.inconclusive,
        {"higher_is_better": better, "power": power(estimate, len(rows), limit)},
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


def power(estimate: Estimate, n: int, limit: Margin) -> list[dict[str, float]]:
    """The smallest detectable effect of fewer and of more rows like these `n`."""
    errors = {size: estimate._replace(error=estimate.error / size**0.5) for size in SIZES}
    return [
        {"rows": round(n * size), "detectable": stats.detectable(error, limit.alpha, limit.sigma_seed)}
        for size, error in errors.items()
    ]


def _wanted(limits: Limits, estimate: Estimate, n: int, metric: str, limit: Margin) -> str:
    """What would make the margin detectable: more rows, a steadier recipe, or only both."""
    rows = stats.needed_rows(estimate, limit.margin, n, limit.alpha, limit.sigma_seed)
    sigma = stats.needed_sigma(estimate, limit.margin, limit.alpha)
    where, key = f"{limits.file}: gates.rows", f"gates.regression.{metric}.sigma_seed"
    more = f"hold out more rows ({where}, about {rows:,.0f} instead of {n:,})"
    steadier = f"train more steadily ({key} at most {sigma:.2g} instead of {limit.sigma_seed:g})"
    ways = [more] * isfinite(rows) + [steadier] * (0 < sigma < limit.sigma_seed)
    return " or ".join(ways) or f"hold out more rows ({where}) and train more steadily ({key} is {limit.sigma_seed:g})"
