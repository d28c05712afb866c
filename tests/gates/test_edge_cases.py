"""Does the candidate answer as documented where real rows seldom go? Through the raw session, as a server would."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
UNSEEN = "no such category"


class Sizes(Limit):
    max: int


class Tolerance(Limit):
    tolerance: float


class Examples(Limit):
    examples: int


def test_requests(candidate: Model, contract: Contract, model_dir: Path, record: Record) -> None:
    """Every golden and edge request of requests.jsonl is answered as it expects."""
    requests = read(model_dir / "requests.jsonl")
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
        "another order of rows": gap({name: values[order] for name, values in whole.items()}, shuffled),
        "another split of the batch": gap(whole, {name: np.concatenate([p[name] for p in parts]) for name in whole}),
    }
    record(largest("independence", gaps, count, limit.tolerance, "look for batch statistics left in training mode"))


def test_missing(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """An input that is missing is answered exactly as the value that the contract says it means."""
    limit = limits.of("edge_cases", "missing", Tolerance)
    pairs = {name: (x.missing, x.means) for name, x in contract.inputs.items() if x.means is not None}
    undocumented = [
        n for n, x in contract.inputs.items() if x.dtype.startswith("float") and (x.missing is None or x.means is None)
    ]
    record(metamorphic("missing", candidate, contract, rows, pairs, undocumented, limit.tolerance))


def test_unknown(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A category that training never saw is answered exactly as the value that the contract says it means."""
    limit = limits.of("edge_cases", "unknown", Tolerance)
    known = {name: x for name, x in contract.inputs.items() if x.known is not None}
    pairs = {name: (unseen(x), x.unknown) for name, x in known.items()}
    undocumented = [name for name, x in known.items() if x.unknown is None]
    record(metamorphic("unknown", candidate, contract, rows, pairs, undocumented, limit.tolerance))


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


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of requests.jsonl. Raises Problem where there is none, it does not parse, or it has no golden one."""
    try:
        requests = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        proofs = [
            one for one in requests if one["kind"] == "golden" and one["name"] and one["expect"] and one["inputs"]
        ]
    except FileNotFoundError:
        raise Problem(f"requests: {path} is not there, expected golden and edge requests") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(
            f"requests: damaged ({error!r}), expected name, kind, inputs and expect in every line ({path})"
        ) from None
    if not proofs:
        raise Problem(f"requests: no golden request found, expected at least one ({path}: kind)")
    return requests


def answer(model: Model, contract: Contract, inputs: Mapping[str, Any]) -> dict[str, Array] | str:
    """The outputs, or the name of the status that a server would answer with."""
    try:
        return model.run(contract.signature, contract.arrays(inputs))
    except Error as error:
        return code_name(error)
    except (KeyError, ValueError):
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
    key = "missing, means" if name == "missing" else "unknown"
    if undocumented:
        reason = f"{', '.join(undocumented)}: no meaning of {name} documented, expected one (contract.yaml: inputs.<name>.{key})"
        return Check("edge_cases", name, Verdict.BLOCK, reason, f"write `{key}` of these inputs into contract.yaml")
    sample = rows.take(np.arange(min(SAMPLE, len(rows))))
    count = len(next(iter(sample.values())))
    gaps = {
        f"{column} = {said!r} instead of {meant!r}": gap(
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


def largest(name: str, gaps: Mapping[str, float], n: int, tolerance: float, remedy: str) -> Check:
    worst = max(gaps, key=lambda key: gaps[key], default="nothing")
    value = gaps.get(worst, 0.0)
    verdict = Verdict.PASS if value <= tolerance else Verdict.BLOCK
    reason = f"{worst} changes an answer by {value:.2g}, expected at most {tolerance:.2g}"
    shown = value if np.isfinite(value) else None
    return Check("edge_cases", name, verdict, reason, "" if value <= tolerance else remedy, shown, None, tolerance, n)


def tally(name: str, faults: list[str], n: int, remedy: str) -> Check:
    verdict = Verdict.BLOCK if faults else Verdict.PASS
    reason = "; ".join(faults) or "all answered as expected"
    return Check(
        "edge_cases", name, verdict, reason, remedy if faults else "", float(len(faults)), None, 0.0, n, unit="faults"
    )


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
