"""How much worse a candidate is, in margins, and from how many on the gates promise to see it.

1 is as much as may be. Where the gate must show harm, and most of all in a segment, harm of the margin is shown as seldom
as a false alarm would be: there the promise begins where these rows would show it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fledge import stats
from fledge.calibration.outcomes import SURE
from fledge.checks import calibration, regression, segments
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array, Estimate

Sizes = dict[str, float]  # by gate.check

LARGE, SLOPE, HARM = "calibration.in_the_large", "calibration.slope", "segments.harm"


def found(limits: Limits, checks: Sequence[Check]) -> Sizes:
    """The estimate of each metric, and how far calibration is off. Not the segments': the worst of many is mostly luck."""
    made = _made(checks)
    sizes = {name: _share(check) for name, check in made.items() if name in _metrics(limits)}
    if large := made.get(LARGE):
        sizes[LARGE] = abs(_share(large))
    return sizes | _slope(made)


def done(
    limits: Limits, rows: Rows, ours: Array, whole: Array, checks: Sequence[Check], name: str
) -> tuple[Sizes, Sizes]:
    """What the damage `name` did to a network: its answers `ours` beside those that it gave `whole`, on the same rows.

    So nothing that another seed does is taken for damage. Second, by check, from how many margins on it would be shown as
    often as SURE says. `checks` are those of the damaged network and its champion; nothing where they could not be made.
    """
    made = _made(checks)
    if not made.keys() >= set(_metrics(limits)):
        return {}, {}
    beside = [regression.not_worse(limits, rows, ours, whole, metric) for metric in limits.metrics]
    sizes, shown = {name: _share(check) for name, check in _made(beside).items()} | _slope(made), Sizes()
    if large := made.get(LARGE):
        moved = np.abs(ours.mean(axis=0) - whole.mean(axis=0))
        sizes[LARGE] = float(np.max(moved)) / abs(float(large.margin or 1))
    if slope := made.get(SLOPE):
        alpha = limits.of("calibration", "slope", calibration.Slope).alpha / 2
        shown[SLOPE] = _surely(slope.details, abs(1 - float(slope.margin or 0)), alpha)
    if HARM in made and (harmed := _harmed(limits, made[HARM], segments.harm(limits, rows, ours, whole), name)):
        sizes[HARM], shown[HARM] = max(harmed, key=lambda one: one[0] / one[1])
    return sizes, shown


def _made(checks: Sequence[Check]) -> dict[str, Check]:
    """Those that estimate something and hold it against a margin, by gate.check."""
    return {f"{one.gate}.{one.name}": one for one in checks if one.estimate is not None and one.margin}


def _metrics(limits: Limits) -> list[str]:
    return [f"regression.{metric}" for metric in limits.metrics]


def _share(check: Check) -> float:
    return float(check.estimate or 0) / float(check.margin or 1)


def _slope(made: Mapping[str, Check]) -> Sizes:
    slope = made.get(SLOPE)
    return {SLOPE: (1 - float(slope.estimate or 0)) / (1 - float(slope.margin or 0))} if slope else {}


def _harmed(limits: Limits, judged: Check, beside: Check, name: str) -> list[tuple[float, float]]:
    """For each metric how much the segment that `name` ends with was harmed, and from how much on that is surely shown."""
    every, damage = ([one for one in check.details["segments"] if one["judged"]] for check in (judged, beside))
    alpha = limits.of("segments", "harm", segments.Harm).alpha / judged.details["tests"]
    size = {one["metric"]: one["estimate"] / one["margin"] for one in damage if _is(one, name)}
    return [(size[one["metric"]], _surely(one, abs(one["margin"]), alpha)) for one in every if _is(one, name)]


def _is(segment: Mapping[str, Any], name: str) -> bool:
    return name.endswith(f" in {segment['column']}={segment['segment']}")


def _surely(numbers: Mapping[str, Any], margin: float, alpha: float) -> float:
    """The least harm, in margins, that an error of so many clusters shows as often as SURE says."""
    estimate = Estimate(0.0, numbers["error"], numbers["clusters"] - 1)
    return 1 + stats.detectable(estimate, alpha, power=SURE) / margin
