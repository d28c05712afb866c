"""Does the candidate answer as documented where real rows seldom go? Through the raw session, as a server would."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import PositiveInt

from fledge import golden
from fledge.contract import Array, Contract, Input
from fledge.evidence import Check, Verdict
from fledge.limits import Limit, Limits
from fledge.problems import Problem
from fledge.rows import Rows
from fledge.savedmodel import Error, Model
from fledge.serving.errors import code_name

Record = Callable[[Check], None]

SAMPLE = 256  # rows of a metamorphic comparison
STEPS = 12  # of an input that is raised: as many even ones, and as many between which equally many real rows lie
UNSEEN = "no such category"
NOTHING = "looked at nothing, expected something to compare"


class Sizes(Limit):
    max: PositiveInt


class Tolerance(Limit):
    tolerance: float


class Examples(Limit):
    examples: PositiveInt


def test_requests(candidate: Model, contract: Contract, model_dir: Path, record: Record) -> None:
    """Every golden and edge request of requests.jsonl is answered as it expects."""
    requests = promised(model_dir / "requests.jsonl")
    answers = {request["name"]: answer(candidate, contract, request["inputs"]) for request in requests}
    faults = [fault for request in requests for fault in request_faults(request, answers, contract)]
    record(tally("requests", faults, len(requests), f"mend the model, or what {model_dir / 'requests.jsonl'} expects"))


def test_sizes(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A batch of none, of one and of the largest promised size is answered, one answer for each row."""
    sizes = [0, 1, limits.of("edge_cases", "sizes", Sizes).max]
    faults = []
    for size in sizes:
        found = answer(candidate, contract, rows.take(np.arange(size) % len(rows)))
        faults += [f"batch of {size}: {fault}" for fault in answer_faults(found, contract, size)]
    record(tally("sizes", faults, len(sizes), "look for a reshape or a reduction over the batch"))


