"""The body of a REST predict reply."""

import json
from typing import Any

import numpy as np
import pytest

from fledge.artifact.savedmodel import Error
from fledge.serving.rest_response import write

FLOATS = np.array([3.5, 4, 5.5], np.float32)


def test_layout_is_tensorflow_servings() -> None:
    """Rows share a line that their bracket leaves; columns have a line for each value."""
    assert write({"y": FLOATS}, row_format=True) == b'{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'
    assert write({"y": FLOATS[:2]}, row_format=False) == b'{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}'


@pytest.mark.parametrize(
    ("outputs", "row_format", "expected"),
    [
        ({"y": FLOATS}, True, {"predictions": [3.5, 4.0, 5.5]}),
        ({"y": FLOATS[:0]}, True, {"predictions": []}),
        ({"y": FLOATS.reshape(3, 1)}, True, {"predictions": [[3.5], [4.0], [5.5]]}),
        ({"b": FLOATS[:2], "a": np.array([[1], [2]])}, True, {"predictions": [{"a": [1], "b": 3.5}, {"a": [2], "b": 4.0}]}),
        ({"b": FLOATS[:2], "a": np.array(1)}, False, {"outputs": {"a": 1, "b": [3.5, 4.0]}}),
        ({"y": np.array(True)}, False, {"outputs": True}),
        ({"y": np.array(["é".encode(), b'"\n'], object)}, True, {"predictions": ["é", '"\n']}),
        ({"y_bytes": np.array([b"a", b"\xff"], object)}, True, {"predictions": [{"b64": "YQ=="}, {"b64": "/w=="}]}),
        ({"y": np.array([2**64 - 1], np.uint64)}, True, {"predictions": [2**64 - 1]}),
    ],
)  # fmt: skip
def test_values_are_json(outputs: dict[str, Any], row_format: bool, expected: Any) -> None:
    """One output is bare, several are named; bytes outputs are base64; zero rows are an empty list."""
    assert json.loads(write(outputs, row_format=row_format)) == expected


def test_text_is_raw_utf8() -> None:
    """Text is not escaped, and bytes that are no UTF-8 are written as they are."""
    assert (
        write({"y": np.array(["é".encode(), b"\xff"], object)}, row_format=True)
        == b'{\n    "predictions": ["\xc3\xa9", "\xff"\n    ]\n}'
    )


@pytest.mark.parametrize(
    ("outputs", "code", "message"),
    [
        ({"y": np.array(1)}, 3, "Tensor name: y has no shape information "),
        ({"y": FLOATS[:2], "z": FLOATS}, 3, "Tensor name: z has inconsistent batch size: 3 expecting: 2"),
        ({"y": FLOATS.astype(np.float16)}, 12, "Failed to write JSON value for tensor type: half"),
        ({"y": FLOATS.astype(np.complex64)}, 12, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_what_rows_cannot_say(outputs: dict[str, Any], code: int, message: str) -> None:
    """Outputs that are no rows, and types without JSON, are refused by name."""
    with pytest.raises(Error) as caught:
        write(outputs, row_format=True)
    assert (caught.value.error_code, caught.value.message) == (code, message)
