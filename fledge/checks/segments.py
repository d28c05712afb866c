"""Is any declared segment of the rows harmed, whatever the model gains elsewhere?

Here the gate carries the burden of proof: many small segments can never prove that they are not harmed, so one blocks
only where harm beyond its margin is shown. A segment in which next to no harm could be shown has not passed for that: it
is named, and its rows are judged with others like it. Source: Holm 1979, over all segments and metrics.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from fledge import stats
from fledge.checks.parts import Part, enough, parts, unjudged, with_rest
from fledge.checks.regression import constant
from fledge.checks.scores import WORSE, Alpha, Count, Positive, declared, numbers, undeclared, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison, Estimate, metrics

SHOWN = 6  # harmed segments that a reason names, the surest first; all are in the details


class Harm(Limit):
    """`margins` by metric, each in the unit of its margin under gates.regression; `cap` is a number of margins."""

    margins: dict[str, Positive]
    alpha: Alpha
    min_each: Count
    cap: Annotated[float, Field(gt=1)] = 5.0


@dataclass(frozen=True)
class Trial:
    """One segment in one metric: the estimate, how it compares, and its p of "not harmed beyond the margin"."""

    part: Part
    metric: str
    estimate: Estimate
    found: Comparison
    p: float

    @property
    def least(self) -> float:
        """The least harm, in margins, that would be shown nine times in ten."""
        return self.found.smallest_detectable_effect / abs(self.found.margin)


Parts = Mapping[str, Sequence[Part]]  # by their column
Measures = Mapping[str, Callable[[Array], Estimate]]  # of the rows of an index, by metric


def harm(limits: Limits, rows: Rows, ours: Array, theirs: Array | None) -> Check:
    """No segment is shown to be harmed beyond its margin in any metric that the owner declared.

    Without a champion (None) segments are compared with the best constant answer. A segment that is too small to judge is
    pooled into `other` and named. So is one that may be harmed and could show it from no less than `cap` margins on; harm
    that is shown blocks whatever could be: damage widens a segment's error, and must not buy its way out. A column of which
    no segment can be judged makes the check INCONCLUSIVE.
    """
    usable(rows, candidate=ours, champion=theirs)
    if not declared(limits, "segments"):
        return undeclared("segments", "harm", limits)
    limit, before = limits.of("segments", "harm", Harm), constant(limits, rows, ours) if theirs is None else theirs
    measures = {metric: _difference(limits, rows, ours, before, metric) for metric in limits.metrics}
    found: Parts = {column: parts(limits, rows, column, limit.min_each) for column in limits.segments}
    tests = _tests(found, measures)
    trials = list(_trials(limits, limit, found, measures, tests))
    if weak := _weak(trials, limit, tests):
        found = {column: _pooled(limits, rows, of_column, weak, limit) for column, of_column in found.items()}
        trials = list(_trials(limits, limit, found, measures, tests))
    everything, holm = [part for of_column in found.values() for part in of_column], _holm(trials, tests)
    verdict, reason, remedy = _said(limits, limit, trials, holm, found)
    against = "constant" if theirs is None else "champion"
    worst = min(trials, key=lambda trial: trial.p, default=None)
    return Check(
        "segments",
        "harm",
        verdict,
        reason + unjudged(everything),
        remedy,
        *numbers(worst.found if worst else None, len(worst.part.rows) if worst else len(rows)),
        metrics.unit(worst.metric).replace("champion", against) if worst else "",
        limit.inconclusive,
        {"against": against, "tests": tests, "segments": [*_details(trials, holm, limit.alpha), *_absent(everything)]},
    )


def _tests(found: Parts, measures: Measures) -> int:
    """How many tests share alpha: each part that is judged and an `other` of each column, in every metric.

    `other` counts whether there is one or not. So a segment that turns out weak adds no test, and no shown harm of another
    is lost by that.
    """
    judged = [part for of_column in found.values() for part in of_column if part.judged and not part.rest]
    return (len(judged) + len(found)) * len(measures)


def _trials(limits: Limits, limit: Harm, found: Parts, measures: Measures, tests: int) -> Iterator[Trial]:
    """Every part that is judged, in every metric. The intervals hold all together (Bonferroni), so that one beyond its
    margin is harm by Holm's rule as well."""
    judged = [part for of_column in found.values() for part in of_column if part.judged]
    alpha = limit.alpha / tests
    for metric, difference in measures.items():
        margin, better = _margin(limits, limit, metric), metric in metrics.HIGHER_IS_BETTER
        beyond = -margin if better else margin
        for part in judged:
            estimate = difference(part.rows)
            compared = stats.shown(estimate, beyond, higher_is_better=better, alpha=alpha)
            yield Trial(part, metric, estimate, compared, stats.p_harmed(estimate, beyond, higher_is_better=better))


def _holm(trials: Sequence[Trial], tests: int) -> Array:
    """Adjusted p of each trial (m,) among so many tests; those that were not made show nothing."""
    return stats.holm(np.array([trial.p for trial in trials] + [1.0] * (tests - len(trials))))[: len(trials)]


