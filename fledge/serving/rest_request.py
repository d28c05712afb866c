"""The tensors of a REST predict request: rows (`instances`) or columns (`inputs`)."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from fledge import bare
from fledge.savedmodel import Error
from fledge.serving.errors import error, status_text
from fledge.serving.rest_json import dump, type_name

_TYPES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}

_INT32 = range(-(2**31), 2**31)

# RapidJSON's IsInt, IsInt64, IsUint, IsUint64; the narrow types wrap around afterwards.
_INTEGERS = {
    types_pb2.DT_INT8: _INT32,
    types_pb2.DT_INT16: _INT32,
    types_pb2.DT_INT32: _INT32,
    types_pb2.DT_UINT8: _INT32,
    types_pb2.DT_INT64: range(-(2**63), 2**63),
    types_pb2.DT_UINT32: range(2**32),
    types_pb2.DT_UINT64: range(2**64),
}


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
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"]


def _to_array(dense: _Dense, dtype: int) -> bare.Array:
    target = bare.numpy_dtype(dtype)
    array = np.empty(len(dense.values), np.int32 if _INTEGERS.get(dtype) == _INT32 else target)
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
    values: list[Any] = []
    _fill(value, 0, shape, _reader(dtype), values)
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


def _reader(dtype: int) -> Callable[[Any], Any]:
    """Return what turns one JSON value into one of a `DataType`, or raises."""

    def wrong(value: Any) -> Error:
        kind = str(value) if isinstance(value, bool) else _TYPES[type(value)]
        return error(
            "INVALID_ARGUMENT", f"JSON Value: {dump(value)} Type: {kind} is not of expected type: {type_name(dtype)}"
        )

    def real(value: Any) -> float:
        if type(value) not in (int, float):
            raise wrong(value)
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def integer(value: Any) -> int:
        if type(value) is not int or value not in _INTEGERS[dtype]:
            raise wrong(value)
        return int(value)

    def boolean(value: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong(value)
        return value

    def text(value: Any) -> bytes:
        if _is_base64(value):
            return _decoded(value)
        if not isinstance(value, str):
            raise wrong(value)
        return value.encode("utf-8", "surrogateescape")

    def unsupported(value: Any) -> Any:
        raise error("UNIMPLEMENTED", f"Conversion of JSON Value: {dump(value)} to type: {type_name(dtype)}")

    if dtype in (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE):
        return real
    if dtype in _INTEGERS:
        return integer
    return {types_pb2.DT_BOOL: boolean, types_pb2.DT_STRING: text}.get(dtype, unsupported)


def _decoded(value: dict[str, Any]) -> bytes:
    if not isinstance(value["b64"], str):
        raise error("INVALID_ARGUMENT", f"JSON Value: {dump(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError):
        raise error("INVALID_ARGUMENT", "Unable to base64 decode") from None
