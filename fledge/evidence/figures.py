"""What the page draws of evidence, and why it does not draw the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fledge.evidence import Check, Evidence, Verdict, plots
from fledge.evidence.details import Bin, Number, Segment, Sensitivity, equal, in_margins, read
from fledge.evidence.shapes import Shape
from fledge.evidence.wording import name, number, ordered

SHOWN = 30  # segments of one metric in a figure; the table beneath holds all
KINDS = {Verdict.PASS: "pass", Verdict.BLOCK: "block", Verdict.INCONCLUSIVE: "unsure"}


@dataclass(frozen=True)
class Figure:
    """One picture: what it shows, what is to be seen on it in words, its shapes, and its numbers as a table.

    A figure without shapes is not drawn, and `caption` says why.
    """

    title: str
    caption: str
    seen: str = ""
    height: float = 0.0
    shapes: Sequence[Shape] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)


def figures(evidence: Evidence) -> list[Figure]:
    """Comparisons, segments, reliability, ratios by block, power: those that the evidence has numbers for first."""
    makers = (comparisons, segments, reliability, blocks, power)
    made = [figure for make in makers for figure in make(ordered(evidence.checks))]
    return sorted(made, key=lambda figure: not figure.shapes)


def comparisons(checks: Sequence[Check]) -> Iterator[Figure]:
    """Every comparison with the champion on one axis of margins."""
    title, compared = "Candidate against champion", [check for check in checks if equal(check) is not None]
    drawn = [(check, found) for check in compared if (found := in_margins(check))]
    if not drawn:
        yield Figure(title, "not drawn, because no check compares with a champion.")
        return
    height, shapes = plots.intervals(
        [plots.Interval(name(check), *found, KINDS[check.verdict]) for check, found in drawn]
    )
    rest = [name(check) for check in compared if not in_margins(check)]
    caption = (
        "Each estimate and its interval, in margins: 0 is as good as the champion, right of 1 is worse than allowed."
    )
    if rest:
        caption += f" Not on this axis, for want of a margin on the bad side: {', '.join(rest)}."
    rows = [[name(check), *(f"{value:+.2f}" for value in found), check.verdict] for check, found in drawn]
    yield Figure(title, caption, _placed(drawn), height, shapes, ("check", "estimate", "low", "high", "verdict"), rows)


def segments(checks: Sequence[Check]) -> Iterator[Figure]:
    """One forest for each metric, the worst segment first."""
    found = [one for check in checks for one in read(check, "segments", list[Segment]) or []]
    judged = [(one, row) for one in found if (row := _segment(one))]
    small = [one for one in found if not one.judged]
    if not judged:
        yield Figure(
            "Segments", "not drawn, because no segment was judged: no columns are declared, or none has enough rows."
        )
    for metric in dict.fromkeys(one.metric for one, _ in judged):
        mine = sorted((pair for pair in judged if pair[0].metric == metric), key=lambda pair: -pair[1].estimate)
        height, shapes = plots.intervals([row for _, row in mine[:SHOWN]])
        beyond = [row.label for _, row in mine if row.kind == "block"]
        caption = f"{metric} of each segment, in margins of {number(abs(mine[0][0].margin or 0))}, worst first."
        caption += f" Drawn are the first {SHOWN} of {len(mine)}." if len(mine) > SHOWN else ""
        caption += f" {len(small)} are too small to be judged: see the numbers." if small else ""
        caption += " The intervals hold all together." if mine[0][0].harmed is not None else ""
        seen = f"{len(mine)} segments; shown beyond the margin: {', '.join(beyond) or 'none'}."
        rows = [
            [
                _called(one),
                *map(number, (one.estimate, one.low, one.high, one.margin)),
                f"{one.n:,}",
                number(one.detectable),
            ]
            for one, _ in mine
        ]
        rows += [[_called(one), *["–"] * 4, f"{one.n:,}", "–"] for one in small]
        columns = ("segment", "estimate", "low", "high", "margin", "n", "shown from")
        yield Figure(f"Segments by {metric}", caption, seen, height, shapes, columns, rows)


def reliability(checks: Sequence[Check]) -> Iterator[Figure]:
    """What happened against what was predicted, candidate and champion."""
    title = "Reliability"
    for check in checks:
        if not (ours := read(check, "reliability", list[Bin])):
            continue
        series = {"candidate": ours, "champion": read(check, "champion", list[Bin]) or []}
        height, shapes = plots.curves({who: bins for who, bins in series.items() if bins})
        worst = max(ours, key=lambda one: abs(one.observed - one.predicted))
        seen = f"The candidate is furthest off where it predicts {number(worst.predicted)}: {number(worst.observed)} observed."
        rows = [
            [who, number(one.predicted), number(one.observed), number(one.low), number(one.high), f"{one.n:,}"]
            for who, bins in series.items()
            for one in bins
        ]
        caption = "Mean prediction and what was observed, in bins of equally many rows; on the dashed line they agree."
        caption += "" if series["champion"] else " There is no champion's curve."
        yield Figure(title, caption, seen, height, shapes, ("model", "predicted", "observed", "low", "high", "n"), rows)
        return
    yield Figure(title, "not drawn, because no check left a reliability curve.")


def blocks(checks: Sequence[Check]) -> Iterator[Figure]:
    """The ratio of each block in order of time, for each check that measured in blocks."""
    drawn = False
    for check in checks:
        ratios = read(check, "blocks", list[Number])
        if not ratios or check.interval is None or check.margin is None:
            continue
        drawn = True
        height, shapes = plots.blocks(ratios, check.interval, check.margin)
        low, high = map(number, check.interval)
        seen = (
            f"{len(ratios)} blocks from {number(min(ratios))} to {number(max(ratios))}; margin {number(check.margin)}."
        )
        caption = f"Candidate / champion, block by block; the band is the interval of their median, {low} to {high}."
        rows = [[f"{place}", number(ratio)] for place, ratio in enumerate(ratios, 1)]
        yield Figure(f"{name(check)} by block", caption, seen, height, shapes, ("block", "ratio"), rows)
    if not drawn:
        yield Figure("Latency by block", "not drawn, because nothing was timed beside a champion.")


def power(checks: Sequence[Check]) -> Iterator[Figure]:
    """The smallest detectable effect against rows, for each check that knows it."""
    drawn = False
    for check in checks:
        points = read(check, "power", list[Sensitivity])
        if not points or check.margin is None:
            continue
        drawn = True
        margin = abs(check.margin)
        height, shapes = plots.power(points, margin, check.n)
        enough = min((point.rows for point in points if point.detectable <= margin), default=None)
        seen = f"The margin {number(margin)} is detectable " + (
            f"with {enough:,.0f} rows." if enough else "with none of these numbers of rows."
        )
        caption = f"The smallest loss that so many rows could show; there are {check.n or 0:,}."
        rows = [[f"{point.rows:,.0f}", number(point.detectable)] for point in points]
        columns = ("rows", "smallest detectable effect")
        yield Figure(f"Power of {name(check)}", caption, seen, height, shapes, columns, rows)
    if not drawn:
        yield Figure("Power", "not drawn, because no check left a power curve.")


def _segment(one: Segment) -> plots.Interval | None:
    """In margins; None for a segment that is not judged, or whose margin is zero."""
    if not one.judged or not one.margin or one.estimate is None or one.low is None or one.high is None:
        return None
    estimate = one.estimate / one.margin
    low, high = sorted((one.low / one.margin, one.high / one.margin))
    harmed = low > 1 if one.harmed is None else one.harmed
    kind = "block" if harmed else "unsure" if estimate > 1 else "pass"
    return plots.Interval(f"{one.column} {one.segment}", estimate, low, high, kind)


def _called(one: Segment) -> str:
    """With what it lacks to be judged, or to be judged for itself alone."""
    return f"{one.column} {one.segment}" + (f": {one.why}" if one.why else "")


def _placed(drawn: Sequence[tuple[Check, tuple[float, float, float]]]) -> str:
    beyond = [name(check) for check, (_, low, _) in drawn if low > 1]
    across = [name(check) for check, (_, low, high) in drawn if low <= 1 < high]
    return (
        f"{len(drawn)} comparisons; beyond the margin: {', '.join(beyond) or 'none'}; "
        f"across it: {', '.join(across) or 'none'}; the others within."
    )
