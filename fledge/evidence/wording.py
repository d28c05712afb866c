"""What every view says in the same words: order, names, numbers, and what was judged. What blocks comes first."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from fledge.evidence import Check, Evidence, Verdict

COLUMNS = ("check", "verdict", "estimate", "interval", "margin", "n", "smallest detectable effect", "unit")
LONGEST = 600  # characters of one reason or remedy
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # what a terminal obeys


def headline(evidence: Evidence) -> str:
    """Model, verdict, and who was compared with whom."""
    candidate, champion = called(evidence)
    against = champion or "none (judged by absolute limits only)"
    return f"{evidence.model}: {evidence.verdict}. Candidate {candidate}, champion {against}"


def called(evidence: Evidence) -> tuple[str, str | None]:
    """What candidate and champion are called: by name, and by the first digits of their hash where that is no help."""
    artifacts = [one for one in (evidence.candidate, evidence.champion) if one]
    alike = len({one["name"] for one in artifacts}) < len(artifacts)
    names = [one["md5"][:12] if alike or one["name"] == one["md5"] else one["name"] for one in artifacts]
    return names[0], names[1] if len(names) > 1 else None


def summary(evidence: Evidence) -> str:
    """How many checks block, warn and pass."""
    blocking, warning, total = len(evidence.blocking), len(evidence.warnings), len(evidence.checks)
    warns = f", {warning} {'warns' if warning == 1 else 'warn'}" if warning else ""
    return f"{blocking} of {total} checks {'blocks' if blocking == 1 else 'block'}{warns}, {total - blocking - warning} pass."


def ordered(checks: Sequence[Check]) -> list[Check]:
    """What blocks, then what warns, then the rest; each by gate, in the order in which the gates came."""
    gates = list(dict.fromkeys(check.gate for check in checks))
    return sorted(checks, key=lambda check: (_severity(check), gates.index(check.gate)))


def by_gate(checks: Sequence[Check]) -> Iterator[tuple[str, Iterator[Check]]]:
    """Ordered checks in groups; a gate of which one blocks and one passes is two of them."""
    for (_, gate), group in groupby(checks, key=lambda check: (_severity(check), check.gate)):
        yield gate, group


def bare(check: Check) -> bool:
    """Whether a check passes and has no number that a table must show: none, or no fault where none is allowed."""
    return check.verdict is Verdict.PASS and not check.estimate and check.interval is None and not check.margin


def name(check: Check) -> str:
    """Gate and check, as messages and params.yaml name it."""
    return f"{check.gate}.{check.name}"


def verdict(check: Check) -> str:
    """The verdict, and whether it only warns."""
    return check.verdict + (" (warning)" if _severity(check) == 1 else "")


def number(value: float | None) -> str:
    """Three digits, two of a very small number; a dash for one that a check does not have."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.2g}"


def numbers(check: Check) -> list[str]:
    """Estimate, interval, margin, n, smallest detectable effect and unit."""
    interval = "…".join(map(number, check.interval)) if check.interval else "–"
    counted = "–" if check.n is None else f"{check.n:,}"
    return [
        number(check.estimate),
        interval,
        number(check.margin),
        counted,
        number(check.smallest_detectable_effect),
        check.unit,
    ]


def judged(evidence: Evidence) -> list[str]:
    """What was scored, by hash, on what machine, by what versions and in what time."""
    sides = {"candidate": evidence.candidate, "champion": evidence.champion, "anchor": evidence.anchor}
    lines = [f"{who}: {_listed(identity)}" for who, identity in sides.items() if identity]
    lines += [f"rows: {_listed(evidence.rows)}"] if evidence.rows else []
    lines += [f"hardware: {_listed(_machine(evidence.hardware))}"] if evidence.hardware else []
    lines += [f"versions: {_listed(evidence.versions)}"] if evidence.versions else []
    seconds = {gate: f"{taken:.1f} s" for gate, taken in evidence.timings.items()}
    return lines + ([f"timings: {_listed(seconds)}"] if seconds else [])


def plain(text: str) -> str:
    """One line without what a terminal obeys."""
    return CONTROL.sub(" ", text)


def cut(text: str) -> str:
    """At most LONGEST characters: a reason may name every segment there is, and the evidence file holds it whole."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _severity(check: Check) -> int:
    return 0 if check.blocks else 2 if check.verdict is Verdict.PASS else 1


def _listed(content: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in content.items()
        if value not in ("", [])
    )


def _machine(hardware: Mapping[str, Any]) -> dict[str, Any]:
    """With its memory in units that a person reads."""
    found = dict(hardware)
    if isinstance(size := found.pop("memory_bytes", None), int):
        found["memory"] = f"{size / 2**30:.1f} GiB"
    return found
