"""The body of a REST predict reply: `predictions` for rows, `outputs` for columns."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fledge.artifact import bare
from fledge.serving.errors import error
from fledge.serving.rest_json import number, pieces, type_name


def write(outputs: Mapping[str, bare.Array], *, row_format: bool) -> bytes:
    """Return the body of a successful reply. Raise INVALID_ARGUMENT for rows of unequal number, UNIMPLEMENTED."""
    texts = {name: _texts(name, outputs[name]) for name in sorted(outputs)}
    body = _rows(outputs, texts) if row_format else _columns(texts)
    return body.encode("utf-8", "surrogateescape")


def _columns(texts: dict[str, Any]) -> str:
    value = texts if len(texts) > 1 else next(iter(texts.values()))
    return "".join(pieces({"outputs": value}, str, inline=False))


def _rows(outputs: Mapping[str, bare.Array], texts: dict[str, Any]) -> str:
    _check_batch(outputs)
    if len(texts) > 1:
        rows = [dict(zip(texts, values, strict=True)) for values in zip(*texts.values(), strict=True)]
        return _predictions([f"\n        {_joined(row, '        ')}" for row in rows], ",")
    return _predictions([_joined(row, "") for row in next(iter(texts.values()))], ", ")


def _predictions(rows: list[str], separator: str) -> str:
    # The closing bracket stands alone even where the rows share a line: TensorFlow Serving's writer leaves
    # single-line mode just before it.
    return '{\n    "predictions": [' + separator.join(rows) + ("\n    ]\n}" if rows else "]\n}")


def _joined(value: Any, indent: str) -> str:
    return "".join(pieces(value, str, inline=True, indent=indent))


def _check_batch(outputs: Mapping[str, bare.Array]) -> None:
    expected = None
    for name in sorted(outputs):
        shape = outputs[name].shape
        if not shape:
            raise error("INVALID_ARGUMENT", f"Tensor name: {name} has no shape information ")
        expected = shape[0] if expected is None else expected
        if shape[0] != expected:
            message = f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {expected}"
            raise error("INVALID_ARGUMENT", message)


def _texts(name: str, array: bare.Array) -> Any:
    """Return nested lists of the array's shape holding each value's JSON text (or the object of a `_bytes` output)."""
    flat = np.empty(array.size, object)
    flat[:] = [_text_of(array, name)(value) for value in array.ravel()]
    return flat.reshape(array.shape).tolist()


def _text_of(array: bare.Array, name: str) -> Callable[[Any], Any]:
    if array.dtype == object:
        return _base64 if name.endswith("_bytes") else _string
    if array.dtype in (np.float32, np.float64):
        return number
    if array.dtype == bool:
        return lambda value: "true" if value else "false"
    if array.dtype.kind in "iu" and array.dtype != np.uint16:
        return str
    dtype = bare.make_tensor_proto(array.ravel()[:0]).dtype
    raise error("UNIMPLEMENTED", f"Failed to write JSON value for tensor type: {type_name(dtype)}")


def _string(value: bytes) -> str:
    return json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False)


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": json.dumps(base64.b64encode(value).decode())}
