"""TensorFlow's protos and tensors without TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fledge.artifact import bare
from tests.serving import examples

# isort: split

from tensorflow.core.framework import tensor_pb2, types_pb2

NUMBERS = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128"]  # fmt: skip


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the whole of TensorFlow said."""
    models = examples.build(tmp_path_factory.getbasetemp())
    return json.loads((models / "reference.json").read_text())


def python(code: str) -> "subprocess.CompletedProcess[str]":
    """Run a few lines in a process that has imported nothing."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd())


def test_messages_come_without_tensorflow() -> None:
    """The messages and stubs of the gRPC API import without TensorFlow's library being loaded."""
    code = (
        "import fledge.artifact.bare, sys\n"
        "from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc, model_service_pb2_grpc\n"
        "from tensorflow_serving.apis import get_model_status_pb2, get_model_metadata_pb2, prediction_log_pb2\n"
        "print([name for name in sys.modules if name.startswith(('tensorflow.python', 'keras'))])"
    )
    assert python(code).stdout == "[]\n"


def test_what_is_missing_says_why() -> None:
    """Asking the stand-in for something of tensorflow names the cause and the way out."""
    ended = python("import fledge.artifact.bare, tensorflow\ntensorflow.constant(1)")
    assert (
        "no attribute 'constant': fledge.artifact.bare stands in its place in this process; import tensorflow before it"
        in ended.stderr
    )


def test_the_whole_of_tensorflow_is_kept(reference: Any) -> None:
    """Where tensorflow is imported already, nothing takes its place."""
    assert reference["whole_tensorflow_kept"] is True


@pytest.mark.parametrize(("dtype", "values"), examples.TENSORS)
def test_tensorflows_own_messages_are_read(reference: Any, dtype: str, values: list[Any]) -> None:
    """A tensor that TensorFlow wrote is read as the same values, dtype and shape."""
    array = bare.make_ndarray(tensor_pb2.TensorProto.FromString(bytes.fromhex(reference["protos"][dtype])))
    expected = [value.encode() for value in values] if dtype == "string" else np.array(values, array.dtype).tolist()
    assert array.tolist() == expected
    assert array.dtype.name == ("object" if dtype == "string" else dtype)


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(NUMBERS).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    )
)
def test_numbers_survive_the_message(array: Any) -> None:
    """An array of numbers is the same, bit for bit, after a message carried it."""
    message = bare.make_tensor_proto(array)
    back = bare.make_ndarray(tensor_pb2.TensorProto.FromString(message.SerializeToString()))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert not message.tensor_content


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.binary(max_size=5)))
def test_strings_survive_the_message(values: list[bytes]) -> None:
    """Bytes are the same after a message carried them, zero bytes at their end too."""
    assert bare.make_ndarray(bare.make_tensor_proto(values, "string")).tolist() == values


def test_text_is_utf8() -> None:
    """Text goes as UTF-8, by itself or in an array."""
    for value in (["É", "b"], np.array(["É", "b"]), np.array(["É", "b"], object)):
        assert list(bare.make_tensor_proto(value).string_val) == ["É".encode(), b"b"]


def _message(dtype: str, shape: list[int], **fields: Any) -> tensor_pb2.TensorProto:
    message = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(dtype), **fields)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


def test_the_last_value_repeats() -> None:
    """Fewer values than the shape are completed with the last one; none at all mean zero or the empty string."""
    assert bare.make_ndarray(_message("DT_FLOAT", [2, 2], float_val=[1, 2])).tolist() == [[1, 2], [2, 2]]
    assert bare.make_ndarray(_message("DT_STRING", [3], string_val=[b"a", b"b"])).tolist() == [b"a", b"b", b"b"]
    assert bare.make_ndarray(_message("DT_INT64", [2])).tolist() == [0, 0]
    assert bare.make_ndarray(_message("DT_STRING", [1])).tolist() == [b""]


def test_no_tensor_is_refused() -> None:
    """An unknown shape, a content of another length and a dtype without values raise ValueError."""
    with pytest.raises(ValueError, match=r"unknown shape \[-1\]"):
        bare.make_ndarray(_message("DT_FLOAT", [-1], float_val=[1]))
    with pytest.raises(ValueError, match="cannot reshape array of size 1"):
        bare.make_ndarray(_message("DT_FLOAT", [2], tensor_content=b"\0\0\0\0"))
    with pytest.raises(ValueError, match="no numpy dtype for DT_RESOURCE"):
        bare.make_ndarray(_message("DT_RESOURCE", [1]))
    with pytest.raises(ValueError, match="no tensor holds datetime64"):
        bare.make_tensor_proto(np.array(["2013-01-01"], "datetime64[D]"))
