"""What a process needs of TensorFlow without `import tensorflow`: its protos, and tensors as messages.

`import tensorflow` costs seconds and 300 MB more than a server or a client needs. Importing this module puts an empty
package in its place, so that `tensorflow.core`, `tensorflow.python.client`, … and `tensorflow_serving.apis` import
alone. Such a process cannot use `tf.*` or keras; where TensorFlow is imported already, nothing is replaced.

`tensorflow_serving.apis.model_service_pb2` and `.prediction_service_pb2` do not import with today's protobuf; the
`*_pb2_grpc` modules beside them do, and are enough.
"""

import importlib.util
import math
import os
import sys
import types
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray


def _no_attribute(name: str) -> Any:
    raise AttributeError(
        f"module 'tensorflow' has no attribute {name!r}: fledge.artifact.bare stands in its place in this process; "
        "import tensorflow before it, or use another process"
    )


def _stand_in() -> None:
    """Put a package without content in the place of tensorflow, unless it is imported already."""
    if "tensorflow" in sys.modules:
        return
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its C++ lines are not ours to explain
    package = types.ModuleType("tensorflow")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    package.__file__ = spec.origin
    package.__dict__["__getattr__"] = _no_attribute
    sys.modules["tensorflow"] = package


_stand_in()

from tensorflow.core.framework import tensor_pb2, types_pb2

Array = NDArray[Any]


class _Kind(NamedTuple):
    dtype: np.dtype[Any]
    field: str  # of TensorProto
    wire: np.dtype[Any]  # what one value of that field holds


def _kind(dtype: Any, field: str, wire: Any = None) -> _Kind:
    return _Kind(np.dtype(dtype), field, np.dtype(dtype if wire is None else wire))


# tensorflow/core/framework/tensor.proto: half types travel as their bits, complex numbers as pairs.
_KINDS = {
    types_pb2.DT_FLOAT: _kind("float32", "float_val"),
    types_pb2.DT_DOUBLE: _kind("float64", "double_val"),
    types_pb2.DT_HALF: _kind("float16", "half_val", "uint16"),
    types_pb2.DT_BFLOAT16: _kind(ml_dtypes.bfloat16, "half_val", "uint16"),
    types_pb2.DT_INT8: _kind("int8", "int_val"),
    types_pb2.DT_INT16: _kind("int16", "int_val"),
    types_pb2.DT_INT32: _kind("int32", "int_val"),
    types_pb2.DT_INT64: _kind("int64", "int64_val"),
    types_pb2.DT_UINT8: _kind("uint8", "int_val"),
    types_pb2.DT_UINT16: _kind("uint16", "int_val"),
    types_pb2.DT_UINT32: _kind("uint32", "uint32_val"),
    types_pb2.DT_UINT64: _kind("uint64", "uint64_val"),
    types_pb2.DT_BOOL: _kind("bool", "bool_val"),
    types_pb2.DT_COMPLEX64: _kind("complex64", "scomplex_val", "float32"),
    types_pb2.DT_COMPLEX128: _kind("complex128", "dcomplex_val", "float64"),
    types_pb2.DT_STRING: _kind(object, "string_val"),
}
_NUMBERS = {kind.dtype: number for number, kind in _KINDS.items()}


def numpy_dtype(number: int) -> np.dtype[Any]:
    """Return numpy's dtype of a `DataType` number, object for strings. Raise ValueError for one that has none."""
    if number not in _KINDS:
        raise ValueError(f"no numpy dtype for {types_pb2.DataType.Name(number)}")
    return _KINDS[number].dtype


def make_tensor_proto(value: ArrayLike, dtype: str | None = None) -> tensor_pb2.TensorProto:
    """Return a tensor in the typed fields (`float_val` …), of the value's own dtype unless one is named ("string" too).

    Python's floats are float64 and its ints int64, as in numpy. Raise ValueError for a dtype that no field holds.
    """
    array = np.asarray(value, dtype=object if dtype == "string" else dtype)
    if array.dtype.kind in "SU":
        array = array.astype(object)
    if array.dtype not in _NUMBERS:
        raise ValueError(f"no tensor holds {array.dtype}")
    number = _NUMBERS[array.dtype]
    tensor = tensor_pb2.TensorProto(dtype=number)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, _KINDS[number].field).extend(_wire_values(array, _KINDS[number]))
    return tensor


def _wire_values(array: Array, kind: _Kind) -> list[Any]:
    if kind.dtype == object:
        return [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist()]
    flat: list[Any] = np.ascontiguousarray(array).ravel().view(kind.wire).tolist()
    return flat


def make_ndarray(tensor: tensor_pb2.TensorProto) -> Array:
    """Return a tensor as an array of its shape, strings as an object array of bytes.

    Fewer values than the shape holds are completed with the last one, none at all with zero or "", as TensorFlow's
    C++ does (`Tensor::FromProto`). Raise ValueError for a shape or a content that is no tensor.
    """
    dtype = numpy_dtype(tensor.dtype)
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"unknown shape {shape}")
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = _filled(_values(tensor), math.prod(shape))
    return values.reshape(shape)


def _values(tensor: tensor_pb2.TensorProto) -> Array:
    kind = _KINDS[tensor.dtype]
    values = getattr(tensor, kind.field)
    array = np.empty(len(values), np.int32 if kind.field in ("int_val", "half_val") else kind.wire)
    array[:] = values
    return array.astype(kind.wire, copy=False).view(kind.dtype)


def _filled(values: Array, size: int) -> Array:
    if len(values) >= size:
        return values[:size]
    zero = b"" if values.dtype == object else 0
    rest = np.full(size - len(values), values[-1] if len(values) else zero, values.dtype)
    return np.concatenate([values, rest])
