"""What an SVG is made of: its elements as records, scales from numbers to places, and round numbers for an axis."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Shape:
    """An SVG element: its tag, its attributes (`class` says its meaning, CSS its colour) and its text."""

    tag: str
    attributes: Mapping[str, str | float]
    text: str = ""


def linear(domain: tuple[float, float], places: tuple[float, float]) -> Scale:
    """From numbers to places; what is outside of the domain lands on its edge."""
    (low, high), (start, end) = domain, places
    span = (high - low) or 1.0
    return lambda value: round(start + (min(max(value, low), high) - low) / span * (end - start), 1)


def domain(values: Iterable[float]) -> tuple[float, float]:
    """Least and largest value with a little room around them."""
    seen = list(values)
    room = 0.04 * (max(seen) - min(seen)) or 0.5
    return min(seen) - room, max(seen) + room


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most about `most` round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power_of_ten = 10.0 ** floor(log10(rough))
    step = next(size * power_of_ten for size in (1, 2, 5, 10) if size * power_of_ten >= rough)
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def thousands(count: float) -> str:
    """4,020 as 4k, 128,636 as 129k: a label that has little room."""
    for size, name in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{name}"
    return f"{count:.0f}"


def text(at: Point, words: str, kind: str) -> Shape:
    """Words with their foot at a point."""
    return Shape("text", {"x": at[0], "y": round(at[1], 1), "class": kind}, words)


def line(start: Point, end: Point, kind: str) -> Shape:
    """A straight line."""
    return Shape("line", {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1], "class": kind})


def rectangle(x: float, y: float, width: float, height: float, kind: str) -> Shape:
    """A rectangle from its upper left corner."""
    return Shape("rect", {"x": x, "y": y, "width": round(width, 1), "height": round(height, 1), "class": kind})


def dot(at: Point, kind: str, radius: float = 3.2) -> Shape:
    """A circle; a small one where its kind says small."""
    size = 1.7 if "small" in kind else radius
    return Shape("circle", {"cx": at[0], "cy": at[1], "r": size, "class": kind})


def path(points: Sequence[Point], kind: str) -> Shape:
    """Straight lines from point to point."""
    return Shape("polyline", {"points": _listed(points), "class": kind})


def polygon(corners: Sequence[Point], kind: str) -> Shape:
    """The same, closed."""
    return Shape("polygon", {"points": _listed(corners), "class": kind})


def tick(value: float) -> str:
    """A number beside an axis."""
    return f"{value:.4g}"


def _listed(points: Sequence[Point]) -> str:
    return " ".join(f"{round(x, 1)},{round(y, 1)}" for x, y in points)
