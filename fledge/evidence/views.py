"""Evidence for a terminal and for a pull request. What blocks comes first, then what warns; what passes is short."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from tabulate import DataRow, TableFormat, tabulate

from fledge.evidence import Check, Evidence, Verdict
from fledge.evidence.wording import (
    COLUMNS,
    bare,
    by_gate,
    cut,
    headline,
    judged,
    name,
    numbers,
    ordered,
    plain,
    summary,
    verdict,
)

ALIGNED = ("left", "left", "right", "right", "right", "right", "right", "left")

WIDE = 120  # characters from which a terminal has room for units and air
COMMENT = 60_000  # characters; GitHub refuses a comment above 65,536
SHORTENED = "_Shortened: the evidence file and its page hold every check._"

# A reason may quote a stranger's model: no markup, no call of a person or an issue, no link, no terminal's code.
MARKUP = re.compile(r"([\\`*_~|\[\]!<>&])")
CALLS = re.compile(r"(?<=[@#])(?=\w)|(?<=:)(?=//)|(?<=www)(?=\.)")
ZERO_WIDTH = "\u200b"

TEXT: dict[str, Any] = {"disable_numparse": True}  # the cells of tabulate are text, as they are


def table(evidence: Evidence, width: int = 80) -> str:
    """The checks as text for a terminal of `width` columns; at its end, where the eye is, why and what to do."""
    checks = ordered(evidence.checks)
    columns = [*COLUMNS[:6], "detects", "unit"][: None if width >= WIDE else -1]
    lines = [_wrapped(text, width) for text in (headline(evidence), summary(evidence), *evidence.notes)]
    if rows := _grouped([check for check in checks if not bare(check)]):
        rows = [row[: len(columns)] for row in (columns, *rows)]
        gap = "  " if width >= WIDE else " "
        # The names of the columns are a row like the others: tabulate makes a column wider than its header.
        shown = tabulate(rows, (), _spaced(gap), colalign=ALIGNED[: len(columns)], preserve_whitespace=True, **TEXT)
        lines += ["", shown, ""]
    lines += [_wrapped(text, width, "  ") for text in _short(checks)]
    for check in checks:
        if check.verdict is not Verdict.PASS:
            lines += ["", _wrapped(f"{name(check)} {verdict(check)}: {cut(check.reason)}", width, "  ")]
            lines += [_wrapped(f"  remedy: {check.remedy}", width, "    ")] if check.remedy else []
    return "\n".join(lines)


def markdown(evidence: Evidence, limit: int = COMMENT) -> str:
    """The same for a pull request, in at most `limit` characters: what does not fit is left to the evidence file."""
    checks = ordered(evidence.checks)
    first, rest = ([check for check in checks if (check.verdict is Verdict.PASS) is passes] for passes in (False, True))
    parts = [f"### {escaped(headline(evidence))}", escaped(summary(evidence)), *map(escaped, evidence.notes)]
    parts += [_pipes(first)] if first else []
    for check in first:
        remedy = f"  \n_Remedy:_ {escaped(check.remedy)}" if check.remedy else ""
        parts.append(f"**{escaped(name(check))} {verdict(check)}**: {escaped(check.reason)}{remedy}")
    if rest:
        numbered = [check for check in rest if not bare(check)]
        shown = [*([_pipes(numbered)] if numbered else []), *map(escaped, _short(rest))]
        parts.append(_folded(f"{len(rest)} checks pass", "\n\n".join(shown), opened=not first))
    parts.append(_folded("What was judged", "\n".join(f"- {escaped(line)}" for line in judged(evidence))))
    return _within(parts, limit)


def escaped(text: str) -> str:
    """`text` as Markdown shows it letter by letter, at most LONGEST characters of it."""
    text = cut(plain(text))
    return CALLS.sub(ZERO_WIDTH, MARKUP.sub(r"\\\1", text))


def _grouped(checks: Sequence[Check]) -> list[list[str]]:
    """A line for each gate, then its checks."""
    rows = []
    for gate, group in by_gate(checks):
        rows += [[plain(gate), *[""] * 7]]
        rows += [[plain(f"  {check.name}"), check.verdict, *numbers(check)] for check in group]
    return rows


def _short(checks: Iterable[Check]) -> list[str]:
    """Gate by gate the names of what passes without a number; what is reported but not judged in its own words."""
    bares = [check for check in checks if bare(check)]
    reported = [check for check in bares if "scores" in check.details]
    gates = groupby((check for check in bares if check not in reported), key=lambda check: check.gate)
    return [
        *(f"PASS {gate}: {', '.join(map(_counted, group))}" for gate, group in gates),
        *(f"{name(check)}: {check.reason}" for check in reported),
    ]


def _counted(check: Check) -> str:
    return check.name if check.n is None else f"{check.name} ({check.n:,})"


def _pipes(checks: Sequence[Check]) -> str:
    rows = [[name(check), verdict(check), *numbers(check)] for check in checks]
    cells = [[escaped(cell) for cell in row] for row in rows]
    return tabulate(cells, COLUMNS, "pipe", colalign=ALIGNED, **TEXT)


def _folded(title: str, text: str, opened: bool = False) -> str:
    return f"<details{' open' if opened else ''}><summary>{title}</summary>\n\n{text}\n\n</details>"


def _within(parts: Sequence[str], limit: int) -> str:
    kept: list[str] = []
    left = limit - len(SHORTENED) - 1
    for part in parts:
        if len(part) + 2 <= left:
            kept.append(part)
            left -= len(part) + 2
    return "\n\n".join(kept if len(kept) == len(parts) else [*kept, SHORTENED]) + "\n"


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(plain(text), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _spaced(gap: str) -> TableFormat:
    row = DataRow("", gap, "")
    return TableFormat(None, None, None, None, row, row, 0, None)
