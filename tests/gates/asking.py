"""How a gate asks the candidate: real rows, through the raw session or as a client; what fails is one line."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from fledge.artifact.contract import Array, Contract
from fledge.artifact.savedmodel import Error, Model
from fledge.checks.determinism import batches
from fledge.client.client import Client
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.serving.errors import code_name
from tests.gates.served import Served

Arrays = dict[str, Array]
Found = TypeVar("Found")
Api = Literal["rest", "grpc"]


def sample(rows: Rows, most: int) -> Arrays:
    """At most so many of the rows, spread evenly over them, as inputs (n,)."""
    return rows.take(np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)))


def count(inputs: Mapping[str, Array]) -> int:
    """How many rows that is."""
    return len(next(iter(inputs.values())))


def readable(read: Callable[[Path], Found], path: Path) -> Found:
    """What `read` finds in an artifact. Raises Problem, a line, for what TensorFlow cannot read."""
    try:
        return read(path)
    except Error as error:
        what, said = code_name(error).lower().replace("_", " "), " ".join(error.message.split())
        raise Problem(f"SavedModel: {what} ({said}), expected one that can be read ({path})") from None


def asked(model: Model, contract: Contract, inputs: Mapping[str, Array]) -> Arrays:
    """The contract's outputs for these rows. Raises Problem for what the model lacks, or does not answer."""
    try:
        return model.run(contract.signature, inputs, list(contract.outputs))
    except KeyError as error:
        raise Problem(f"candidate: has no {error.args[0]}, expected it (contract.yaml: {error.args[0]})") from None
    except Error as error:
        said = error.message.splitlines()[0]
        raise Problem(f"candidate: {code_name(error)} ({said}), expected an answer to {count(inputs)} rows") from None


def tried(model: Model, contract: Contract, inputs: Mapping[str, Any]) -> Arrays | str:
    """The outputs, or the name of the status that a server would answer with."""
    try:
        return model.run(contract.signature, contract.arrays(inputs))
    except Error as error:
        return code_name(error)
    except (KeyError, TypeError, ValueError):
        return "INVALID_ARGUMENT"


def joined(parts: Iterable[Mapping[str, Array]]) -> Arrays:
    """The answers to batches, one after another."""
    found = list(parts)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def served(server: Served, api: Api, contract: Contract, inputs: Mapping[str, Array], batch: int) -> Arrays:
    """The contract's outputs as a client gets them, in batches. Raises Problem for a request that failed."""
    return asyncio.run(_served(server, api, contract, inputs, batch))


async def _served(server: Served, api: Api, contract: Contract, inputs: Mapping[str, Array], batch: int) -> Arrays:
    parts: list[Mapping[str, Array]] = []
    address, outputs = getattr(server, api), tuple(contract.outputs)
    async with Client(address, address, address, server.name) as client:
        for part in batches(count(inputs), batch):
            some = {name: values[part] for name, values in inputs.items()}
            answer = await (client.rest(some, outputs) if api == "rest" else client.grpc(some))
            if answer.outputs is None:
                said = " ".join(answer.message.split())
                raise Problem(f"{api}: {answer.status} ({said}), expected an answer to {count(some)} rows")
            if lacking := sorted(set(outputs) - answer.outputs.keys()):
                raise Problem(f"{api}: no {', '.join(lacking)} in the answer, expected it (contract.yaml: outputs)")
            parts.append({name: answer.outputs[name] for name in outputs})
    return joined(parts)
