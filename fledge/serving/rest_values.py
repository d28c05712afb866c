"""One JSON value of a REST request as a value of a tensor."""

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any

from tensorflow.core.framework import types_pb2

from fledge.artifact.savedmodel import Error
from fledge.serving.errors import error
from fledge.serving.rest_json import dump, type_name

_KINDS = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}

INT32 = range(-(2**31), 2**31)

# RapidJSON's IsInt, IsInt64, IsUint, IsUint64; the narrow types wrap around afterwards.
INTEGERS = {
    types_pb2.DT_INT8: INT32,
    types_pb2.DT_INT16: INT32,
    types_pb2.DT_INT32: INT32,
    types_pb2.DT_UINT8: INT32,
    types_pb2.DT_INT64: range(-(2**63), 2**63),
    types_pb2.DT_UINT32: range(2**32),
    types_pb2.DT_UINT64: range(2**64),
}


def is_base64(value: Any) -> bool:
    """Say whether a value is an object with the one key b64: a text of bytes."""
    return isinstance(value, dict) and list(value) == ["b64"]


def reader(dtype: int) -> Callable[[Any], Any]:
    """Return what turns one JSON value into one of a `DataType`, or raises."""

    def wrong(value: Any) -> Error:
        kind = str(value) if isinstance(value, bool) else _KINDS[type(value)]
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
        if type(value) is not int or value not in INTEGERS[dtype]:
            raise wrong(value)
        return int(value)

    def boolean(value: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong(value)
        return value

    def text(value: Any) -> bytes:
        if is_base64(value):
            return _decoded(value)
        if not isinstance(value, str):
            raise wrong(value)
        return value.encode("utf-8", "surrogateescape")

    def unsupported(value: Any) -> Any:
        raise error("UNIMPLEMENTED", f"Conversion of JSON Value: {dump(value)} to type: {type_name(dtype)}")

    if dtype in (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE):
        return real
    if dtype in INTEGERS:
        return integer
    return {types_pb2.DT_BOOL: boolean, types_pb2.DT_STRING: text}.get(dtype, unsupported)


def _decoded(value: dict[str, Any]) -> bytes:
    if not isinstance(value["b64"], str):
        raise error("INVALID_ARGUMENT", f"JSON Value: {dump(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError):
        raise error("INVALID_ARGUMENT", "Unable to base64 decode") from None
