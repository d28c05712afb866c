"""The geometry of the plots on the page: numbers of the evidence in, the shapes of an SVG out, and its height.

A plot is WIDTH units wide, which on a phone is about as many pixels. Rows are labelled beside their line; colour is
never the only sign: what blocks is a diamond, what is unsure is hollow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from fledge.evidence.details import Bin, Sensitivity
from fledge.evidence.shapes import (
    Scale,
    Shape,
    domain,
    dot,
    line,
    linear,
    path,
    polygon,
    rectangle,
    text,
    thousands,
    tick,
    ticks,
)

WIDTH = 360
LABELS = 134  # units for the names on the left of rows
ROW = 22
NUMBER = 38  # units for a number beside the edge
ROOM = 0.1  # margins to the left and right of all
FAR = 3.0  # margins: what lies beyond is cut and gets an arrow


@dataclass(frozen=True)
class Interval:
    """A row of a plot of intervals, in margins to the bad side; `kind` is block, unsure or pass."""

    label: str
    estimate: float
    low: float
    high: float
    kind: str


def intervals(rows: Sequence[Interval]) -> tuple[float, list[Shape]]:
    """Height and shapes: each row's estimate and interval, 0 (as the champion) and 1 (the margin) as upright lines."""
    low = max(-FAR, min([-1.2, *(row.low - ROOM for row in rows)]))
    high = min(FAR, max([1.6, *(row.high + ROOM for row in rows)]))
    x, bottom = linear((low, high), (LABELS + 8, WIDTH - 8)), 20 + ROW * len(rows)
    shapes = [
        rectangle(x(1), 18, x(high) - x(1), bottom - 18, "beyond"),
        line((x(0), 18), (x(0), bottom), "axis"),
        line((x(1), 18), (x(1), bottom), "margin"),
        text((x(low), 11), "← better", "tick start"),
        text((x(high), 11), "worse →", "tick end"),
        text((x(0), bottom + 13), "0", "tick"),
        text((x(1), bottom + 13), "margin", "tick strong"),
    ]
    for number, row in enumerate(rows):
        shapes += _interval(row, 18 + ROW * (number + 0.5), x, (low, high))
    return bottom + 20, shapes


def curves(series: Mapping[str, Sequence[Bin]]) -> tuple[float, list[Shape]]:
    """Height and shapes: what was observed against what was predicted, by model, and the diagonal where they agree."""
    bins = [one for of_model in series.values() for one in of_model]
    seen = [value for one in bins for value in (one.predicted, one.observed, one.low, one.high) if value is not None]
    low, high = domain(seen)
    x, y = linear((low, high), (44, WIDTH - 10)), linear((low, high), (284, 18))
    shapes = [*_grid(x, y, (low, high)), line((x(low), y(low)), (x(high), y(high)), "even")]
    for who, of_model in reversed(list(series.items())):  # the candidate above the champion
        for one in of_model:
            if one.low is not None and one.high is not None:
                shapes.append(line((x(one.predicted), y(one.low)), (x(one.predicted), y(one.high)), f"bar {who}"))
        points = [(x(one.predicted), y(one.observed)) for one in of_model]
        shapes += [path(points, f"curve {who}"), *(dot(point, f"dot {who}") for point in points)]
    for place, who in enumerate(series):
        shapes += [dot((54, 30 + 15 * place), f"dot {who}"), text((62, 34 + 15 * place), who, "label")]
    return 324, [
        *shapes,
        text((WIDTH - 10, 316), "predicted →", "tick end"),
        text((44, 10), "↑ observed", "tick start"),
    ]


def blocks(ratios: Sequence[float], interval: tuple[float, float], margin: float) -> tuple[float, list[Shape]]:
    """Height and shapes: the ratio of each block in order of time, their median's interval as a band, 1 and the margin."""
    most = 2 * max(interval[1], margin, 1.0)  # a neighbour's burst must not press the rest into a line
    low, high = domain([*(min(ratio, most) for ratio in ratios), *interval, 1.0, margin])
    x, y = linear((0, max(len(ratios) - 1, 1)), (50, WIDTH - 14)), linear((low, high), (142, 12))
    shapes = [text((40, y(one) + 3.5), tick(one), "tick end") for one in ticks(low, high, 4)]
    shapes += [
        rectangle(44, y(interval[1]), WIDTH - 54, max(y(interval[0]) - y(interval[1]), 1), "band"),
        line((44, y(1)), (WIDTH - 10, y(1)), "axis"),
        line((44, y(margin)), (WIDTH - 10, y(margin)), "margin"),
    ]
    shapes += [dot((x(number), y(min(ratio, most))), "dot small") for number, ratio in enumerate(ratios)]
    shapes.append(text((WIDTH - 10, y(margin) - 4), "margin", "tick strong end"))
    return 166, [*shapes, text((WIDTH - 10, 160), "blocks in order of time →", "tick end")]


