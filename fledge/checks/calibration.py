"""Do the answers mean what they say: is a chance of 30 % right three times in ten?

Sources: Van Calster et al. 2016 (calibration in the large, slope), Cox 1958 (slope). ECE and the reliability curve are
reported, never judged by: both depend on the bins, and ECE is too large where rows are few.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fledge import stats
from fledge.checks.scores import WORSE, Alpha, Count, Least, Positive, numbers, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison, Estimate, reliability


class InTheLarge(Limit):
    """Both in the unit of the answer: a share, or of a regression its label's."""

    limit: Positive
    above_champion: Least


class Slope(Limit):
    low: Positive
    high: Positive
    alpha: Alpha
    min_each: Count


def in_the_large(limits: Limits, rows: Rows, ours: Array, theirs: Array | None) -> Check:
    """The mean answer is as near to the mean label as the champion's and a bit, or within the limit; so for each class.

    The estimates themselves are compared: both models share the luck of the rows, which is most of either's error. What
    is left is the error of their paired difference, and where that could hide the limit the check is INCONCLUSIVE. A
    first release (`theirs` None) has nothing to share luck with: there one standard error must not exceed the limit.
    """
    limit = limits.of("calibration", "in_the_large", InTheLarge)
    usable(rows, candidate=ours, champion=theirs)
    error, before = _errors(limits, rows, ours), None if theirs is None else _errors(limits, rows, theirs)
    off = [stats.clustered_mean(column, rows.cluster) for column in error]
    allowed = [limit.limit] * len(off)
    known = off
    if before is not None:
        allowed = [max(limit.limit, abs(float(column.mean())) + limit.above_champion) for column in before]
        known = [stats.clustered_mean(a - b, rows.cluster) for a, b in zip(error, before, strict=True)]
    worst = int(np.argmax([abs(one.value) - most for one, most in zip(off, allowed, strict=True)]))
    blurred = [one for one in known if limit.limit < (one.error if before is None else stats.detectable(one))]
    verdict, reason, remedy = _said(limits, off[worst], allowed[worst], f" of class {worst}" * (len(off) > 1), blurred)
    side = np.copysign(allowed[worst], off[worst].value)  # of the two, the limit that it is nearer to
    estimate, interval, margin, n, _ = numbers(stats.compare(off[worst], float(side)), len(rows))
    return Check(
        "calibration",
        "in_the_large",
        verdict,
        reason,
        remedy,
        estimate,
        interval,
        margin,
        n,
        None if before is None else stats.detectable(known[worst]),
        _unit(limits),
        limit.inconclusive,
        _details(limits, rows, {"reliability": ours, "champion": theirs}),
    )


def slope(limits: Limits, rows: Rows, ours: Array) -> Check:
    """The Cox slope of the candidate's chances is not shown to leave [low, high] (binary).

    Below 1 the chances are too sure of themselves, above 1 not sure enough. The interval is two-sided, 1 − α; the gate
    carries the burden of proof. Rows with less than `min_each` of a label are INCONCLUSIVE, and so is an interval that
    holds both limits.
    """
    limit = limits.of("calibration", "slope", Slope)
    usable(rows, candidate=ours)
    rarer = int(np.bincount(rows.label, minlength=2).min())
    try:
        estimate = reliability.cox_slope(rows.label, ours, rows.cluster)
    except ValueError as error:
        raise Problem(f"candidate: {error} ({limits.file}: gates.calibration.slope)") from None
    near, out = (limit.low, -1) if estimate.value < 1 else (limit.high, 1)
    found = stats.compare(estimate, near, alpha=limit.alpha / 2)
    found = replace(found, smallest_detectable_effect=near + out * found.smallest_detectable_effect)
    verdict, reason, remedy = _of_slope(limits, limit, found, rarer)
    return Check(
        "calibration",
        "slope",
        verdict,
        reason,
        remedy,
        *numbers(found, len(rows)),
        "of logit",
        limit.inconclusive,
        {"error": estimate.error, "clusters": int(estimate.freedom) + 1},
    )


def _of_slope(limits: Limits, limit: Slope, found: Comparison, rarer: int) -> tuple[Verdict, str, str]:
    low, high = found.interval
    allowed = f"expected within [{limit.low:g}, {limit.high:g}]"
    reason = f"Cox slope is {found.estimate:.3f}, {low:.3f} to {high:.3f}, {allowed}"
    more = f"hold out more rows ({limits.file}: gates.rows)"
    if high < limit.low or low > limit.high:
        return Verdict.BLOCK, reason, WORSE.format(key=f"{limits.file}: gates.calibration.slope")
    if rarer < limit.min_each:
        few = f"{rarer} rows of the rarer label, expected at least {limit.min_each} to see a slope"
        return Verdict.INCONCLUSIVE, few, more
    if low < limit.low and high > limit.high:
        return Verdict.INCONCLUSIVE, f"{reason}: these rows could show neither", more
    return Verdict.PASS, reason, ""


def _errors(limits: Limits, rows: Rows, answer: Array) -> Array:
    """answer − what happened, per class and row (classes, n); one row of it where the answer is one number."""
    if limits.task != "multiclass":
        return np.asarray(answer - rows.label, dtype=np.float64)[None, :]
    happened = np.eye(answer.shape[1])[rows.label]
    return np.asarray(answer - happened, dtype=np.float64).T


def _said(
    limits: Limits, off: Estimate, allowed: float, which: str, blurred: list[Estimate]
) -> tuple[Verdict, str, str]:
    reason = f"mean prediction - mean label{which} is {off.value:+.4f}, expected within ±{allowed:.4f}"
    shown = stats.compare(off._replace(value=abs(off.value)), allowed).shown_beyond
    if blurred and not shown:
        error = max(one.error for one in blurred)
        remedy = f"hold out more rows ({limits.file}: gates.rows), or move {limits.file}: gates.calibration.in_the_large.limit"
        return Verdict.INCONCLUSIVE, f"{reason}; that is known to ±{error:.4f} (standard error) only", remedy
    if abs(off.value) <= allowed:
        return Verdict.PASS, reason, ""
    return Verdict.BLOCK, reason, WORSE.format(key=f"{limits.file}: gates.calibration.in_the_large.limit")


def _unit(limits: Limits) -> str:
    return f"of {limits.label}" if limits.task == "regression" else "share"


def _details(limits: Limits, rows: Rows, answers: Mapping[str, Array | None]) -> dict[str, Any]:
    """The reliability curve of each model, of many classes that of the likeliest; a regression has no ECE."""
    found: dict[str, Any] = {}
    for name, answer in answers.items():
        if answer is None:
            found[name] = []
            continue
        predicted, observed = answer, rows.label
        if limits.task == "multiclass":
            predicted, observed = answer.max(axis=1), answer.argmax(axis=1) == rows.label
        found[name] = reliability.curve(predicted, observed, rows.cluster)
    if limits.task != "regression":
        found["expected_calibration_error"] = reliability.expected_error(found["reliability"])
    return found
