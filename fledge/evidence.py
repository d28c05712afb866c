"""What the gates found out about one candidate. The table and the Markdown are views of the JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from tabulate import tabulate

from fledge.problems import Problem

SCHEMA = "fledge.dev/evidence/v1"
COLUMNS = ("check", "verdict", "estimate", "interval", "margin", "n", "detectable", "unit")


class Verdict(StrEnum):
    """What a check says. INCONCLUSIVE blocks, unless the owner's params.yaml says `inconclusive: warn` for it."""

    PASS = "PASS"
    BLOCK = "BLOCK"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Check:
    """One statement about a candidate. Numbers that a check does not have are None, and the views show a dash.

    `reason` says in one line what was found and what was expected; `remedy` what a person can do about it.
    `estimate`, `interval`, `margin` and `smallest_detectable_effect` share `unit`; `n` counts what was looked at.
    """

    gate: str
    name: str
    verdict: Verdict
    reason: str
    remedy: str = ""
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    margin: float | None = None
    n: int | None = None
    smallest_detectable_effect: float | None = None
    unit: str = ""
    inconclusive: Literal["block", "warn"] = "block"

    @property
    def blocks(self) -> bool:
        return self.verdict is Verdict.BLOCK or (self.verdict is Verdict.INCONCLUSIVE and self.inconclusive == "block")

    @property
    def line(self) -> str:
        return f"{self.gate}.{self.name} {self.verdict}: {self.reason}"


@dataclass(frozen=True)
class Evidence:
    """All checks of one candidate against one champion (None: a first release) on the same rows.

    `candidate`, `champion` and `rows` identify what was scored by hash; `timings` are seconds.
    """

    model: str
    candidate: Mapping[str, str]
    champion: Mapping[str, str] | None
    rows: Mapping[str, Any]
    checks: Sequence[Check]
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """BLOCK if any check blocks or there is none at all; else PASS."""
        return Verdict.BLOCK if not self.checks or self.blocking else Verdict.PASS

    @property
    def blocking(self) -> list[Check]:
        return [check for check in self.checks if check.blocks]


def to_json(evidence: Evidence) -> str:
    content = {"schema": SCHEMA, "verdict": evidence.verdict, **asdict(evidence)}
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def from_json(text: str, file: str) -> Evidence:
    """Read evidence back. Raises Problem for text that is no evidence, or whose verdict is not its checks'."""
    try:
        content = json.loads(text)
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"expected the schema {SCHEMA}")
        said = content.pop("verdict")
        evidence = Evidence(**content | {"checks": [_check(check) for check in content["checks"]]})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem(f"evidence: damaged ({error}), expected what the gates wrote ({file})") from None
    if said != evidence.verdict:
        raise Problem(f"evidence: says {said}, its checks say {evidence.verdict} ({file}: verdict)")
    return evidence


def table(evidence: Evidence) -> str:
    """The checks as plain text for a terminal, then one line and the remedy for each that is not a PASS."""
    lines = [_headline(evidence), "", tabulate(_rows(evidence), COLUMNS, "simple", **_format())]
    for check in evidence.checks:
        if check.verdict is not Verdict.PASS:
            lines += ["", check.line] + ([f"  remedy: {check.remedy}"] if check.remedy else [])
    return "\n".join(lines)


def markdown(evidence: Evidence) -> str:
    """The same for a pull request."""
    lines = [f"### {_headline(evidence)}", "", tabulate(_rows(evidence), COLUMNS, "github", **_format())]
    for check in evidence.checks:
        if check.verdict is not Verdict.PASS:
            lines += ["", f"**{check.gate}.{check.name} {check.verdict}**: {check.reason}"]
            lines += [f"Remedy: {check.remedy}"] if check.remedy else []
    return "\n".join(lines) + "\n"


def _headline(evidence: Evidence) -> str:
    champion = evidence.champion["name"] if evidence.champion else "none (first release: absolute limits only)"
    return f"{evidence.model}: {evidence.verdict}. Candidate {evidence.candidate['name']}, champion {champion}"


def _rows(evidence: Evidence) -> list[list[str]]:
    return [
        [
            f"{check.gate}.{check.name}",
            check.verdict + (" (warning)" if check.verdict is Verdict.INCONCLUSIVE and not check.blocks else ""),
            _number(check.estimate),
            " … ".join(_number(bound) for bound in check.interval) if check.interval else "–",
            _number(check.margin),
            "–" if check.n is None else f"{check.n:,}",
            _number(check.smallest_detectable_effect),
            check.unit,
        ]
        for check in evidence.checks
    ]


def _format() -> dict[str, Any]:
    return {"disable_numparse": True, "colalign": ("left", "left", *["right"] * 5, "left")}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _check(content: Mapping[str, Any]) -> Check:
    interval = content["interval"] and (content["interval"][0], content["interval"][1])
    return Check(**{**content, "verdict": Verdict(content["verdict"]), "interval": interval})
