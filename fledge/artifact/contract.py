"""`contract.yaml`: the signature, classes and promises of a model that clients rely on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fledge.project import Strict, read_yaml, validated

Array = NDArray[Any]


class Input(Strict):
    """One named input of shape [None].

    `missing` is the value that stands for "not known", and `means` the value that it is read as; `unknown` is the
    value that a category outside `known` is read as. `range` and `known` are what clients send. Not a number is
    `nan` or `.nan`: the first is YAML's string, which numpy reads as the second. `known_at` is when a value is known, in
    hours after the question (0 or less, or no client can send it).
    """

    dtype: str
    missing: Any = None
    means: Any = None
    unknown: Any = None
    known: list[Any] | None = None
    range: tuple[float, float] | None = None
    monotone: Literal["up", "down"] | None = None
    known_at: float | None = None

    def array(self, values: Iterable[Any]) -> Array:
        """`values` (n,) in this input's dtype; None stands for `missing`. Strings become an array of objects.

        Raises TypeError or ValueError for what the dtype cannot hold, as None where there is no `missing`.
        """
        kind = object if self.dtype == "string" else self.dtype
        return np.array([self.missing if value is None else value for value in values], dtype=kind)


class Output(Strict):
    """`shape` is without the batch dimension."""

    dtype: str
    shape: tuple[int, ...] = ()
    range: tuple[float, float] | None = None


class Contract(Strict):
    signature: str
    inputs: dict[str, Input]
    outputs: dict[str, Output]
    classes: list[str]

    def arrays(self, columns: Mapping[str, Iterable[Any]]) -> dict[str, Array]:
        """`columns` as the model's inputs; a name that the contract lacks is passed on, for the model to refuse."""
        return {
            name: self.inputs[name].array(values) if name in self.inputs else np.array(list(values))
            for name, values in columns.items()
        }

    def faults(self, answers: Mapping[str, Array], rows: int) -> list[str]:
        """What is wrong with the answers to `rows` rows: shape, not finite, out of range, chances that do not sum to 1."""
        found = []
        for name, output in self.outputs.items():
            answer = answers[name]
            if answer.shape != (rows, *output.shape):
                found.append(f"{name} has shape {list(answer.shape)}, expected {[rows, *output.shape]}")
            elif not np.isfinite(answer).all():
                found.append(f"{name} is not finite in {_count(~np.isfinite(answer))} of {rows} rows")
            elif output.range and not _within(answer, output.range).all():
                found.append(f"{name} leaves {list(output.range)} in {_count(~_within(answer, output.range))} rows")
            elif output.shape == (len(self.classes),) and not np.allclose(answer.sum(axis=1), 1, atol=1e-5):
                found.append(f"{name} does not sum to 1 in every row")
        return found


def load(path: Path) -> Contract:
    """Read the contract at `path`. Raises Problem with one line per wrong, missing or unknown key."""
    return validated(Contract, read_yaml(path), str(path))


def _within(answer: Array, bounds: tuple[float, float]) -> Array:
    inside: Array = (answer >= bounds[0]) & (answer <= bounds[1])
    return inside


def _count(wrong: Array) -> int:
    return int(wrong.reshape(len(wrong), -1).any(axis=1).sum())