def test_independence(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A row's answer does not depend on the rows beside it: order and split of a batch change nothing."""
    limit = limits.of("edge_cases", "independence", Tolerance)
    sample = rows.take(np.arange(min(SAMPLE, len(rows))))
    count = len(next(iter(sample.values())))
    whole = candidate.run(contract.signature, sample)
    order = np.random.default_rng(0).permutation(count)
    shuffled = candidate.run(contract.signature, {name: values[order] for name, values in sample.items()})
    parts = [
        candidate.run(contract.signature, {n: v[i] for n, v in sample.items()})
        for i in ([0], slice(1, 8), slice(8, None))
    ]
    gaps = {
        "another order of rows changes an answer": gap(
            {name: values[order] for name, values in whole.items()}, shuffled
        ),
        "another split of the batch changes an answer": gap(
            whole, {name: np.concatenate([p[name] for p in parts]) for name in whole}
        ),
    }
    record(largest("independence", gaps, count, limit.tolerance, "look for batch statistics left in training mode"))


def test_missing(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """An input that is missing is answered exactly as the value that the contract says it means."""
    limit = limits.of("edge_cases", "missing", Tolerance)
    pairs = {name: (x.missing, x.means) for name, x in contract.inputs.items() if x.means is not None}
    # A number that may be missing, as NaN lets every float be. A string's `missing` is a category of its own.
    numbers = {name: x for name, x in contract.inputs.items() if x.dtype != "string"}
    missable = {name: x for name, x in numbers.items() if x.dtype.startswith("float") or x.missing is not None}
    undocumented = [name for name, x in missable.items() if x.missing is None or x.means is None]
    record(metamorphic("missing", candidate, contract, rows, pairs, undocumented, limit.tolerance))


def test_unknown(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A category that training never saw is answered exactly as the value that the contract says it means."""
    limit = limits.of("edge_cases", "unknown", Tolerance)
    categories = {n: x for n, x in contract.inputs.items() if x.dtype == "string" or x.known is not None}
    pairs = {name: (unseen(x), x.unknown) for name, x in categories.items()}
    undocumented = [name for name, x in categories.items() if x.known is None or x.unknown is None]
    record(metamorphic("unknown", candidate, contract, rows, pairs, undocumented, limit.tolerance))


def test_monotone(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """More of an input that the contract calls monotone never moves the answer of a real row the other way."""
    limit = limits.of("edge_cases", "monotone", Tolerance)
    directed = [name for name, column in contract.inputs.items() if column.monotone]
    sample = rows.take(np.arange(min(SAMPLE, len(rows))))
    moves = {name: drop(candidate, contract, rows, sample, name) for name in directed}
    gaps = {f"more {name} moves an answer against `monotone`": value for name, (value, _) in moves.items()}
    remedy = "constrain the network, or take `monotone` out of contract.yaml: inputs"
    count = sum(looked for _, looked in moves.values())
    record(largest("monotone", gaps, count, limit.tolerance, remedy) if directed else undeclared("monotone"))


def test_properties(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """Any row within the contract gets a finite answer in range: real rows with a few inputs changed."""
    examples = limits.of("edge_cases", "properties", Examples).examples
    # Derandomised and without a store of examples: the same commit gets the same verdict.
    profile = settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    @profile
    @given(changed_rows(contract, rows))
    def holds(row: dict[str, Array]) -> None:
        faults = answer_faults(answer(candidate, contract, row), contract, 1)
        told = {name: values.tolist()[0] for name, values in row.items()}
        assert not faults, f"{faults[0]} for {told}"

    try:
        holds()
        faults = []
    except AssertionError as error:
        faults = str(error).splitlines()[:1]
    record(
        tally("properties", faults, examples, "mend the preprocessing in the graph, or narrow contract.yaml: inputs")
    )


def promised(path: Path) -> list[dict[str, Any]]:
    """The requests of requests.jsonl. Raises Problem naming those that lack a key, and where none is golden."""
    requests = golden.read(path)
    lacking = [
        f"requests: {request.get('name', 'one without a name')} lacks {', '.join(absent)}, expected it ({path})"
        for request in requests
        if (absent := [key for key in ("name", "kind", "inputs", "expect") if not request.get(key)])
    ]
    if not lacking and not any(request["kind"] == "golden" for request in requests):
        lacking = [f"requests: no golden request found, expected at least one ({path}: kind)"]
    if lacking:
        raise Problem(*lacking)
    return requests


def answer(model: Model, contract: Contract, inputs: Mapping[str, Any]) -> dict[str, Array] | str:
    """The outputs, or the name of the status that a server would answer with."""
    try:
        return model.run(contract.signature, contract.arrays(inputs))
    except Error as error:
        return code_name(error)
    except (KeyError, TypeError, ValueError):
        return "INVALID_ARGUMENT"


def answer_faults(found: dict[str, Array] | str, contract: Contract, rows: int) -> list[str]:
    return [f"answered {found}"] if isinstance(found, str) else contract.faults(found, rows)


def request_faults(request: Mapping[str, Any], answers: Mapping[str, Any], contract: Contract) -> list[str]:
    """What the answer to one request lacks of what the contract promises and of what the request expects."""
    found, rows = answers[request["name"]], len(next(iter(request["inputs"].values())))
    faults = [] if isinstance(found, str) else contract.faults(found, rows)
    unlike = golden.check(request["expect"], found, answers)
    return [f"{request['name']}: {fault}" for fault in [*faults, *([unlike] if unlike else [])]]


def metamorphic(
    name: str,
    model: Model,
    contract: Contract,
    rows: Rows,
    pairs: Mapping[str, tuple[Any, Any]],
    undocumented: list[str],
    tolerance: float,
) -> Check:
    """One input at a time: the answers with its first value equal those with its second, whatever the rest of the row."""
    key = "missing, means" if name == "missing" else "known, unknown"
    if undocumented:
        reason = f"{', '.join(undocumented)}: no meaning of {name} documented, expected one (contract.yaml: inputs.<name>.{key})"
        return Check("edge_cases", name, Verdict.BLOCK, reason, f"write `{key}` of these inputs into contract.yaml")
    if not pairs:
        return undeclared(name)
    sample = rows.take(np.arange(min(SAMPLE, len(rows))))
    count = len(next(iter(sample.values())))
    gaps = {
        f"{column} = {said!r} instead of {meant!r} changes an answer": gap(
            *(
                model.run(contract.signature, sample | {column: contract.inputs[column].array([value] * count)})
                for value in (said, meant)
            )
        )
        for column, (said, meant) in pairs.items()
    }
    return largest(
        name,
        gaps,
        count * len(gaps),
        tolerance,
        f"mend the preprocessing in the graph, or contract.yaml: inputs.<name>.{key}",
    )


def gap(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> float:
    """The largest difference of any output; infinite where one of the two is not finite."""
    gaps = [np.abs(ours[name].astype(float) - theirs[name]).max(initial=0) for name in ours]
    return float(np.nan_to_num(max(gaps), nan=np.inf))


def drop(model: Model, contract: Contract, rows: Rows, sample: Mapping[str, Array], name: str) -> tuple[float, int]:
    """How far at most an answer falls (rises, where `monotone` is down) while one input rises, and how many were seen.

    Raises Problem for an answer that is not one number per row: more or less of it would mean nothing.
    """
    column, (output, described) = contract.inputs[name], next(iter(contract.outputs.items()))
    if described.shape:
        raise Problem(
            f"{name}: found monotone {column.monotone} beside {output} of shape {list(described.shape)}, "
            f"expected one number per row (contract.yaml: inputs.{name}.monotone)"
        )
    count = len(next(iter(sample.values())))
    answers = [
        model.run(contract.signature, {**sample, name: np.full(count, step)})[output].astype(float)
        for step in steps(column, rows.inputs[name])
    ]
    up = np.array(answers) * (-1 if column.monotone == "down" else 1)
    falls = np.maximum.accumulate(up) - up
    return float(np.nan_to_num(falls.max(initial=0), nan=np.inf)), falls[1:].size


def steps(column: Input, seen: Array) -> Array:
    """Values of a number, rising: even ones over its range and quantiles of the real ones, which may crowd in a corner."""
    real = seen[np.isfinite(seen)]
    low, high = column.range or ((real.min(), real.max()) if len(real) else (0, 0))
    crowd = np.quantile(real, np.linspace(0, 1, STEPS)) if len(real) else []
    return np.unique(np.clip([*np.linspace(low, high, STEPS), *crowd], low, high).astype(seen.dtype))


def largest(name: str, gaps: Mapping[str, float], n: int, tolerance: float, remedy: str) -> Check:
    """PASS where no gap is above the tolerance. A check that looked at nothing says nothing, so it blocks."""
    worst = max(gaps, key=lambda key: gaps[key], default="nothing")
    value = gaps.get(worst, 0.0)
    good = n > 0 and value <= tolerance
    reason = f"{worst} by {value:.2g}, expected at most {tolerance:.2g}" if n else NOTHING
    shown = value if np.isfinite(value) else None
    verdict = Verdict.PASS if good else Verdict.BLOCK
    return Check("edge_cases", name, verdict, reason, "" if good else remedy, shown, None, tolerance, n)


def tally(name: str, faults: list[str], n: int, remedy: str) -> Check:
    """PASS where something was looked at and no fault found."""
    good = n > 0 and not faults
    reason = "; ".join(faults) or ("all answered as expected" if n else NOTHING)
    verdict = Verdict.PASS if good else Verdict.BLOCK
    return Check(
        "edge_cases", name, verdict, reason, "" if good else remedy, float(len(faults)), None, 0.0, n, unit="faults"
    )


def undeclared(name: str) -> Check:
    """The one PASS of a check that looked at nothing: the contract has no input that it is about."""
    return Check("edge_cases", name, Verdict.PASS, "nothing declared: contract.yaml has no such input", n=0)


def changed_rows(contract: Contract, rows: Rows) -> st.SearchStrategy[dict[str, Array]]:
    """A real row with one to three inputs drawn anew from what the contract allows."""
    names = st.lists(st.sampled_from(sorted(contract.inputs)), min_size=1, max_size=3, unique=True)
    changes = names.flatmap(lambda chosen: st.fixed_dictionaries({n: values(contract.inputs[n]) for n in chosen}))
    return st.builds(
        lambda index, change: (
            rows.take(np.array([index]))
            | {name: contract.inputs[name].array([value]) for name, value in change.items()}
        ),
        st.integers(0, len(rows) - 1),
        changes,
    )


def values(column: Input) -> st.SearchStrategy[Any]:
    """What a client may send: within range or known, missing, and for a string anything at all."""
    missing = st.nothing() if column.missing is None else st.just(column.missing)
    if column.dtype == "string":
        return st.sampled_from(column.known or [""]) | st.text(max_size=20) | missing
    if column.dtype == "bool":
        return st.booleans()
    low, high = column.range or (None, None)
    if column.dtype.startswith("int"):
        return missing | st.integers(*(None if b is None else int(b) for b in (low, high)))
    width: Literal[32, 64] = 64 if column.dtype == "float64" else 32
    bounds = [None if b is None else float(np.dtype(column.dtype).type(b)) for b in (low, high)]
    return missing | st.floats(*bounds, allow_nan=False, allow_infinity=False, width=width)


def unseen(column: Input) -> Any:
    """A value outside `known`, in the input's dtype."""
    return UNSEEN if column.dtype == "string" else max(column.known or [0]) + 1
