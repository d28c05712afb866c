"""How good the gates are: what was refused by the named check, by another, not at all; and which gate is needed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import binomtest
from tabulate import tabulate

from fledge.evidence import Check, Verdict
from tests.zoo.record import MEASURED, Mutant

Fate = Literal["named", "other", "missed", "untold", "passed", "refused"]

STATISTICAL = ("regression", "segments", "calibration", "fairness")
LONGEST = 200  # letters of a reason that are kept


@dataclass(frozen=True)
class Judged:
    """A mutant, and each blocking check (gate.check) with its reason.

    `effect` is how many margins the named check found it to be off. `unclear` is what the named check, one that reads the
    clock, says where the machine was too busy to tell: INCONCLUSIVE, which for such checks is a warning.
    """

    mutant: Mutant
    refusals: Mapping[str, str]
    effect: float | None = None
    unclear: str | None = None

    @property
    def fate(self) -> Fate:
        """Refused by the named check for the named reason, by another check or for another reason, or not at all.

        What the machine could not tell is neither: it is counted nowhere.
        """
        if self.mutant.control:
            return "refused" if self.refusals else "passed"
        reason = self.refusals.get(self.mutant.check)
        if reason is not None and re.search(self.mutant.reason, reason):
            return "named"
        if self.unclear:
            return "untold"
        return "other" if self.refusals else "missed"

    @property
    def gates(self) -> set[str]:
        """The gates that refused it."""
        return {check.partition(".")[0] for check in self.refusals}


def judged(mutant: Mutant, checks: Iterable[Check]) -> Judged:
    """What the checks say of a mutant."""
    checks = list(checks)
    refusals = {f"{check.gate}.{check.name}": check.reason for check in checks if check.blocks}
    named = next((check for check in checks if f"{check.gate}.{check.name}" == mutant.check), None)
    effect = None
    if named and mutant.gate in STATISTICAL and named.estimate is not None and named.margin:
        effect = abs(named.estimate / named.margin)
    unclear = named and mutant.gate in MEASURED and named.verdict is Verdict.INCONCLUSIVE and not named.blocks
    return Judged(mutant, refusals, effect, named.reason if named and unclear else None)


def sole(found: Iterable[Judged]) -> dict[str, list[str]]:
    """For each gate the mutants that it alone refuses: without it they would survive.

    Beside another gate those that time do not count: they see that operations which surgery put into a graph take a
    tenth of its time, and not what is wrong with it.
    """
    alone: dict[str, list[str]] = {}
    for one in found:
        gates = one.gates - set(MEASURED) or one.gates
        if not one.mutant.control and one.mutant.refusal is None and len(gates) == 1:
            (gate,) = gates
            alone.setdefault(gate, []).append(one.mutant.id)
    return alone


def redundant(found: Sequence[Judged], gates: Iterable[str]) -> list[str]:
    """The gates that could be deleted and no mutant would survive."""
    return sorted(set(gates) - sole(found).keys())


def faults(found: Sequence[Judged], gates: Iterable[str]) -> list[str]:
    """What the zoo fails for: a mutant not refused as it says, a control refused, a gate that is redundant."""
    lines = []
    for one in found:
        who = f"{one.mutant.id} {one.mutant.name}"
        told = "; ".join(f"{check} ({shortened(reason)})" for check, reason in one.refusals.items()) or "nothing"
        if one.mutant.counted and one.fate in ("other", "missed"):
            expected = f"{one.mutant.check} and /{one.mutant.reason}/ in its reason"
            lines.append(f"{who}: refused by {told}, expected {expected}")
        if one.fate == "refused":
            lines.append(f"{who}: refused by {told}, expected by nothing, for it is a control")
    return lines + [
        f"{gate}: no mutant is refused by this gate alone, expected one" for gate in redundant(found, gates)
    ]


def summary(found: Sequence[Judged]) -> str:
    """The score with its exact intervals (Clopper & Pearson 1934), a line for each kind of mutant."""
    untold = [one for one in found if one.fate == "untold"]
    counted = [one for one in found if one.mutant.counted and not one.mutant.control and one not in untold]
    kinds = {
        "deterministic": [one for one in counted if one.mutant.gate not in STATISTICAL],
        "statistical": [one for one in counted if one.mutant.gate in STATISTICAL],
        "all counted": counted,
        "reported only": [one for one in found if not one.mutant.counted],
    }
    rows = [_row(kind, ones) for kind, ones in kinds.items() if ones]
    header = ["mutants", "refused by the named check", "by another (half)", "missed", "score", "95 % interval"]
    lines = [tabulate(rows, header, "github", disable_numparse=True)]
    controls = [one for one in found if one.mutant.control]
    if controls:
        refused = sum(one.fate == "refused" for one in controls)
        share = interval(refused, len(controls))
        lines += ["", f"Controls refused: {refused} of {len(controls)} (95 % interval {share})."]
    for one in untold:
        lines += [
            "",
            f"Not told by this machine, so not counted: {one.mutant.id} {one.mutant.name} ({shortened(one.unclear or '')}).",
        ]
    return "\n".join(lines)


def interval(hits: int, n: int) -> str:
    """The exact 95 % interval of a share."""
    exact = binomtest(hits, n).proportion_ci(0.95, "exact")
    return f"{exact.low:.1%} … {exact.high:.1%}"


def shortened(reason: str) -> str:
    """The beginning of a reason, on one line."""
    line = " ".join(reason.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _row(kind: str, ones: Sequence[Judged]) -> list[str]:
    named, other, missed = (sum(one.fate == fate for one in ones) for fate in ("named", "other", "missed"))
    score = (named + other / 2) / len(ones)
    return [kind, f"{named} of {len(ones)}", str(other), str(missed), f"{score:.1%}", interval(named, len(ones))]