def power(points: Sequence[Sensitivity], margin: float, rows: int | None) -> tuple[float, list[Shape]]:
    """Height and shapes: the smallest detectable effect against rows (logarithmic), the margin, and the rows there are."""
    high = 1.15 * (max([margin, *(one.detectable for one in points)]) or 1.0)
    numbers = [log(one.rows) for one in points]
    x, y = linear((min(numbers), max(numbers)), (54, WIDTH - 22)), linear((0, high), (142, 12))
    places = [(x(number), y(one.detectable)) for number, one in zip(numbers, points, strict=True)]
    shapes = [text((44, y(one) + 3.5), tick(one), "tick end") for one in ticks(0, high, 4)]
    shapes += [line((48, y(0)), (WIDTH - 10, y(0)), "axis"), line((48, y(margin)), (WIDTH - 10, y(margin)), "margin")]
    beside = (WIDTH - 10.0, "end") if points[-1].detectable <= margin else (52.0, "start")  # where the curve is not
    shapes += [path(places, "curve candidate"), text((beside[0], y(margin) - 4), "margin", f"tick strong {beside[1]}")]
    for place, one in zip(places, points, strict=True):
        here = one.rows == rows
        shapes += [dot(place, "dot candidate" if here else "dot candidate small")]
        shapes += [text((place[0], 156), thousands(one.rows), "tick strong" if here else "tick")]
    return 176, [*shapes, text((WIDTH - 10, 171), "rows →", "tick end")]


def _interval(row: Interval, y: float, x: Scale, seen: tuple[float, float]) -> list[Shape]:
    name = row.label if len(row.label) <= 22 else f"{row.label[:21]}…"
    label, at, start, end = text((0, y + 4), name, f"label {row.kind}"), x(row.estimate), x(row.low), x(row.high)
    if row.estimate >= seen[1]:
        return [label, line((min(start, at - NUMBER), y), (at - NUMBER, y), f"bar {row.kind}"), *_far(row, at, y, 1)]
    if row.estimate <= seen[0]:
        return [label, line((at + NUMBER, y), (max(end, at + NUMBER), y), f"bar {row.kind}"), *_far(row, at, y, -1)]
    shapes = [label, line((start, y), (end, y), f"bar {row.kind}")]
    for goes_on, edge, way in ((row.low < seen[0], start, 1), (row.high > seen[1], end, -1)):
        if goes_on:
            shapes.append(path([(edge + 4 * way, y - 3.5), (edge, y), (edge + 4 * way, y + 3.5)], f"arrow {row.kind}"))
    if row.kind == "block":
        return [*shapes, polygon([(at, y - 5), (at + 5, y), (at, y + 5), (at - 5, y)], "dot block")]
    return [*shapes, dot((at, y), f"dot {row.kind}", 3.8)]


def _far(row: Interval, at: float, y: float, way: int) -> list[Shape]:
    """An estimate outside of the picture: a head that points there, and how many margins it is away."""
    head = polygon([(at - 6 * way, y - 5), (at, y), (at - 6 * way, y + 5)], f"far {row.kind}")
    side = "end" if way > 0 else "start"
    return [head, text((round(at - 9 * way, 1), y + 4), f"{row.estimate:.3g}", f"tick strong {side}")]


def _grid(x: Scale, y: Scale, seen: tuple[float, float]) -> list[Shape]:
    shapes = []
    for one in ticks(*seen):
        shapes += [line((x(one), y(seen[0])), (x(one), y(seen[1])), "grid")]
        shapes += [line((x(seen[0]), y(one)), (x(seen[1]), y(one)), "grid")]
        shapes += [text((x(one), y(seen[0]) + 14), tick(one), "tick")]
        shapes += [text((x(seen[0]) - 5, y(one) + 3.5), tick(one), "tick end")]
    return shapes
