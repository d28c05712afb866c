"""Does the candidate answer as documented where real rows seldom go? Through the raw session, as a server would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from fledge.artifact.contract import Array, Contract
from fledge.artifact.savedmodel import Model
from fledge.checks import edge_cases, mistaken, monotone, special
from fledge.checks.agreement import Tolerance
from fledge.checks.edge_cases import Examples, Reading, Sizes
from fledge.checks.mistaken import Read
from fledge.client import golden
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from tests.gates import asking
from tests.gates.changed import changed_rows

Record = Callable[[Check], None]

SAMPLE = 256  # rows of a metamorphic comparison
FEW = 8  # rows that get a special value


def test_requests(candidate: Model, contract: Contract, model_dir: Path, record: Record) -> None:
    """Every golden and edge request of requests.jsonl is answered as it expects."""
    file = model_dir / "requests.jsonl"
    promises = edge_cases.promised(golden.read(file), str(file))
    answers = {request["name"]: asking.tried(candidate, contract, request["inputs"]) for request in promises}
    record(edge_cases.requests(promises, answers, contract, str(file)))


def test_sizes(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A batch of none, of one and of the largest promised size is answered, one answer for each row."""
    most = limits.of("edge_cases", "sizes", Sizes).max
    batches = {size: rows.take(np.arange(size) % len(rows)) for size in (0, 1, most)}
    answers = {size: asking.tried(candidate, contract, batch) for size, batch in batches.items()}
    record(edge_cases.sizes(answers, contract))


def test_missing(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """An input that is missing is answered exactly as the value that the contract says it means."""
    record(read_as("missing", candidate, contract, rows, limits))


def test_unknown(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A category that training never saw is answered exactly as the value that the contract says it means, and as no known one."""
    check = read_as("unknown", candidate, contract, rows, limits)
    sample = asking.sample(rows, SAMPLE)
    read = {
        name: Read(
            with_value(candidate, contract, sample, name, column.unknown),
            {value: with_value(candidate, contract, sample, name, value) for value in column.known or []},
        )
        for name, column in mistaken.asked(contract).items()
    }
    record(mistaken.mistaken(check, read, contract))


def test_special(candidate: Model, contract: Contract, rows: Rows, record: Record) -> None:
    """Not a number, infinity, extremes and strange strings in any input get a good answer or a clear error."""
    sample = asking.sample(rows, FEW)
    count = asking.count(sample)
    answers = {
        (name, called): asking.tried(candidate, contract, sample | {name: column.array([value] * count)})
        for name, column in contract.inputs.items()
        for called, value in special.specials(column).items()
    }
    record(special.special(answers, contract, count))


def test_monotone(candidate: Model, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """More of an input that the contract calls monotone never moves the answer of a real row the other way."""
    sample = asking.sample(rows, SAMPLE)
    raised = {
        name: rising(candidate, contract, sample, name, rows.inputs[name])
        for name, column in contract.inputs.items()
        if column.monotone
    }
    record(monotone.monotone(raised, contract, limits.of("edge_cases", "monotone", Tolerance)))


def test_properties(
    candidate: Model, contract: Contract, rows: Rows, limits: Limits, explored: int | None, record: Record
) -> None:
    """Any row within the contract gets a finite answer in range: real rows with a few inputs changed."""
    examples = explored or limits.of("edge_cases", "properties", Examples).examples
    # Who judges: derandomised and without a store of examples, so that the same commit gets the same verdict.
    profile = settings(
        max_examples=examples,
        derandomize=not explored,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    asked = set()

    @profile
    @given(changed_rows(contract, rows))
    def holds(row: dict[str, Array]) -> None:
        faults = edge_cases.faults_of(asking.tried(candidate, contract, row), contract, 1)
        told = {name: values.tolist()[0] for name, values in row.items()}
        asked.add(str(told))
        assert not faults, f"{faults[0]} for {told}"

    try:
        holds()
        faults = []
    except AssertionError as error:
        faults = str(error).splitlines()[:1] or ["an assertion failed"]
    record(edge_cases.properties(faults, len(asked)))


def read_as(name: Reading, model: Model, contract: Contract, rows: Rows, limits: Limits) -> Check:
    """One input at a time, each of its values beside the one that the contract says it is read as."""
    limit, pairs = limits.of("edge_cases", name, Tolerance), edge_cases.readings(contract, name)
    sample = asking.sample(rows, SAMPLE)
    compared = [(pair, *(with_value(model, contract, sample, pair[0], value) for value in pair[1:])) for pair in pairs]
    return edge_cases.read_as(name, compared, asking.count(sample), limit)


def with_value(model: Model, contract: Contract, sample: dict[str, Array], name: str, value: Any) -> dict[str, Array]:
    """The answers to the sample with one value in all rows of an input."""
    changed = {name: contract.inputs[name].array([value] * asking.count(sample))}
    return asking.asked(model, contract, sample | changed)


def rising(model: Model, contract: Contract, sample: dict[str, Array], name: str, seen: Array) -> Array:
    """The answers (steps, n) while one input of the sample rises."""
    output, count = monotone.one_number(contract, name), asking.count(sample)
    values = monotone.steps(contract.inputs[name], seen)
    return np.array(
        [asking.asked(model, contract, {**sample, name: np.full(count, value)})[output] for value in values]
    )
