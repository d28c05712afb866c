"""Does the candidate answer as documented where real rows seldom go?

Source: the minimum functionality tests of Ribeiro et al. 2020 (CheckList). Tables of special values instead of a search
for them; then real rows of which a few inputs are drawn anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import PositiveInt

from fledge.artifact.contract import Contract, Input
from fledge.checks.agreement import Arrays, Tolerance, agree, gap
from fledge.checks.faults import tally
from fledge.client import golden
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.problems import Problem
from fledge.stats import exact_share

Reading = Literal["missing", "unknown"]
Pair = tuple[str, Any, Any]  # an input, a value of it, and the value that it is read as
Answer = Arrays | str  # a string is the name of the status that a server would answer with

UNSEEN = "no such category"
KEYS = {"missing": "missing, means", "unknown": "known, unknown"}  # of an input in contract.yaml, by the check
GRAPH = "mend the preprocessing in the graph, or contract.yaml: inputs"


class Sizes(Limit):
    max: PositiveInt


class Examples(Limit):
    examples: PositiveInt


def promised(requests: Sequence[dict[str, Any]], file: str) -> Sequence[dict[str, Any]]:
    """The requests of `file`, as they are. Raises Problem naming those that lack a key, and where none is golden."""
    lacking = [
        f"requests: {request.get('name', 'one without a name')} lacks {', '.join(absent)}, expected it ({file})"
        for request in requests
        if (absent := [key for key in ("name", "kind", "inputs", "expect") if not request.get(key)])
    ]
    if not lacking and not any(request["kind"] == "golden" for request in requests):
        lacking = [f"requests: no golden request found, expected at least one ({file}: kind)"]
    if lacking:
        raise Problem(*lacking)
    return requests


def requests(promises: Sequence[dict[str, Any]], answers: Mapping[str, Answer], contract: Contract, file: str) -> Check:
    """Every request, by name, is answered as it expects, and as the contract promises."""
    faults = [fault for request in promises for fault in _request_faults(request, answers, contract)]
    return tally("edge_cases", "requests", faults, len(promises), f"mend the model, or what {file} expects")


def sizes(answers: Mapping[int, Answer], contract: Contract) -> Check:
    """A batch of each size is answered, one answer for each row."""
    faults = [
        f"batch of {size}: {fault}" for size, found in answers.items() for fault in faults_of(found, contract, size)
    ]
    return tally("edge_cases", "sizes", faults, len(answers), "look for a reshape or a reduction over the batch")


def readings(contract: Contract, name: Reading) -> list[Pair]:
    """All that the contract says of missing, or of unknown, values.

    Raises Problem for an input that it says nothing of, though a client may send such a value.
    """
    silent, found = (_missing if name == "missing" else _unknown)(contract)
    if silent:
        raise Problem(
            f"{', '.join(silent)}: no meaning of {name} documented, expected one (contract.yaml: inputs.<name>.{KEYS[name]})"
        )
    return found


def read_as(name: Reading, compared: Iterable[tuple[Pair, Arrays, Arrays]], n: int, limit: Tolerance) -> Check:
    """The answers with the one value equal those with the other, whatever the rest of each of the `n` rows is."""
    gaps = [
        gap(f"{column} = {said!r} instead of {meant!r} changes an answer", ours, theirs, limit)
        for (column, said, meant), ours, theirs in compared
    ]
    return agree("edge_cases", name, gaps, n * len(gaps), f"{GRAPH}.<name>.{KEYS[name]}") if gaps else undeclared(name)


def undeclared(name: str) -> Check:
    """The one PASS of a check that looked at nothing: the contract has no input that it is about."""
    return Check("edge_cases", name, Verdict.PASS, "nothing declared: contract.yaml has no such input", n=0)


def faults_of(found: Answer, contract: Contract, rows: int) -> list[str]:
    """What is wrong with an answer to `rows` rows."""
    return [f"answered {found}"] if isinstance(found, str) else contract.faults(found, rows)


def properties(faults: Sequence[str], n: int) -> Check:
    """`n` changed rows, no two alike, were answered, or one was not. Of a fault that shows in one row of many it says how many that is."""
    if faults or not n:
        remedy = "mend the preprocessing in the graph, or narrow contract.yaml: inputs"
        return tally("edge_cases", "properties", faults, n, remedy)
    _, share = exact_share(0, n)
    reason = f"all answered as expected; a fault in {share:.1%} of such rows would have been seen with 95 %"
    return Check("edge_cases", "properties", Verdict.PASS, reason, "", 0.0, (0.0, share), 0.0, n, share, "of rows")


def _request_faults(request: Mapping[str, Any], answers: Mapping[str, Answer], contract: Contract) -> list[str]:
    """What the answer to one request lacks of what the contract promises and of what the request expects."""
    found, rows = answers[request["name"]], len(next(iter(request["inputs"].values())))
    faults = [] if isinstance(found, str) else contract.faults(found, rows)
    unlike = golden.check(request["expect"], found, answers)
    return [f"{request['name']}: {fault}" for fault in [*faults, *([unlike] if unlike else [])]]


def _missing(contract: Contract) -> tuple[list[str], list[Pair]]:
    # A number that may be missing, as NaN lets every float be. A string's `missing` is a category of its own.
    numbers = {name: x for name, x in contract.inputs.items() if x.dtype != "string"}
    missable = {name: x for name, x in numbers.items() if x.dtype.startswith("float") or x.missing is not None}
    silent = [name for name, x in missable.items() if x.missing is None or x.means is None]
    return silent, [(name, x.missing, x.means) for name, x in contract.inputs.items() if x.means is not None]


def _unknown(contract: Contract) -> tuple[list[str], list[Pair]]:
    categories = {name: x for name, x in contract.inputs.items() if x.dtype == "string" or x.known is not None}
    silent = [name for name, x in categories.items() if x.known is None or x.unknown is None]
    return silent, [(name, value, x.unknown) for name, x in categories.items() for value in unseen(x)]


def unseen(column: Input) -> list[Any]:
    """Values outside `known`, in the input's dtype: of numbers one on each side, if the dtype has room; of bool none.

    An id of -1 is the one that an embedding reads as its last.
    """
    if column.dtype == "string":
        return [UNSEEN]
    if column.dtype == "bool":
        return []
    known = column.known or [0]
    room = np.finfo(column.dtype) if column.dtype.startswith("float") else np.iinfo(column.dtype)
    return [value for value in (max(known) + 1, min(known) - 1) if room.min <= value <= room.max]
