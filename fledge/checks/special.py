"""The values that break careless arithmetic, each in every input: a table, because a search seldom finds them.

Such a value gets a good answer, or an error that tells a client what is wrong. Source: the minimum functionality tests of
Ribeiro et al. 2020 (CheckList); of numbers the special values of IEEE 754.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fledge.artifact.compatibility.promises import promised
from fledge.artifact.contract import Contract, Input
from fledge.checks.edge_cases import Answer, faults_of
from fledge.checks.faults import tally
from fledge.evidence import Check

LONG = 10_000  # letters
TELLING = {"INVALID_ARGUMENT", "OUT_OF_RANGE"}  # statuses by which a client learns that the request is wrong


def specials(column: Input) -> dict[str, Any]:
    """Values that break careless arithmetic, by what they are called: of floats, of whole numbers, of strings."""
    if column.dtype == "bool":
        return {"true": True, "false": False}
    if column.dtype == "string":
        words = {"an empty string": "", "a space": " ", "a NUL": "\0", "a NUL inside": "a\0b"}
        return words | {"not ASCII": "Zürich 東京 🛫", f"{LONG} letters": "x" * LONG, "not UTF-8": b"\xff\xfe"}
    if np.issubdtype(np.dtype(column.dtype), np.integer):
        whole = np.iinfo(column.dtype)
        return {"the largest": whole.max, "the lowest": whole.min, "0": 0} | ({"-1": -1} if whole.min < 0 else {})
    numbers = np.finfo(column.dtype)
    named: dict[str, Any] = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "0": 0.0, "-0": -0.0}
    named |= {"the largest": numbers.max, "the lowest": numbers.min, "the smallest normal": numbers.tiny}
    return named | {"the smallest": numbers.smallest_subnormal, "the smallest below 0": -numbers.smallest_subnormal}


def special(found: Mapping[tuple[str, str], Answer], contract: Contract, rows: int) -> Check:
    """Every special value in every input, by (input, name of the value), in `rows` rows each.

    What the contract promises to read must be answered; what it leaves open may be refused, and is told in the details.
    """
    refused = [
        pair
        for pair, answer in found.items()
        if isinstance(answer, str) and answer in TELLING and not _promised(*pair, contract)
    ]
    faults = [
        f"{column} = {value}: {fault}"
        for (column, value), answer in found.items()
        if (column, value) not in refused
        for fault in faults_of(answer, contract, rows)
    ]
    check = tally("edge_cases", "special", faults, rows * len(found), "mend the preprocessing in the graph")
    return replace(check, details={"refused": [f"{column} = {value}" for column, value in refused]})


def _promised(name: str, called: str, contract: Contract) -> bool:
    column = contract.inputs[name]
    return promised(column.model_dump(), specials(column)[called])
