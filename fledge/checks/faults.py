"""Checks without tolerance: what is wrong is listed, and one thing is enough to block."""

from collections.abc import Sequence

from fledge.evidence import Check, Verdict

NOTHING = "looked at nothing, expected something to compare"


def tally(
    gate: str, name: str, faults: Sequence[str], n: int, remedy: str, good: str = "all answered as expected"
) -> Check:
    """PASS where `n` things were looked at and none of them had a fault; all faults are named.

    A check that looked at nothing says nothing, so it blocks.
    """
    passed = n > 0 and not faults
    reason = "; ".join(faults) or (good if n else NOTHING)
    verdict = Verdict.PASS if passed else Verdict.BLOCK
    return Check(gate, name, verdict, reason, "" if passed else remedy, float(len(faults)), None, 0.0, n, unit="faults")
