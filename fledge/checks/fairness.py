"""Does the model treat the declared groups alike, and not less so than the champion?

Sources: Hardt, Price & Srebro 2016 (equalised odds), 29 CFR 1607.4 D (four fifths), Holm 1979. What "alike" means is one
measure, which the owner declares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from fledge import stats
from fledge.checks.parts import Part, parts, unjudged
from fledge.checks.scores import WORSE, Alpha, Count, Positive, declared, numbers, undeclared, usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison, Estimate, disparity
from fledge.stats.disparity import Groups, Measure

OF_YES: tuple[Measure, ...] = ("selection_rate_ratio", "equalised_odds_gap")  # what they compare are decisions alone
ORDER = (Verdict.BLOCK, Verdict.INCONCLUSIVE, Verdict.PASS)  # the worst first


class Declared(Limit):
    """`measure` is one of disparity.MEASURES for the task; a group is judged as a segment is (`min_each`)."""

    measure: Measure
    alpha: Alpha
    min_each: Count


class Absolute(Declared):
    """`limit` is the floor of a ratio, the cap of a gap."""

    limit: Positive


class Relative(Declared):
    """`margin` is in the measure's unit; `cap` is a number of margins, as of segments."""

    margin: Positive
    cap: Annotated[float, Field(gt=1)] = 5.0


Kind = TypeVar("Kind", bound=Declared)


@dataclass(frozen=True)
class Column:
    """A declared column: its parts, the rows of the judged ones with their groups, what those show, what that says.

    `unseen` says why the answers show nothing, `weak` from how much on what is shown would be harm; neither where all is well.
    """

    name: str
    parts: list[Part]
    index: Array
    groups: Groups
    unseen: str = ""
    found: Comparison | None = None
    verdict: Verdict = Verdict.INCONCLUSIVE
    weak: str = ""

    @property
    def judged(self) -> list[Part]:
        return [part for part in self.parts if part.judged]

    @property
    def several(self) -> bool:
        """Whether there is a group to compare another with."""
        return len(self.judged) > 1

    @property
    def comparable(self) -> bool:
        """Whether the answers say something of several groups."""
        return self.several and not self.unseen


def absolute(limits: Limits, rows: Rows, ours: Array) -> Check:
    """The groups of every declared column are shown to be treated as alike as the owner's limit asks.

    The candidate carries the burden of proof; rows that could not show it of a wholly fair model leave it open, and so do
    decisions that are the same for everybody.
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

    scores = {"candidate": ours}
    columns = [judged(one) if one.comparable else one for one in _columns(limits, rows, limit, scores)]
    return _check(limits, rows, limit, columns, scores)


def relative(limits: Limits, rows: Rows, ours: Array, theirs: Array) -> Check:
    """The groups of no declared column are shown to be treated less alike than by the champion, beyond the margin.

    Here the gate carries the burden of proof, as with segments; Holm over the columns. One that may be harmed and would
    show it from no less than `cap` margins on is left open, and so is one of which both models decide the same for everybody.
    """
    usable(rows, candidate=ours, champion=theirs)
    if not declared(limits, "fairness"):
        return undeclared("fairness", "relative", limits)
    limit = _limit(limits, "relative", Relative)
    scores, margin = {"candidate": ours, "champion": theirs}, -limit.margin if _ratio(limit) else limit.margin
    columns = _columns(limits, rows, limit, scores)
    wider = {
        one.name: disparity.further_apart(limit.measure, one.groups, ours[one.index], theirs[one.index])
        for one in columns
        if one.several
    }
    p = stats.holm(np.array([stats.p_harmed(one, margin, higher_is_better=_ratio(limit)) for one in wider.values()]))
    harmed = {name for name, one in zip(wider, p, strict=True) if one <= limit.alpha}
    judged = [
        _beside(limit, one, _shown(limit, wider[one.name], margin, len(wider)), one.name in harmed)
        if one.comparable
        else one
        for one in columns
    ]
    return _check(limits, rows, limit, judged, scores)


def _beside(limit: Relative, column: Column, found: Comparison, harmed: bool) -> Column:
    """What the comparison with the champion says of a column, where it is shown to be harmed and where not."""
    least = found.smallest_detectable_effect / limit.margin
    weak = least > limit.cap and not (harmed or found.shown_within)
    verdict = Verdict.BLOCK if harmed else Verdict.INCONCLUSIVE if weak else Verdict.PASS
    said = (
        f"; harm would show from {least:.1f} margins on, expected {limit.cap:g} or less (gates.fairness.relative.cap)"
        if weak
        else ""
    )
    return replace(column, found=found, verdict=verdict, weak=said)


def _limit(limits: Limits, check: str, kind: type[Kind]) -> Kind:
    """The section of the check. Raises Problem for a measure that is not the task's."""
    limit = limits.of("fairness", check, kind)
    known, where = disparity.MEASURES[limits.task], f"({limits.file}: gates.fairness.{check}.measure)"
    if limit.measure not in known:
        raise Problem(f"fairness: found measure {limit.measure}, expected one of {', '.join(known)} {where}")
    return limit


