"""Evidence as one HTML page that needs nothing else: no script, no other file, no address. Jinja2 escapes all it shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fledge.evidence import SCHEMA, Check, Evidence, Verdict, wording
from fledge.evidence.details import Scores, read
from fledge.evidence.figures import KINDS, figures

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
Records = list[dict[str, Any]]
COLUMNS = (*wording.COLUMNS, "what was found")


@dataclass(frozen=True)
class Table:
    """A table under a check: what it shows, its columns, its rows."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def page(evidence: Evidence) -> str:
    """The whole page: verdict, what to do, figures, every check, what was judged."""
    checks = wording.ordered(evidence.checks)
    return TEMPLATES.get_template("page.html.jinja").render(
        schema=SCHEMA,
        evidence=evidence,
        headline=wording.headline(evidence),
        summary=wording.summary(evidence),
        columns=COLUMNS,
        kinds=KINDS,
        urgent=[check for check in checks if check.verdict is not Verdict.PASS],
        groups=[(gate, list(group)) for gate, group in wording.by_gate(checks)],
        numbers_of=wording.numbers,
        figures=figures(evidence),
        tables=[table for check in checks for table in tables(check)],
        judged=[line.split(": ", 1) for line in wording.judged(evidence)],
        name=wording.name,
        candidate=wording.called(evidence)[0],
        champion=wording.called(evidence)[1],
        cut=wording.cut,
    )


def tables(check: Check) -> list[Table]:
    """What a check reports beside its numbers: scores of each model, a row for each column."""
    found = []
    if scores := read(check, "scores", Scores):
        names = list(dict.fromkeys(name for of_model in scores.values() for name in of_model))
        rows = [[name, *(wording.number(of_model.get(name)) for of_model in scores.values())] for name in names]
        found.append(Table(f"{wording.name(check)}: scores", ["score", *scores], rows))
    for key in ("columns", "inputs"):
        if records := read(check, key, Records):
            found.append(_table(f"{wording.name(check)}: {key}", records))
            groups = [group for record in records for group in _records(record.get("groups"))]
            found += [_table(f"{wording.name(check)}: groups", groups)] if groups else []
    return found


def _table(title: str, records: Records) -> Table:
    """A row for each record, a column for each key that holds a number or a text; `who: {…}` is a column for each of it."""
    flat = [dict(_flat(record)) for record in records]
    keys = list(dict.fromkeys(key for record in flat for key in record))
    return Table(title, keys, [[_cell(record.get(key)) for key in keys] for record in flat])


def _records(content: Any) -> Records:
    listed = content if isinstance(content, list) else []
    return [record for record in listed if isinstance(record, dict)]


def _flat(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{key} {name}", number) for name, number in _flat(value))
        elif not isinstance(value, list):
            yield key, value


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return wording.number(value) if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
