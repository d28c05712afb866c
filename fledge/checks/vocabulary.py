"""Are the graph's tables of words those of the contract? A stale or shifted one answers without a word of complaint.

The mutants 33 and 34 of the zoo (tests/zoo) are such models.
"""

import hashlib
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from fledge.artifact.contract import Contract
from fledge.checks.faults import tally
from fledge.checks.structural import Also
from fledge.evidence import Check, Verdict

Table = Mapping[str, Any]


def vocabulary(tables: Mapping[str, Table], contract: Contract, limit: Also) -> Check:
    """Every table of strings, value by key, numbers one of the contract's lists of known values in the list's order."""
    strings = {name: x for name, x in contract.inputs.items() if x.dtype == "string"}
    known = {name: [str(value) for value in x.known] for name, x in strings.items() if x.known}
    missing = {str(x.missing) for x in strings.values()}
    faults = [
        f"table {name} ({digest(table)}) {fault}"
        for name, table in tables.items()
        if digest(table) not in limit.also and (fault := _unlike(table, known, missing))
    ]
    if not tables:
        return Check("structural", "vocabulary", Verdict.PASS, "the graph has no table of strings", n=0)
    remedy = (
        "train again with the contract's vocabulary, or change contract.yaml; a table that is no vocabulary may be "
        "named by its hash in params.yaml: gates.structural.vocabulary.also"
    )
    return tally("structural", "vocabulary", faults, len(tables), remedy, "every table is a list of the contract")


def digest(table: Table) -> str:
    """12 hex digits of the sha256 of a table's pairs, whatever their order."""
    return hashlib.sha256(repr(sorted(table.items())).encode()).hexdigest()[:12]


def _unlike(table: Table, known: Mapping[str, list[str]], missing: set[str]) -> str:
    """How a table differs from the list that it is most like; nothing where it does not."""
    listed = {word for words in known.values() for word in words}
    # A table may number what stands for missing too; Keras puts it first.
    words = [word for word in sorted(table, key=table.__getitem__) if word in listed or word not in missing]
    if not words:
        return "is empty, expected words"
    if not _numbered(table):
        return "does not number its words one after another, expected it to (contract.yaml: inputs.<name>.known)"
    if words in known.values():
        return ""
    likest = max(known, key=lambda name: len(set(known[name]) & set(words)), default="<name>")
    pairs = enumerate(zip_longest(words, known.get(likest, []), fillvalue="nothing"))
    place, (found, expected) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    return f"has {found!r} at {place}, expected {expected!r} (contract.yaml: inputs.{likest}.known)"


def _numbered(table: Table) -> bool:
    numbers = sorted(table.values())
    return isinstance(numbers[0], int) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