def _columns(limits: Limits, rows: Rows, limit: Declared, scores: Mapping[str, Array]) -> list[Column]:
    cluster, found = stats.clusters(rows.cluster)[0], []
    for name in limits.groups:
        pieces = parts(limits, rows, name, limit.min_each)
        judged = [part.rows for part in pieces if part.judged]
        index = np.concatenate([np.array([], dtype=np.int64), *judged])
        group = np.repeat(np.arange(len(judged)), [len(one) for one in judged])
        groups = Groups(rows.label[index], group, cluster[index], limits.threshold)
        found.append(Column(name, pieces, index, groups, _unseen(limits, limit, index, scores)))
    return found


def _unseen(limits: Limits, limit: Declared, index: Array, scores: Mapping[str, Array]) -> str:
    """Why the decisions on the rows of an index show nothing, if they do not: no model makes a difference between any.

    Groups of which nobody gets a yes are alike, but so they are of any model below the threshold.
    """
    if limit.measure not in OF_YES or not len(index):
        return ""
    shares = {who: np.mean(score[index] >= limits.threshold) for who, score in scores.items()}
    if any(0 < share < 1 for share in shares.values()):
        return ""
    said = [f"{'everybody' if share else 'nobody'} gets a yes from the {who}" for who, share in shares.items()]
    return f"{' and '.join(said)}, expected some to and some not"


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
    """The worst verdict of any column with the lines of those that have it, and the numbers of one of these."""
    worst = min((column.verdict for column in columns), key=ORDER.index)
    decisive = [column for column in columns if column.verdict is worst]
    found, n = _numbers(decisive) or _numbers(columns) or (None, len(rows))
    return Check(
        "fairness",
        _name(limit),
        worst,
        "; ".join(_line(limit, column) for column in decisive)
        + unjudged([part for column in columns for part in column.parts]),
        _remedy(limits, limit, worst, decisive),
        *numbers(found, n),
        limit.measure,
        limit.inconclusive,
        ({} if isinstance(limit, Absolute) else {"equal": 0})
        | {"measure": limit.measure, "columns": [_detail(limit, column, scores) for column in columns]},
    )


def _name(limit: Declared) -> str:
    return "absolute" if isinstance(limit, Absolute) else "relative"


def _numbers(columns: Sequence[Column]) -> tuple[Comparison, int] | None:
    """Of the columns that were compared the one that is nearest to its limit, one that is surely beyond before others."""
    compared = [(column.found, len(column.index)) for column in columns if column.found]
    return min(compared, key=lambda one: (not one[0].shown_beyond, _room(one[0])), default=None)


def _remedy(limits: Limits, limit: Declared, worst: Verdict, decisive: Sequence[Column]) -> str:
    if worst is Verdict.PASS:
        return ""
    if worst is Verdict.BLOCK:
        key = "limit" if isinstance(limit, Absolute) else "margin"
        return WORSE.format(key=f"{limits.file}: gates.fairness.{_name(limit)}.{key}")
    ways = {
        f"move {limits.file}: gates.threshold ({limits.threshold:g}) to where answers are on both sides of it"
        if column.several and column.unseen
        else f"hold out more rows ({limits.file}: gates.rows), or declare a coarser column (gates.fairness.columns)": None
        for column in decisive
    }
    return "; ".join(ways)


def _room(found: Comparison) -> float:
    """How far the estimate is on the good side of its margin."""
    return found.estimate - found.margin if found.higher_is_better else found.margin - found.estimate


def _line(limit: Declared, column: Column) -> str:
    found = column.found
    if not column.several:
        return f"{column.name}: {len(column.judged)} groups can be judged, expected two"
    if found is None:
        return f"{column.name}: {column.unseen}"
    low, high = found.interval
    what = limit.measure if isinstance(limit, Absolute) else f"candidate - champion of {limit.measure}"
    side = "least" if found.higher_is_better else "most"
    is_now = f"{found.estimate:.4f}, {low:.4f} to {high:.4f}, expected at {side} {found.margin:g}"
    return f"{column.name}: {what} is {is_now}{column.weak}"


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
