"""The tensors of a REST predict request: rows (`instances`) or columns (`inputs`)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from fledge.artifact import bare
from fledge.artifact.savedmodel import Error
from fledge.serving.errors import error, status_text
from fledge.serving.rest_json import dump
from fledge.serving.rest_values import INT32, INTEGERS, is_base64, reader

MOST_DIMENSIONS = 64  # of a numpy array; a TensorFlow one has 254


class _Dense(NamedTuple):
    """A JSON value as a tensor: its shape, and its values in row-major order."""

    shape: tuple[int, ...]
    values: list[Any]


def read(body: Mapping[str, Any], inputs: Mapping[str, TensorInfo]) -> tuple[dict[str, bare.Array], bool]:
    """Return the arrays of a request, and whether it is in row format. Raise INVALID_ARGUMENT."""
    if "instances" in body and "inputs" in body:
        message = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        raise error("INVALID_ARGUMENT", f"JSON Value: {dump(body)} {message}")
    if "instances" in body:
        return _from_rows(body["instances"], body, inputs), True
    if "inputs" in body:
        return _from_columns(body["inputs"], inputs), False
    raise error("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")


def _from_rows(rows: Any, body: Mapping[str, Any], inputs: Mapping[str, TensorInfo]) -> dict[str, bare.Array]:
    if not isinstance(rows, list):
        message = "Expecting 'instances' to be an list/array"
        raise error("INVALID_ARGUMENT", f"JSON Value: {dump(body)} {message}")
    if not rows:
        raise error("INVALID_ARGUMENT", f"JSON Value: {dump(body)} No values in 'instances' array")
    named = _is_object(rows[0])
    if not named and len(inputs) > 1:
        raise error(
            "INVALID_ARGUMENT",
            "instances is a plain list, but expecting list of objects as multiple input tensors required "
            "as per tensorinfo_map",
        )
    columns: dict[str, list[_Dense]] = {name: [] for name in inputs}
    for position, row in enumerate(rows):
        if _is_object(row) != named:
            raise error("INVALID_ARGUMENT", _mixed(row, position))
        for name, value in (row if named else {next(iter(inputs)): row}).items():
            _add(columns, name, value, inputs, f"{position} key: {name}" if named else f"{position}")
        if named and len(row) != len(inputs):
            keys = f"JSON object: {dump(row)} keys must be equal to: {','.join(sorted(inputs))}"
            raise error("INVALID_ARGUMENT", f"Failed to process element: {position} of 'instances' list. {keys}")
    return {name: _stacked(column, inputs[name].dtype) for name, column in columns.items()}


def _mixed(row: Any, position: int) -> str:
    found, expected = ("object", "value/list") if _is_object(row) else (_plain_kind(row), "object")
    return f"Expecting {expected} but got {found} at item {position} of input list"


def _plain_kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "value"


def _add(columns: dict[str, list[_Dense]], name: str, value: Any, inputs: Mapping[str, TensorInfo], place: str) -> None:
    """Append one row's value to its column; every value of a column has the shape of the first."""
    try:
        if name not in inputs:
            raise error("INVALID_ARGUMENT", f"JSON object: does not have named input: {name}")
        dense = _dense(value, inputs[name].dtype)
        first = columns[name][0] if columns[name] else dense
        if len(dense.values) != len(first.values):
            message = f"Expecting tensor size: {len(first.values)} but got: {len(dense.values)}"
            raise error("INVALID_ARGUMENT", message)
        if dense.shape != first.shape:
            message = f"Expecting shape {_shape_text(first.shape)} but got: {_shape_text(dense.shape)}"
            raise error("INVALID_ARGUMENT", message)
    except Error as problem:
        message = f"Failed to process element: {place} of 'instances' list. Error: {status_text(problem)}"
        raise error("INVALID_ARGUMENT", message) from None
    columns[name].append(dense)


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _stacked(column: list[_Dense], dtype: int) -> bare.Array:
    values = [value for dense in column for value in dense.values]
    return _to_array(_Dense((len(column), *column[0].shape), values), dtype)


def _from_columns(columns: Any, inputs: Mapping[str, TensorInfo]) -> dict[str, bare.Array]:
    if not _is_object(columns):
        if len(inputs) > 1:
            raise error(
                "INVALID_ARGUMENT",
                "inputs is a plain value/list, but expecting an object as multiple input tensors required "
                "as per tensorinfo_map",
            )
        columns = dict.fromkeys(inputs, columns)
    for name in inputs:
        if name not in columns:
            raise error("INVALID_ARGUMENT", f"Missing named input: {name} in 'inputs' object.")
    return {name: _to_array(_dense(columns[name], info.dtype), info.dtype) for name, info in inputs.items()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _to_array(dense: _Dense, dtype: int) -> bare.Array:
    target = bare.numpy_dtype(dtype)
    array = np.empty(len(dense.values), np.int32 if INTEGERS.get(dtype) == INT32 else target)
    with np.errstate(over="ignore"):
        array[:] = dense.values
    return array.astype(target, copy=False).reshape(dense.shape)


def _dense(value: Any, dtype: int) -> _Dense:
    """Return a nested list of the shape that its first elements have. Raise INVALID_ARGUMENT where one differs."""
    shape = []
    inner = value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if len(shape) > MOST_DIMENSIONS:
        message = f"JSON Value: lists nested {len(shape)} deep, expected at most {MOST_DIMENSIONS}"
        raise error("INVALID_ARGUMENT", message)
    values: list[Any] = []
    _fill(value, 0, shape, reader(dtype), values)
    return _Dense(tuple(shape), values)


def _fill(value: Any, level: int, shape: list[int], read_one: Callable[[Any], Any], values: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            place = f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            raise error("INVALID_ARGUMENT", f"JSON Value: {dump(value)} {place}")
        values.append(read_one(value))
        return
    if level >= len(shape):
        message = f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        raise error("INVALID_ARGUMENT", message)
    if len(value) != shape[level]:
        message = f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        raise error("INVALID_ARGUMENT", message)
    for item in value:
        _fill(item, level + 1, shape, read_one, values)
