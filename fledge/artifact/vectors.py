"""Golden vectors: raw rows and what the trained network answered to them in memory, left in the artifact by training.

JSON, one array for each input and output: numbers in full, so that they come back exactly, not a number as null and
infinity as "inf". Whoever serves the artifact can prove with it that what is served is what was trained.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fledge.artifact.contract import Contract
from fledge.problems import Problem

Arrays = Mapping[str, NDArray[Any]]

FILE = Path("assets.extra") / "golden.json"  # in the SavedModel; TensorFlow Serving leaves the folder to others
ROWS = 256  # a fault of 1.2 % of rows is in one of so many with a chance of 95 %


def chosen(count: int) -> NDArray[np.int64]:
    """Which of `count` rows are kept: (at most ROWS,) of them, spread evenly from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(ROWS, count)).round().astype(np.int64))


def dumps(inputs: Arrays, outputs: Arrays) -> str:
    """The vectors as text, the same for the same arrays (n, …). Raises TypeError for what JSON has no word for."""
    content = {"inputs": _lists(inputs), "outputs": _lists(outputs)}
    return json.dumps(content, allow_nan=False, sort_keys=True) + "\n"


def read(file: Path, contract: Contract) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]] | None:
    """Inputs and outputs of the contract, (n, …) each in its dtype; None where the artifact has no such file.

    Raises Problem for a file that is damaged, empty, or about other inputs and outputs than the contract's.
    """
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        inputs = contract.arrays({name: content["inputs"][name] for name in contract.inputs})
        outputs = {
            name: np.asarray(content["outputs"][name], dtype=described.dtype)
            for name, described in contract.outputs.items()
        }
        strange = sorted((content["inputs"].keys() - inputs.keys()) | (content["outputs"].keys() - outputs.keys()))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Problem(f"golden: found {error!r}, expected what training left ({file})") from None
    counts = {len(values) for values in (*inputs.values(), *outputs.values())}
    if strange or len(counts) != 1 or counts == {0}:
        found = f"{', '.join(strange)} beside the contract's" if strange else f"arrays of {sorted(counts)} rows"
        raise Problem(f"golden: found {found}, expected a row of every input and output ({file})")
    return inputs, outputs


def _lists(arrays: Arrays) -> dict[str, Any]:
    return {name: [_plain(value) for value in values.tolist()] for name, values in arrays.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
