"""Does the model treat the declared groups alike, and not less so than the champion?

Sources: Hardt, Price & Srebro 2016 (equalised odds), 29 CFR 1607.4 D (four fifths), Holm 1979. What "alike" means is one
measure, which the owner declares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from fledge import stats
from fledge.checks.parts import Part, parts, unjudged
from fledge.checks.scores import WORSE, Alpha, Count, Positive, declared, numbers, undeclared, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison, Estimate, disparity
from fledge.stats.disparity import Groups, Measure


class Declared(Limit):
    """`measure` is one of disparity.MEASURES for the task; a group is judged as a segment is (`min_each`)."""

    measure: Measure
    alpha: Alpha
    min_each: Count


class Absolute(Declared):
    """`limit` is the floor of a ratio, the cap of a gap."""

    limit: Positive


class Relative(Declared):
    """`margin` is in the measure's unit."""

    margin: Positive


Kind = TypeVar("Kind", bound=Declared)


@dataclass(frozen=True)
class Column:
    """A declared column: its parts, the rows of the judged ones with their groups, what those show, what that says."""

    name: str
    parts: list[Part]
    index: Array
    groups: Groups
    found: Comparison | None = None
    verdict: Verdict = Verdict.INCONCLUSIVE

    @property
    def judged(self) -> list[Part]:
        return [part for part in self.parts if part.judged]


def absolute(limits: Limits, rows: Rows, ours: Array) -> Check:
    """The groups of every declared column are shown to be treated as alike as the owner's limit asks.

    The candidate carries the burden of proof; rows that could not show it of a wholly fair model leave it open.
    """
    usable(rows, candidate=ours)
    if not declared(limits, "fairness"):
        return undeclared("fairness", "absolute", limits)
    limit = _limit(limits, "absolute", Absolute)
    room = 1 - limit.limit if _ratio(limit) else limit.limit  # from wholly alike to the limit

    def judged(column: Column) -> Column:
        found = _compare(limit, disparity.apart(limit.measure, column.groups, ours[column.index]), limit.limit)
        powerful = found.smallest_detectable_effect <= room
        worse = Verdict.BLOCK if found.shown_beyond or powerful else Verdict.INCONCLUSIVE
        return replace(column, found=found, verdict=Verdict.PASS if found.shown_within else worse)

    columns = [judged(one) if len(one.judged) > 1 else one for one in _columns(limits, rows, limit)]
    return _check(limits, rows, limit, columns, {"candidate": ours})


def relative(limits: Limits, rows: Rows, ours: Array, theirs: Array) -> Check:
    """The groups of no declared column are shown to be treated less alike than by the champion, beyond the margin.

    Here the gate carries the burden of proof, as with segments; Holm over the columns.
    """
    usable(rows, candidate=ours, champion=theirs)
    if not declared(limits, "fairness"):
        return undeclared("fairness", "relative", limits)
    limit = _limit(limits, "relative", Relative)
    margin, columns = -limit.margin if _ratio(limit) else limit.margin, _columns(limits, rows, limit)
    wider = {
        one.name: disparity.further_apart(limit.measure, one.groups, ours[one.index], theirs[one.index])
        for one in columns
        if len(one.judged) > 1
    }
    p = stats.holm(np.array([stats.p_harmed(one, margin, higher_is_better=_ratio(limit)) for one in wider.values()]))
    verdicts = {name: Verdict.BLOCK if one <= limit.alpha else Verdict.PASS for name, one in zip(wider, p, strict=True)}
    judged = [
        replace(one, found=_shown(limit, wider[one.name], margin, len(wider)), verdict=verdicts[one.name])
        if one.name in wider
        else one
        for one in columns
    ]
    return _check(limits, rows, limit, judged, {"candidate": ours, "champion": theirs})


def _limit(limits: Limits, check: str, kind: type[Kind]) -> Kind:
    """The section of the check. Raises Problem for a measure that is not the task's."""
    limit = limits.of("fairness", check, kind)
    known, where = disparity.MEASURES[limits.task], f"({limits.file}: gates.fairness.{check}.measure)"
    if limit.measure not in known:
        raise Problem(f"fairness: found measure {limit.measure}, expected one of {', '.join(known)} {where}")
    return limit


