"""What a check's `details` hold for figures and tables. A key that is absent, or holds something else, shows nothing.

equal: number. The estimate of a candidate as good as the champion: 0 of a difference, 1 of a ratio.
higher_is_better: true or false. The estimate is candidate - champion, so 0 is equal unless `equal` says otherwise.
blocks: [ratio, …]. The estimate is candidate / champion, so 1 is equal; the ratio of each block in order of time.
power: [Sensitivity, …]. What so many rows could show.
segments: [Segment, …]. Of one that is not judged, or judged in a pool too, `why` says what it lacks; `detectable` is the
least harm that it would have shown.
reliability, champion: [Bin, …]. The candidate's and the champion's reliability curve.
scores: {who: {name: number or null}}. What is reported and not judged.
columns, inputs: [{name: number or text, groups: [{…}, …]}, …]. A table as it is, and one of all groups.
"""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from fledge.evidence import Check

Kind = TypeVar("Kind")
Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]  # beyond that a picture shows nothing
Scores = dict[str, dict[str, Number | None]]


@dataclass(frozen=True)
class Sensitivity:
    rows: Annotated[Number, Field(gt=0)]
    detectable: Annotated[Number, Field(ge=0)]


@dataclass(frozen=True)
class Bin:
    predicted: Number
    observed: Number
    low: Number | None
    high: Number | None
    n: int


@dataclass(frozen=True)
class Segment:
    column: str
    segment: str
    n: int
    judged: bool
    metric: str | None = None
    estimate: Number | None = None
    low: Number | None = None
    high: Number | None = None
    margin: Number | None = None
    why: str = ""
    harmed: bool | None = None  # all tests considered; None: as its interval says
    detectable: Number | None = None


def read(check: Check, key: str, kind: type[Kind]) -> Kind | None:
    """What `details` hold at `key` as a `kind`; None where there is nothing, an empty list, or something else."""
    if check.details.get(key) in (None, [], {}):
        return None
    try:
        return TypeAdapter(kind).validate_python(check.details[key])
    except ValidationError:
        return None


def equal(check: Check) -> float | None:
    """The estimate of a candidate as good as the champion, None where the check compares with no champion."""
    said = read(check, "equal", Number)
    if said is not None or "higher_is_better" in check.details:
        return said or 0.0
    return 1.0 if "blocks" in check.details else None


def in_margins(check: Check) -> tuple[float, float, float] | None:
    """Estimate, low and high in margins to the bad side: 0 as good as the champion, 1 at the margin.

    None where nothing is compared, where the margin is zero, and where an improvement is asked for: there the margin
    lies on the good side.
    """
    even = equal(check)
    if even is None or check.estimate is None or check.interval is None or check.margin is None:
        return None
    room, better = check.margin - even, check.details.get("higher_is_better")
    if not room or (better is not None and better is (room > 0)):
        return None
    estimate, *bounds = ((value - even) / room for value in (check.estimate, *check.interval))
    return estimate, min(bounds), max(bounds)
