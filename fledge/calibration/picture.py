"""The operating characteristic as a picture: share blocked against the size of the damage. SVG, no script."""

from collections.abc import Sequence
from math import log
from xml.sax.saxutils import escape

from fledge.calibration.outcomes import COUNTED, Damage

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 300, 56, 16, 44
SMALLEST, LARGEST = 0.05, 50.0  # sizes, in margins; what is beyond is drawn at the edge
STYLE = """text{font:12px sans-serif;fill:#333}line{stroke:#999}.d{fill:#06c;fill-opacity:.6}.m{stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){text{fill:#ccc}line{stroke:#777}.d{fill:#6af}}"""


def svg(damages: Sequence[Damage]) -> str:
    """A dot and its 95 % interval for each kind of damage; the axis of sizes is logarithmic."""
    marks = [_mark(1, "the margin", 0), _mark(COUNTED, f"{COUNTED:g} margins", 14)]
    ticks = [_tick(size) for size in (0.1, 0.3, 1, 3, 10, 30)] + [_level(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    dots = [_dot(damage) for damage in damages]
    about = f'<text x="{LEFT}" y="{HEIGHT - 6}">size of the damage, in margins; share of pairs that are blocked</text>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>Operating characteristic</title>",
            f"<style>{STYLE}</style>",
            *ticks,
            *marks,
            *dots,
            about,
            "</svg>\n",
        ]
    )


def across(size: float) -> float:
    """Where a size lies, in pixels from the left."""
    inside = min(max(size, SMALLEST), LARGEST)
    return round(LEFT + (WIDTH - LEFT - 16) * log(inside / SMALLEST) / log(LARGEST / SMALLEST), 1)


def down(share: float) -> float:
    """Where a share lies, in pixels from the top."""
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def _dot(damage: Damage) -> str:
    low, high = damage.blocked.interval
    x, y = across(damage.size), down(damage.blocked.value)
    name = escape(f"{damage.name}: {damage.size:.2f} margins, blocked {damage.blocked}")
    bar = f'<line x1="{x}" x2="{x}" y1="{down(low)}" y2="{down(high)}"/>'
    return f'<g><title>{name}</title>{bar}<circle class="d" cx="{x}" cy="{y}" r="4"/></g>'


def _tick(size: float) -> str:
    return f'<text x="{across(size)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{size:g}</text>'


def _level(share: float) -> str:
    return f'<text x="{LEFT - 8}" y="{down(share) + 4}" text-anchor="end">{share:.0%}</text>'


def _mark(size: float, name: str, lower: int) -> str:
    x = across(size)
    line = f'<line class="m" x1="{x}" x2="{x}" y1="{down(1)}" y2="{down(0)}"/>'
    return f'{line}<text x="{x + 4}" y="{down(0.5) + lower}">{name}</text>'
