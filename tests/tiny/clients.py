"""A client of a contract, and a model of another one that it asks by the handlers of REST and gRPC, without sockets."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fledge.artifact import bare, savedmodel
from fledge.artifact.compatibility.promises import ordinary, promised
from fledge.artifact.contract import Contract, Input
from fledge.checks.monotone import fall
from fledge.serving import rest_api
from fledge.serving.metrics import Metrics
from fledge.serving.models import Models
from fledge.serving.predict import DEFAULT_SIGNATURE, executor, predict
from tests.serving.conftest import predict_request
from tests.tiny import strict

Ask = Callable[[Any], Any]  # JSON's content by REST, a PredictRequest by gRPC
Columns = Mapping[str, list[Any]]
Answers = dict[str, bare.Array]

# What of these a contract promises to read a client of it sends. Numbers rise.
CANDIDATES: dict[str, list[Any]] = {
    "string": ["EWR", "JFK", "Zürich", "", "never seen"],
    "bool": [False, True],
    "number": [-999, -1, 0, 5, 7, 10, float("nan")],
}
TOLERANCE = 1e-5


class Refused(Exception):
    """What a REST client makes of an error."""


@contextmanager
def served(contract: Contract, folder: Path) -> Iterator[Ask]:
    """The strictest model of a contract, loaded; the way to ask it."""
    path = folder / str(len(list(folder.iterdir())) + 1)
    strict.write(contract, path)
    metrics, models = Metrics(), Models(["m"], lambda _, where: savedmodel.load(where))
    execute = executor(savedmodel.Model.run, metrics)
    api = rest_api.Api(models, execute, metrics, None, 30_000)
    models.aspire({"m": {1: path}})
    assert models.step()
    assert not models.pending()

    def ask(request: Any) -> Any:
        if not isinstance(request, dict):
            return predict(type(request).FromString(request.SerializeToString()), models, execute, None)
        reply = rest_api.answer(api, "POST", "/v1/models/m:predict", {}, json.dumps(request).encode())
        content = json.loads(bytes(reply.body))
        if reply.status_code != 200:
            raise Refused(content["error"])
        return content

    yield ask
    models.aspire({"m": {}})
    assert models.step()


def sendable(contract: Contract) -> dict[str, st.SearchStrategy[Any]]:
    """By input what a client may send: any number in range, or what is typical."""
    return {name: st.sampled_from(typical(one)) | _in_range(one) for name, one in contract.inputs.items()}


def complaints(contract: Contract, ask: Ask, drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a client of the contract has against the answers to what it may send: all that is typical, and `drawn` rows."""
    values = {name: typical(one) for name, one in contract.inputs.items()}
    rows = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    columns = {name: [row[name] for row in [*rows, *drawn]] for name in values}
    found = []
    for way in (rest_rows, rest_columns, grpc, grpc_filtered):
        try:
            answers = way(contract, ask, columns)
        except (Refused, savedmodel.Error) as error:
            found.append(f"refused: {way.__name__}: {error}")
        except (KeyError, TypeError, ValueError) as error:
            found.append(f"unread: {way.__name__}: {error!r}")
        else:
            faults = contract.faults(answers, len(rows) + len(drawn)) or _falls(contract, answers, values)
            found += [f"{way.__name__}: {fault}" for fault in faults]
    return found


def typical(column: Input) -> list[Any]:
    """What of CANDIDATES the contract promises to read."""
    return [
        value for value in CANDIDATES.get(column.dtype, CANDIDATES["number"]) if promised(column.model_dump(), value)
    ]


def _in_range(column: Input) -> st.SearchStrategy[Any]:
    if column.range is None or column.dtype in ("string", "bool"):
        return st.nothing()
    low, high = map(int, column.range)
    return st.integers(low, high) if "int" in column.dtype else st.floats(low, high, width=32)


def rest_rows(contract: Contract, ask: Ask, columns: Columns) -> Answers:
    """By REST in rows, of one input without its name."""
    rows = zip(*columns.values(), strict=True)
    instances = [row[0] if len(columns) == 1 else dict(zip(columns, row, strict=True)) for row in rows]
    found = ask(_signed(contract) | {"instances": instances})["predictions"]
    if len(contract.outputs) > 1:
        return {name: np.array([row[name] for row in found], one.dtype) for name, one in contract.outputs.items()}
    return {name: np.array(found, one.dtype) for name, one in contract.outputs.items()}


def rest_columns(contract: Contract, ask: Ask, columns: Columns) -> Answers:
    """By REST in columns, of one input without its name."""
    (name, *more) = columns
    found = ask(_signed(contract) | {"inputs": dict(columns) if more else columns[name]})["outputs"]
    named = found if len(contract.outputs) > 1 else dict.fromkeys(contract.outputs, found)
    return {name: np.array(named[name], one.dtype) for name, one in contract.outputs.items()}


def grpc(contract: Contract, ask: Ask, columns: Columns, wanted: Sequence[str] = ()) -> Answers:
    """By gRPC, with all outputs."""
    arrays = {name: contract.inputs[name].array(values) for name, values in columns.items()}
    request = predict_request("m", _signed(contract).get("signature_name", ""), **arrays)
    request.output_filter.extend(wanted)
    response = ask(request)
    found = {name: bare.make_ndarray(response.outputs[name]) for name in contract.outputs if name in response.outputs}
    for name, one in contract.outputs.items():
        if found[name].dtype != one.dtype:
            raise TypeError(f"{name} is {found[name].dtype}, expected {one.dtype}")
    return found


def grpc_filtered(contract: Contract, ask: Ask, columns: Columns) -> Answers:
    """By gRPC, with the outputs that are known."""
    return grpc(contract, ask, columns, list(contract.outputs))


def _signed(contract: Contract) -> dict[str, str]:
    return {} if contract.signature == DEFAULT_SIGNATURE else {"signature_name": contract.signature}


def _falls(contract: Contract, answers: Answers, values: Mapping[str, list[Any]]) -> list[str]:
    """Where the first output moves against `monotone` on the grid of what is typical, with which the answers begin."""
    output, described = next(iter(contract.outputs.items()))
    if described.shape:
        return []
    sizes = [len(one) for one in values.values()]
    grid = answers[output][: np.prod(sizes)].reshape(sizes)
    found = []
    for axis, (name, sent) in enumerate(values.items()):
        column = contract.inputs[name]
        rising = [index for index, value in enumerate(sent) if ordinary(column.model_dump(), value)]
        if column.monotone and fall(np.moveaxis(grid, axis, 0)[rising], column) > TOLERANCE:
            found.append(f"more {name} moves {output} against `monotone`")
    return found
