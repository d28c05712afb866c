"""Do two sets of answers to the same rows agree? A difference may be `tolerance`, plus `relative` of the answer.

Source: the rule of numpy.allclose. The usual 1e-5 and 1e-4 leave room for float32, which rounds a sum otherwise in
another order; what a model really shows stands in the reason, also where it passes (`make gates`: determinism.split).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from fledge.artifact.contract import Array
from fledge.checks.faults import NOTHING
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit

Arrays = Mapping[str, Array]
Least = Annotated[float, Field(ge=0)]


class Tolerance(Limit):
    tolerance: Least
    relative: Least = 0.0


@dataclass(frozen=True)
class Gap:
    """The worst difference between two answers, in the output's unit: what it is about, how large it is and may be."""

    what: str
    size: float
    allowed: float

    @property
    def share(self) -> float:
        """How much of what is allowed: at most 1 is good."""
        return float(_share(np.array(self.size), np.array(self.allowed)))


def gap(what: str, ours: Arrays, theirs: Arrays, limit: Tolerance) -> Gap:
    """The worst difference of any output, (n, …) each; infinite where one of the two is not finite."""
    gaps = [Gap(what, 0.0, limit.tolerance)]
    for name, expected in theirs.items():
        found, wanted = (values.astype(float).ravel() for values in (ours[name], expected))
        finite = np.isfinite(found) & np.isfinite(wanted)
        size = np.abs(np.subtract(found, wanted, where=finite, out=np.full_like(wanted, np.inf)))
        allowed = limit.tolerance + limit.relative * np.abs(np.where(finite, wanted, 0))
        if len(size):
            worst = int(np.argmax(_share(size, allowed)))
            gaps.append(Gap(what, float(size[worst]), float(allowed[worst])))
    return worst_of(gaps)


def worst_of(gaps: Iterable[Gap]) -> Gap:
    """The gap that takes most of what it may, or is furthest beyond."""
    return max(gaps, key=lambda gap: gap.share)


def agree(gate: str, name: str, gaps: Iterable[Gap], n: int, remedy: str) -> Check:
    """PASS where `n` answers were compared and no gap is larger than allowed."""
    found = list(gaps)
    if not (n and found):
        return Check(gate, name, Verdict.BLOCK, NOTHING, remedy, n=n)
    worst = worst_of(found)
    good = worst.share <= 1
    reason = f"{worst.what} by {worst.size:.2g}, expected at most {worst.allowed:.2g}"
    shown = worst.size if np.isfinite(worst.size) else None
    verdict = Verdict.PASS if good else Verdict.BLOCK
    return Check(gate, name, verdict, reason, "" if good else remedy, shown, None, worst.allowed, n)


def _share(size: Array, allowed: Array) -> Array:
    """Where nothing is allowed, nothing is 0 and anything infinite."""
    return np.divide(size, allowed, where=allowed > 0, out=np.where(size > 0, np.inf, 0.0))
