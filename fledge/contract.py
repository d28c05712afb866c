"""`contract.yaml`: the signature, classes and promises of a model that clients rely on."""

from pathlib import Path
from typing import Any, Literal

from fledge.project import Strict, read_yaml, validated


class Input(Strict):
    """One named input of shape [None].

    `missing` is the value that stands for "not known", and `means` the value that it is read as; `unknown` is the
    value that a category outside `known` is read as. An input without `means` (or `unknown`) makes no such promise.
    """

    dtype: str
    missing: Any = None
    means: Any = None
    unknown: Any = None
    known: list[Any] | None = None
    range: tuple[float, float] | None = None
    monotone: Literal["up", "down"] | None = None


class Output(Strict):
    """`shape` is without the batch dimension."""

    dtype: str
    shape: list[int] = []
    range: tuple[float, float] | None = None


class Contract(Strict):
    signature: str
    inputs: dict[str, Input]
    outputs: dict[str, Output]
    classes: list[str]


def load(path: Path) -> Contract:
    """Read the contract at `path`. Raises Problem with one line per wrong, missing or unknown key."""
    return validated(Contract, read_yaml(path), str(path))
