"""What the gates found out about one candidate: the record and its file. fledge.evidence.views and fledge.evidence.page show it.

The file's published schema is fledge/evidence/schema.json (fledge.evidence.schema makes it from these records).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from fledge.problems import Problem

SCHEMA = "fledge.dev/evidence/v1"
RECORD = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

# What was scored, by hash.
Identity = Annotated[Mapping[str, str], Field(json_schema_extra={"required": ["name", "md5"]})]


class Verdict(StrEnum):
    """What a check says. INCONCLUSIVE blocks, unless the owner's params.yaml says `inconclusive: warn` for it."""

    PASS = "PASS"
    BLOCK = "BLOCK"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Check:
    """One statement about a candidate. Numbers that a check does not have are null, and the views show a dash."""

    __pydantic_config__ = RECORD

    gate: str
    """The gate that made it: a file of tests/gates without `test_`."""
    name: str
    """What it checks, once in its gate."""
    verdict: Verdict
    reason: str
    """In one line what was found and what was expected."""
    remedy: str = ""
    """What a person can do about it, empty where nothing is to be done."""
    estimate: float | None = None
    """What was measured, in `unit` like `interval`, `margin` and `smallest_detectable_effect`."""
    interval: tuple[float, float] | None = None
    """From where to where the truth may be, either bound with the check's own alpha, which many tests share (Holm, looks)."""
    margin: float | None = None
    """The limit that the estimate or its interval is held against."""
    n: int | None = None
    """How many rows, calls, requests or variables were looked at."""
    smallest_detectable_effect: float | None = None
    """What so much tells nine times in ten: the narrowest margin within which an equal candidate is shown or, where the gate
    must show harm, the least harm that it would refuse."""
    unit: str = ""
    """Of the numbers; empty where they have none."""
    inconclusive: Literal["block", "warn"] = "block"
    """Whether an INCONCLUSIVE verdict blocks, as the owner's params.yaml says."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What plots and reports need beside the numbers, by the keys that fledge.evidence.details documents."""

    def __post_init__(self) -> None:
        """Raises ValueError for what JSON cannot hold: NaN is a bug of the gate, not a silent null."""
        _held_by_json(f"{self.gate}.{self.name}", asdict(self))

    @property
    def blocks(self) -> bool:
        return self.verdict is Verdict.BLOCK or (self.verdict is Verdict.INCONCLUSIVE and self.inconclusive == "block")

    @property
    def line(self) -> str:
        return f"{self.gate}.{self.name} {self.verdict}: {self.reason}"


@dataclass(frozen=True)
class Evidence:
    """All checks of one candidate against one champion on the same rows."""

    __pydantic_config__ = RECORD

    model: str
    """A folder under models/."""
    candidate: Identity
    """What was judged: its name, DVC's md5 and the sha256 of its tree."""
    champion: Identity | None
    """What it was compared with; null for a first release, which absolute limits alone judge."""
    rows: Mapping[str, Any]
    """What was scored: the files of the held-out rows, and hashes of these and of the training rows."""
    checks: Sequence[Check]
    """Every statement that a gate made. None at all is a BLOCK."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python and the libraries that scored."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each gate and of loading the models."""
    anchor: Identity | None = None
    """The older release that a slow decline is seen against, if any."""
    hardware: Mapping[str, Any] = field(default_factory=dict)
    """What was measured on: cpu, cores, memory_bytes, kernel."""
    notes: Sequence[str] = field(default_factory=list)
    """Sentences that a reader must know, such as whose limits judged."""

    def __post_init__(self) -> None:
        """Raises ValueError for an artifact without name or hash, and for what JSON cannot hold."""
        sides = {"candidate": self.candidate, "champion": self.champion, "anchor": self.anchor}
        for who, identity in sides.items():
            if identity is not None and (absent := {"name", "md5"} - set(identity)):
                raise ValueError(f"{who} has no {min(absent)}")
        _held_by_json("evidence", {"rows": self.rows, "hardware": self.hardware, "timings": self.timings})

    @property
    def verdict(self) -> Verdict:
        """BLOCK if any check blocks or there is none at all; else PASS."""
        return Verdict.BLOCK if not self.checks or self.blocking else Verdict.PASS

    @property
    def blocking(self) -> list[Check]:
        return [check for check in self.checks if check.blocks]

    @property
    def warnings(self) -> list[Check]:
        """What is INCONCLUSIVE and, as the owner says, does not block."""
        return [check for check in self.checks if check.verdict is Verdict.INCONCLUSIVE and not check.blocks]


def to_json(evidence: Evidence) -> str:
    """The file: the record, with the name of its schema and the verdict that its checks make."""
    content = {"schema": SCHEMA, "verdict": evidence.verdict, **asdict(evidence)}
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def from_json(text: str, file: str) -> Evidence:
    """Read evidence back. Raises Problem, in one line with file and key, for text that is not what `to_json` writes.

    A key that has a default may be absent: the gates of a target branch may be older than who reads them.
    """
    content = _parsed(text, file)
    if (schema := content.pop("schema", None)) != SCHEMA:
        raise Problem(f"evidence: found {schema!r}, expected the schema {SCHEMA} ({file}: schema)")
    said = content.pop("verdict", None)
    try:
        evidence = TypeAdapter(Evidence).validate_json(json.dumps(content))
    except ValidationError as error:
        raise Problem(_damage(error, file)) from None
    if said != evidence.verdict:
        raise Problem(f"evidence: says {said}, its checks say {evidence.verdict} ({file}: verdict)")
    return evidence


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(f"evidence: damaged ({error}), expected what the gates wrote ({file})") from None
    if not isinstance(content, dict):
        raise Problem(f"evidence: damaged ({type(content).__name__}), expected what the gates wrote ({file})")
    return content


def _damage(found: ValidationError, file: str) -> str:
    """The first of the errors: what is wrong with one damaged file, a second line would not tell better."""
    first = found.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
    kinds = {"missing": "key is missing", "unexpected_keyword_argument": "unknown key"}
    said = kinds.get(first["type"], first["msg"])
    return f"evidence: damaged ({said}), expected what the gates wrote ({file}: {key})"


def _held_by_json(who: str, content: Mapping[str, Any]) -> None:
    for key, value in content.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{who}: {key} is not JSON ({error}), expected finite numbers") from None