def _weak(trials: Sequence[Trial], limit: Harm, tests: int) -> dict[tuple[str, str], float]:
    """The segments (column, name) that are shown neither harmed nor unharmed, and where in some metric no harm below `cap`
    margins would be; and from how many on it would."""
    harmed = {_who(trial.part) for trial, p in zip(trials, _holm(trials, tests), strict=True) if p <= limit.alpha}
    found: dict[tuple[str, str], float] = {}
    for trial in trials:
        who, told = _who(trial.part), trial.found.shown_within or trial.part.rest
        if trial.least > limit.cap and not told and who not in harmed:
            found[who] = max(trial.least, found.get(who, 0))
    return found


def _who(part: Part) -> tuple[str, str]:
    return part.column, part.name


def _pooled(
    limits: Limits, rows: Rows, of_column: Sequence[Part], weak: Mapping[tuple[str, str], float], limit: Harm
) -> list[Part]:
    """The parts of a column with the weak ones marked, and in `other` beside those that are too small."""
    marked = [
        replace(part, pooled=True, weak=f"shows no harm below {weak[_who(part)]:.1f} margins")
        if _who(part) in weak and not part.rest
        else part
        for part in of_column
    ]
    return with_rest(limits, rows, marked, limit.min_each)


def _difference(limits: Limits, rows: Rows, ours: Array, theirs: Array, metric: str) -> Callable[[Array], Estimate]:
    """candidate − champion in `metric` on the rows of an index, as metrics.difference has it."""
    label, cluster = rows.label, stats.clusters(rows.cluster)[0]
    if metric == "auc":
        return lambda index: stats.auc_difference(label[index], ours[index], theirs[index], cluster[index])
    difference, overall = metrics.per_row(metric, label, ours, theirs, limits.threshold)
    if metric == "accuracy":
        return lambda index: stats.clustered_mean(difference[index], cluster[index])
    before = metrics.LOSSES[metric](label, theirs)
    # Where the champion has no loss at all, a loss is a share of what it has overall.
    return lambda index: stats.clustered_mean(difference[index], cluster[index]).scaled(
        1 / float(before[index].mean() or overall)
    )


def _margin(limits: Limits, limit: Harm, metric: str) -> float:
    if metric not in limit.margins:
        where = f"({limits.file}: gates.segments.harm.margins.{metric})"
        raise Problem(f"gates.segments.harm.margins.{metric}: key is missing, expected it for gates.metrics {where}")
    return limit.margins[metric]


def _said(limits: Limits, limit: Harm, trials: Sequence[Trial], holm: Array, found: Parts) -> tuple[Verdict, str, str]:
    """Verdict, reason and remedy; what the reason has to say of segments that are not judged comes after it."""
    harmed = sorted((trial.p, _line(trial, p)) for trial, p in zip(trials, holm, strict=True) if p <= limit.alpha)
    if harmed:
        lines = [line for _, line in harmed[:SHOWN]] + [f"and {len(harmed) - SHOWN} more"] * (len(harmed) > SHOWN)
        return Verdict.BLOCK, "; ".join(lines), WORSE.format(key=f"{limits.file}: gates.segments.harm.margins")
    if blind := [column for column, of_column in found.items() if not enough(of_column)]:
        remedy = f"hold out more rows ({limits.file}: gates.rows), or declare a coarser column (gates.segments.columns)"
        return Verdict.INCONCLUSIVE, f"no segment of {', '.join(blind)} can be judged, expected at least one", remedy
    nearest = _line(*min(zip(trials, holm, strict=True), key=lambda pair: pair[0].p))
    surest, blindest = (pick(trials, key=lambda trial: trial.least) for pick in (min, max))
    reason = f"none of {len(trials)} is shown to be harmed, the nearest is {nearest}; harm would show {_from(surest)}"
    return Verdict.PASS, f"{reason}, {_from(blindest)}", ""


def _from(trial: Trial) -> str:
    return f"from {trial.least:.1f} margins on in {trial.part.column} {trial.part.name} ({trial.metric})"


def _line(trial: Trial, p: float) -> str:
    found, side = trial.found, "above" if trial.found.higher_is_better else "below"
    where = f"{trial.part.column} {trial.part.name}: {trial.metric} {found.estimate:+.4f}"
    return f"{where}, expected {side} {found.margin:+g}, p {p:.2g}"


def _details(trials: Sequence[Trial], holm: Array, alpha: float) -> list[dict[str, Any]]:
    """Every trial for the views; `q` is its p adjusted for the share of false alarms, which reports and never blocks."""
    q = stats.false_discovery(np.array([trial.p for trial in trials]))
    return [
        {
            "column": trial.part.column,
            "segment": trial.part.name,
            "metric": trial.metric,
            "estimate": trial.found.estimate,
            "low": trial.found.interval[0],
            "high": trial.found.interval[1],
            "margin": trial.found.margin,
            "n": len(trial.part.rows),
            "error": trial.estimate.error,
            "clusters": int(trial.estimate.freedom) + 1,
            "judged": True,
            "why": trial.part.weak,
            "harmed": bool(holm[number] <= alpha),
            "detectable": trial.found.smallest_detectable_effect,
            "p": trial.p,
            "holm": float(holm[number]),
            "q": float(q[number]),
        }
        for number, trial in enumerate(trials)
    ]


def _absent(everything: Sequence[Part]) -> list[dict[str, Any]]:
    """The parts that are not judged, in the same words."""
    empty = dict.fromkeys(("metric", "estimate", "low", "high", "margin", "p"))
    return [
        {"column": part.column, "segment": part.name, **empty, "n": len(part.rows), "judged": False, "why": part.why}
        for part in everything
        if not part.judged
    ]
