"""The one required check of a pull request: what it demands of the other jobs, and what it tells people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from fledge.evidence import Evidence, Verdict, views
from fledge.problems import Problem
from fledge.project import Strict

WORKFLOW = ".github/workflows/gates.yml"
JOBS = ("affected", "check", "gates", "template")
# A job that may be skipped, where this output of `affected` says that it has nothing to do.
IDLE = {"gates": ("batches", "[]"), "template": ("template", "false")}
ROOM = 500  # characters without which a table is not begun


class Job(BaseModel):
    """A job as GitHub's context `needs` tells it."""

    result: Literal["success", "failure", "cancelled", "skipped"]
    outputs: dict[str, str] = {}


class Changed(Strict):
    """A changed delivery: `says` is for people, `evidence` begins the names of its evidence files, None without gates."""

    who: str
    says: str
    evidence: str | None


class Left(Strict):
    """What the required check leaves for the comment: the deliveries, and why it refuses them; none is a pass."""

    changes: list[Changed]
    faults: list[str]


def jobs(text: str) -> dict[str, Job]:
    """The context `needs`, as JSON. Raises Problem for what is none."""
    try:
        return TypeAdapter(dict[str, Job]).validate_json(text)
    except ValidationError as errors:
        said = errors.errors()[0]
        where = ".".join(map(str, said["loc"])) or "the whole"
        raise Problem(f"gates-pass: {where}: {said['msg']}, expected GitHub's `needs` ({WORKFLOW}: NEEDS)") from None


def changes(text: str) -> list[Changed]:
    """The deliveries that the job `affected` left. Raises Problem for what it cannot have left."""
    try:
        return TypeAdapter(list[Changed]).validate_json(text)
    except ValidationError:
        raise Problem(
            f"gates-pass: found changes {text[:80]!r}, expected those of `make affected` ({WORKFLOW})"
        ) from None


def faults(found: Mapping[str, Job], changed: Sequence[Changed], evidence: Mapping[str, Evidence]) -> list[str]:
    """A line for each job that is missing, failed, or was skipped though it had something to do, and for each delivery
    whose evidence (by its file's name) is missing, speaks of another model or artifact, or blocks. No line is a pass."""
    missing = [name for name in JOBS if name not in found]
    strange = [name for name in found if name not in JOBS]
    lines = [f"gates-pass: no job {name}, expected it ({WORKFLOW}: jobs.gates-pass.needs)" for name in missing]
    lines += [f"gates-pass: found job {name}, expected one of {', '.join(JOBS)} ({WORKFLOW})" for name in strange]
    lines += [line for name in JOBS if name in found for line in _job(name, found)]
    whole = not lines  # else a line says already why there is no evidence
    return lines + [line for change in changed for line in _delivery(change, evidence, whole)]


def report(left: Left, evidence: Sequence[Evidence], limit: int) -> str:
    """For a step summary or a comment: the verdict, each delivery, each fault, and the gates' tables, what blocks first.

    At most `limit` characters. Everything that a stranger may have written is escaped.
    """
    parts = [f"## gates-pass: {Verdict.BLOCK if left.faults else Verdict.PASS}"]
    parts += [_listed([change.says for change in left.changes]) if left.changes else "No delivery changes."]
    parts += [_listed(left.faults)] if left.faults else []
    tables = sorted(evidence, key=lambda one: one.verdict is Verdict.PASS)
    room = limit - len("\n\n".join(parts)) - ROOM
    while tables and room > ROOM:
        parts.append(views.markdown(tables.pop(0), room))
        room -= len(parts[-1]) + 2
    parts += [f"_Left out: {len(tables)} more, which the evidence holds._"] if tables else []
    return "\n\n".join(parts)[: limit - 1] + "\n"


def _job(name: str, found: Mapping[str, Job]) -> Iterator[str]:
    result, affected = found[name].result, found.get("affected")
    if result == "skipped" and name in IDLE:
        output, idle = IDLE[name]
        if affected and affected.result == "success" and affected.outputs.get(output) != idle:
            said = affected.outputs.get(output)
            yield f"gates-pass: {name} is skipped where affected says {output} {said}, expected it to run ({WORKFLOW})"
    elif result != "success":
        yield f"gates-pass: {name} is {result}, expected success (its log says why)"


def _delivery(change: Changed, evidence: Mapping[str, Evidence], whole: bool) -> Iterator[str]:
    if change.evidence is None:
        return
    names = [f"{change.evidence}{own}.json" for own in ("", "-own")]
    mine = [evidence[name] for name in names if name in evidence]
    if whole and not mine:
        yield f"{change.who}: found no evidence, expected that of its gates ({WORKFLOW}: jobs.gates)"
    for one in mine:
        md5 = one.candidate["md5"]
        if f"{change.who.replace('/', '_')}-{md5}" != change.evidence or one.model != change.who.partition("/")[2]:
            yield f"{change.who}: its evidence is of {one.model} {md5}, expected that of {change.evidence} ({WORKFLOW})"
        if one.verdict is not Verdict.PASS:
            yield f"{change.who}: {len(one.blocking)} of {len(one.checks)} checks block, expected none (see the table)"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {views.escaped(line)}" for line in lines)
