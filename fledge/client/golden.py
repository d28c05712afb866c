"""Golden and edge requests (requests.jsonl): whether answers are what the contract's owner expects.

A line is {"name", "kind", "inputs": {input: [values]}, "expect"}, where `expect` is one of {"range": {output: [low, high]}},
{"same_as": another request's name, "tolerance": …} and {"error": a gRPC status name}.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fledge.client.status import HTTP
from fledge.problems import Problem

if TYPE_CHECKING:
    from fledge.client.client import Client, Signature

Request = Mapping[str, Any]
Outputs = Mapping[str, NDArray[Any]] | str  # a string is the status of a failure: gRPC's name or HTTP's number


def read(path: Path) -> list[dict[str, Any]]:
    """The requests of a requests.jsonl, in its order; what a request must hold is for its reader to check.

    Raises Problem, a line for each line that is no JSON object, or one where there is no file or no request in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: found {error!r}, expected golden and edge requests ({path})") from None
    parsed = {number: _parsed(line) for number, line in enumerate(lines, 1) if line.strip()}
    requests = [found for found in parsed.values() if not isinstance(found, str)]
    problems = [
        f"{path}: found {found}, expected a request as a JSON object ({path}: line {number})"
        for number, found in parsed.items()
        if isinstance(found, str)
    ]
    if problems or not requests:
        raise Problem(*problems or [f"{path}: found no request, expected golden and edge requests ({path})"])
    return requests


def _parsed(line: str) -> dict[str, Any] | str:
    """A line's object, or what else it is."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        return f"no JSON ({error})"
    return found if isinstance(found, dict) else f"a JSON {type(found).__name__}"


def check(expect: Mapping[str, Any], answer: Outputs, others: Mapping[str, Outputs] | None = None) -> str | None:
    """What is wrong with an answer, None if nothing is. `others` are the answers by name, for `same_as`."""
    if "error" in expect:
        wanted = expect["error"]
        if answer in (wanted, str(HTTP.get(wanted))):
            return None
        return f"found {answer if isinstance(answer, str) else 'an answer'}, expected {wanted}"
    if isinstance(answer, str):
        return f"found {answer}, expected an answer"
    if "same_as" in expect:
        other = (others or {}).get(expect["same_as"], "no answer")
        return _different(answer, other, expect["same_as"], float(expect["tolerance"]))
    for name, (low, high) in expect["range"].items():
        values = np.asarray(answer[name]) if name in answer else None
        if values is None:
            return f"found no {name}, expected it in {low:g} to {high:g}"
        # NaN is in no range.
        if not ((values >= low) & (values <= high)).all():
            return f"found {name} {values.ravel().tolist()}, expected {low:g} to {high:g}"
    return None


def answers(address: str, rest_host: str, grpc_host: str, model: str, requests: Sequence[Request]) -> list[str]:
    """Send every request through the gateway at `address` ("host:port") by REST and by gRPC.

    Returns a line for each answer that is not as its request expects: an empty list is good.
    Raises Problem if the model does not answer at all.
    """
    return asyncio.run(_answers((address, rest_host, grpc_host, model), requests))


def version(address: str, grpc_host: str, model: str) -> int:
    """TensorFlow Serving's number of the version that answers. Raises Problem if none does."""

    async def ask() -> int:
        from fledge.client.client import Client

        async with Client(address, grpc_host, grpc_host, model) as client:
            return (await _signature(client, model)).version

    return asyncio.run(ask())


async def _answers(where: tuple[str, str, str, str], requests: Sequence[Request]) -> list[str]:
    from fledge.client.client import Client  # here, for gates use `check` in a process that imports TensorFlow itself

    model, lines = where[3], []
    async with Client(*where) as client:
        signature = await _signature(client, model)
        for api in ("rest", "grpc"):
            found: dict[str, Outputs] = {}
            for request in requests:
                found[request["name"]] = await _ask(client, api, signature, request["inputs"])
            for request in requests:
                if wrong := check(request["expect"], found[request["name"]], found):
                    lines.append(f"{model}: {request['name']} over {api}: {wrong} (models/{model}/requests.jsonl)")
    return lines


async def _signature(client: "Client", model: str) -> "Signature":
    import grpc

    try:
        return await client.signature()
    except grpc.aio.AioRpcError as error:
        raise Problem(f"{model}: {error.code().name}: {error.details()}, expected an answer from the gateway") from None


async def _ask(client: "Client", api: str, signature: "Signature", inputs: Mapping[str, Sequence[Any]]) -> Outputs:
    arrays = {name: _array(values, signature.inputs.get(name)) for name, values in inputs.items()}
    answer = await (client.rest(arrays, signature.outputs) if api == "rest" else client.grpc(arrays))
    return answer.status if answer.outputs is None else answer.outputs


def _array(values: Sequence[Any], dtype: np.dtype[Any] | None) -> NDArray[Any]:
    """In the signature's dtype where that is possible; what is not is the server's to refuse."""
    try:
        return np.array(values, dtype=dtype)
    except (TypeError, ValueError):
        return np.array(values)


def _different(answer: Mapping[str, NDArray[Any]], other: Outputs, name: str, tolerance: float) -> str | None:
    if isinstance(other, str):
        return f"found {other} for {name}, expected an answer to compare with"
    for output in sorted({*answer, *other}):
        one, two = np.asarray(answer.get(output)), np.asarray(other.get(output))
        if one.shape != two.shape or not np.allclose(one, two, rtol=0, atol=tolerance, equal_nan=False):
            return f"found {output} {one.ravel().tolist()}, expected {two.ravel().tolist()} as {name} ± {tolerance:g}"
    return None
