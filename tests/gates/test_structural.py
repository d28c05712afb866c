"""Is the artifact what its contract says, and can a fresh process serve it? No statistics, no tolerance."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.python.framework import dtypes

from fledge.contract import Array, Contract
from fledge.evidence import Check, Verdict
from fledge.rows import Rows
from fledge.savedmodel import Model

Record = Callable[[Check], None]

# A stock tensorflow/serving has no Python to call back, and a model has no business with files of the server.
FORBIDDEN = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "DebugIdentityV2"}
FRESH = Path(__file__).with_name("fresh.py")


def test_signature(candidate: Model, contract: Contract, record: Record) -> None:
    """The SavedModel's signatures are exactly those of contract.yaml: names, dtypes, shapes, classes."""
    faults = differences(signatures(candidate), promised(contract)) + class_faults(contract)
    record(
        exact(
            "signature",
            faults,
            len(contract.inputs) + len(contract.outputs),
            "export the model again, or change contract.yaml and release a new major version",
        )
    )


def test_variables(candidate: Model, record: Record) -> None:
    """Every variable is finite."""
    variables = candidate.variables()
    numbers = {name: v for name, v in variables.items() if np.issubdtype(v.dtype, np.floating)}
    faults = [
        f"{name}: {np.count_nonzero(~np.isfinite(value))} of {value.size} values are not finite, expected none"
        for name, value in numbers.items()
        if not np.isfinite(value).all()
    ]
    record(exact("variables", faults, len(variables), "look for a diverged training: learning rate, bad rows"))


def test_ops(candidate: Model, record: Record) -> None:
    """The graph holds no operation that a stock server lacks or that reaches outside the model."""
    ops = candidate.ops()
    faults = [f"the graph holds the op {op}, expected none of {sorted(FORBIDDEN)}" for op in sorted(ops & FORBIDDEN)]
    record(exact("ops", faults, len(ops), "put that step into TensorFlow operations, or before the request"))


def test_fresh_process(candidate: Model, contract: Contract, rows: Rows, record: Record) -> None:
    """A fresh process loads the model and answers real rows as this one does."""
    sample = rows.take(np.arange(min(32, len(rows))))
    here = candidate.run(contract.signature, sample)
    faults = fresh_faults(candidate.path, contract, sample, here)
    record(
        exact(
            "fresh_process",
            faults,
            len(next(iter(sample.values()))),
            "serve it by `python -m fledge.serving` and read the error",
        )
    )


def exact(name: str, faults: list[str], n: int, remedy: str) -> Check:
    """A check without tolerance: any fault blocks, and all are named."""
    verdict = Verdict.BLOCK if faults else Verdict.PASS
    reason = "; ".join(faults) or "as the contract says"
    return Check(
        "structural", name, verdict, reason, remedy if faults else "", float(len(faults)), None, 0.0, n, unit="faults"
    )


def signatures(model: Model) -> dict[str, str]:
    """What the SavedModel offers, flat: "serving_default input temp" -> "float32 [None]"."""
    return {
        f"{key} {side} {name}": f"{dtypes.as_dtype(tensor.dtype).name} {_shape(tensor.tensor_shape)}"
        for key, signature in model.signatures.items()
        if not key.startswith("__")  # the init op is listed as a signature
        for side, tensors in (("input", signature.inputs), ("output", signature.outputs))
        for name, tensor in tensors.items()
    }


def promised(contract: Contract) -> dict[str, str]:
    """The same, as contract.yaml has it."""
    inputs = {f"{contract.signature} input {name}": f"{x.dtype} [None]" for name, x in contract.inputs.items()}
    return inputs | {
        f"{contract.signature} output {name}": f"{y.dtype} {[None, *y.shape]}" for name, y in contract.outputs.items()
    }


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """One line for each name in which the SavedModel and its contract differ."""
    return [
        f"{name} is {found.get(name, 'absent')}, expected {expected.get(name, 'absent')} (contract.yaml)"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def class_faults(contract: Contract) -> list[str]:
    """A chance for each class, or one chance for the second of two."""
    count = len(contract.classes)
    return [
        f"output {name} has {output.shape[-1]} values, expected one for each of {count} classes (contract.yaml: classes)"
        if output.shape
        else f"output {name} is one value for {count} classes, expected 2 (contract.yaml: classes)"
        for name, output in contract.outputs.items()
        if (output.shape[-1] if output.shape else 2) != count
    ]


def fresh_faults(path: Path, contract: Contract, sample: Mapping[str, Array], here: Mapping[str, Array]) -> list[str]:
    request = {"signature": contract.signature, "dtypes": {n: x.dtype for n, x in contract.inputs.items()}}
    columns = {name: values.tolist() for name, values in sample.items()}
    done = subprocess.run(
        [sys.executable, FRESH, path], input=json.dumps(request | {"inputs": columns}), capture_output=True, text=True
    )
    if done.returncode:
        return [f"exit code {done.returncode}: {(done.stderr.strip() or 'silent').splitlines()[-1]}, expected answers"]
    there: dict[str, Any] = json.loads(done.stdout)
    return [
        f"{name} differs between two processes, expected the same bits"
        for name, values in here.items()
        if not np.array_equal(np.asarray(there[name], values.dtype), values, equal_nan=True)
    ]


def _shape(shape: Any) -> list[int | None] | str:
    return "unknown" if shape.unknown_rank else [None if dim.size < 0 else dim.size for dim in shape.dim]