def _columns(limits: Limits, rows: Rows, limit: Declared) -> list[Column]:
    cluster, found = stats.clusters(rows.cluster)[0], []
    for name in limits.groups:
        pieces = parts(limits, rows, name, limit.min_each)
        judged = [part.rows for part in pieces if part.judged]
        index = np.concatenate([np.array([], dtype=np.int64), *judged])
        group = np.repeat(np.arange(len(judged)), [len(one) for one in judged])
        found.append(Column(name, pieces, index, Groups(rows.label[index], group, cluster[index], limits.threshold)))
    return found


def _ratio(limit: Declared) -> bool:
    return limit.measure in disparity.HIGHER_IS_BETTER


def _compare(limit: Declared, estimate: Estimate, margin: float) -> Comparison:
    return stats.compare(estimate, margin, higher_is_better=_ratio(limit), alpha=limit.alpha)


def _shown(limit: Declared, estimate: Estimate, margin: float, columns: int) -> Comparison:
    """The intervals of so many columns hold together (Bonferroni): one beyond its margin is harm by Holm's rule too."""
    return stats.shown(estimate, margin, higher_is_better=_ratio(limit), alpha=limit.alpha / columns)


def _check(
    limits: Limits, rows: Rows, limit: Declared, columns: Sequence[Column], scores: Mapping[str, Array]
) -> Check:
    """The worst verdict of any column with its lines, and the numbers of the column that is nearest to its limit."""
    name, key = ("absolute", "limit") if isinstance(limit, Absolute) else ("relative", "margin")
    where, order = f"{limits.file}: gates.fairness.{name}.{key}", [Verdict.BLOCK, Verdict.INCONCLUSIVE, Verdict.PASS]
    worst = min((column.verdict for column in columns), key=order.index)
    more = f"hold out more rows ({limits.file}: gates.rows), or declare a coarser column (gates.fairness.columns)"
    nearest = min((column.found for column in columns if column.found), key=_room, default=None)
    return Check(
        "fairness",
        name,
        worst,
        "; ".join(_line(limit, column) for column in columns if column.verdict is worst)
        + unjudged([part for column in columns for part in column.parts]),
        {Verdict.BLOCK: WORSE.format(key=where), Verdict.INCONCLUSIVE: more, Verdict.PASS: ""}[worst],
        *numbers(nearest, len(rows)),
        limit.measure,
        limit.inconclusive,
        ({} if isinstance(limit, Absolute) else {"equal": 0})
        | {"measure": limit.measure, "columns": [_detail(limit, column, scores) for column in columns]},
    )


def _room(found: Comparison) -> float:
    """How far the estimate is on the good side of its margin."""
    return found.estimate - found.margin if found.higher_is_better else found.margin - found.estimate


def _line(limit: Declared, column: Column) -> str:
    found = column.found
    if found is None:
        return f"{column.name}: {len(column.judged)} groups can be judged, expected two"
    low, high = found.interval
    what = limit.measure if isinstance(limit, Absolute) else f"candidate - champion of {limit.measure}"
    side = "least" if found.higher_is_better else "most"
    return (
        f"{column.name}: {what} is {found.estimate:.4f}, {low:.4f} to {high:.4f}, expected at {side} {found.margin:g}"
    )


def _detail(limit: Declared, column: Column, scores: Mapping[str, Array]) -> dict[str, Any]:
    """A column for the views: what is compared, each judged group's rates by each model, and which are not judged."""
    rates = {who: disparity.rates(limit.measure, column.groups, s[column.index]) for who, s in scores.items()}
    judged = [
        {"group": part.name, "n": len(part.rows), "judged": True}
        | {who: {name: each[number] for name, each in of_model.items()} for who, of_model in rates.items()}
        for number, part in enumerate(column.judged)
    ]
    rest = [
        {"group": part.name, "n": len(part.rows), "judged": False, "why": part.why}
        for part in column.parts
        if not part.judged
    ]
    found = column.found
    low, high = found.interval if found else (None, None)
    said = {"estimate": found and found.estimate, "low": low, "high": high, "margin": found and found.margin}
    return {"column": column.name, **said, "groups": [*judged, *rest]}
