"""Rows and columns of a REST request as tensors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.artifact.savedmodel import Error
from fledge.serving import rest_request

# isort: split

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

ONE = {"x": "float"}
TWO = {"a": "float", "b": "string"}


def info(inputs: dict[str, str]) -> dict[str, TensorInfo]:
    """The inputs of a signature."""
    return {name: TensorInfo(dtype=types_pb2.DataType.Value(f"DT_{dtype.upper()}")) for name, dtype in inputs.items()}


def read(body: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    """The arrays of a request as lists."""
    return {name: array.tolist() for name, array in rest_request.read(body, info(inputs))[0].items()}


def refused(body: dict[str, Any], inputs: dict[str, str]) -> tuple[int, str]:
    """The code and message of a request that is refused."""
    with pytest.raises(Error) as caught:
        rest_request.read(body, info(inputs))
    return caught.value.error_code, caught.value.message


def test_plain_rows_are_the_one_input() -> None:
    """Rows of a signature with one input are its values, of rank one more."""
    assert read({"instances": [1, 2.5]}, ONE) == {"x": [1.0, 2.5]}
    assert read({"instances": [[[1], [2]], [[3], [4]]]}, ONE) == {"x": [[[1.0], [2.0]], [[3.0], [4.0]]]}
    assert read({"instances": [{"x": 1}]}, ONE) == {"x": [1.0]}


def test_named_rows_are_any_inputs() -> None:
    """Rows of several inputs are objects, their keys in any order."""
    rows = [{"a": 1, "b": "é"}, {"b": {"b64": "/wA="}, "a": 2}]
    assert read({"instances": rows}, TWO) == {"a": [1.0, 2.0], "b": ["é".encode(), b"\xff\0"]}


def test_base64_is_a_value() -> None:
    """An object with the one key b64 is a text of bytes, not a row."""
    assert read({"instances": [{"b64": "YQ=="}, "b"]}, {"x": "string"}) == {"x": [b"a", b"b"]}
    assert read({"inputs": {"b64": "YQ=="}}, {"x": "string"}) == {"x": b"a"}


def test_columns_are_tensors() -> None:
    """Columns have the rank they are written in, scalars too; further keys are ignored."""
    assert read({"inputs": 3}, ONE) == {"x": 3.0}
    assert read({"inputs": [[1, 2]]}, ONE) == {"x": [[1.0, 2.0]]}
    assert read({"inputs": {"x": [1]}}, ONE) == {"x": [1.0]}
    assert read({"inputs": {"a": 1, "b": ["x", "y"], "c": 0}}, TWO) == {"a": 1.0, "b": [b"x", b"y"]}
    assert read({"inputs": []}, ONE) == {"x": []}


ROWS = st.lists(st.fixed_dictionaries({"a": st.floats(width=32, allow_nan=False), "b": st.text()}), min_size=1)


@settings(deadline=None, derandomize=True, database=None)
@given(ROWS)
def test_rows_equal_columns(rows: list[dict[str, Any]]) -> None:
    """The same values as rows and as columns are the same tensors."""
    columns = {name: [row[name] for row in rows] for name in TWO}
    assert read({"instances": rows}, TWO) == read({"inputs": columns}, TWO)


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("float", [1, 1e300, -1e300, 10**400], [1.0, np.inf, -np.inf, np.inf]),
        ("double", [1, 1e300], [1.0, 1e300]),
        ("int32", [2**31 - 1, -(2**31)], [2**31 - 1, -(2**31)]),
        ("int8", [127, 300], [127, 44]),
        ("uint8", [255, -1], [255, 255]),
        ("int16", [40000], [40000 - 65536]),
        ("int64", [-(2**63)], [-(2**63)]),
        ("uint32", [2**32 - 1], [2**32 - 1]),
        ("uint64", [2**64 - 1], [2**64 - 1]),
        ("bool", [True, False], [True, False]),
        ("string", ["", "é"], [b"", "é".encode()]),
    ],
)  # fmt: skip
def test_values_fit_their_type(dtype: str, values: list[Any], expected: list[Any]) -> None:
    """Floats take any number and overflow to infinity; narrow integers wrap around; the rest is exact."""
    assert read({"inputs": values}, {"x": dtype}) == {"x": expected}


@pytest.mark.parametrize(
    ("dtype", "value", "quoted", "kind"),
    [
        ("float", "a", '"a"', "String"),
        ("float", None, "null", "Null"),
        ("float", True, "true", "True"),
        ("float", {"y": 1}, '{\n    "y": 1\n}', "Object"),
        ("int32", 1.0, "1.0", "Number"),
        ("int32", 2**31, "2147483648", "Number"),
        ("int64", 2**63, "9223372036854775808", "Number"),
        ("uint64", -1, "-1", "Number"),
        ("bool", 0, "0", "Number"),
        ("string", False, "false", "False"),
        ("float", {"b64": "YQ=="}, '{\n    "b64": "YQ=="\n}', "Object"),
    ],
)
def test_other_values_are_refused(dtype: str, value: Any, quoted: str, kind: str) -> None:
    """A value of another type is quoted with its kind and the type that was expected."""
    message = f"JSON Value: {quoted} Type: {kind} is not of expected type: {dtype}"
    assert refused({"inputs": {"x": [value]}}, {"x": dtype}) == (3, message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        ([[1], 2], "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ([[1, 2], [1, 2, 3]], "Encountered list at unexpected size: 3 at level: 1 expected size: 2"),
    ],
)
def test_ragged_lists_are_refused(values: list[Any], message: str) -> None:
    """The first elements give the shape, and all others must have it."""
    assert refused({"inputs": values}, ONE) == (3, message)


ELEMENT = "Failed to process element: {} of 'instances' list."
ROW_ERRORS: list[tuple[Any, dict[str, str], str]] = [
    (3, ONE, 'JSON Value: {\n    "instances": 3\n} Expecting \'instances\' to be an list/array'),
    ([], ONE, 'JSON Value: {\n    "instances": []\n} No values in \'instances\' array'),
    ([1], TWO, "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map"),
    ([{"x": 1}, [1]], ONE, "Expecting object but got list at item 1 of input list"),
    ([1, {"x": 1}], ONE, "Expecting value/list but got object at item 1 of input list"),
    ([1, "a"], ONE, f"{ELEMENT.format(1)} Error: INVALID_ARGUMENT: JSON Value: \"a\" Type: String is not of expected type: float"),
    ([{"a": "z", "b": ""}], TWO, f"{ELEMENT.format('0 key: a')} Error: INVALID_ARGUMENT: JSON Value: \"z\" Type: String is not of expected type: float"),
    ([{"a": 1, "z": 2}], TWO, f"{ELEMENT.format('0 key: z')} Error: INVALID_ARGUMENT: JSON object: does not have named input: z"),
    ([{"a": 1}], TWO, f'{ELEMENT.format(0)} JSON object: {{\n    "a": 1\n}} keys must be equal to: a,b'),
    ([[1, 2], [1, 2, 3]], ONE, f"{ELEMENT.format(1)} Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 3"),
    ([[1, 2], [[1, 2]]], ONE, f"{ELEMENT.format(1)} Error: INVALID_ARGUMENT: Expecting shape [2] but got: [1,2]"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "inputs", "message"), ROW_ERRORS)
def test_bad_rows_are_refused(rows: Any, inputs: dict[str, str], message: str) -> None:
    """Each way to write rows wrongly has its message, which names the row."""
    assert refused({"instances": rows}, inputs) == (3, message)


@pytest.mark.parametrize(
    ("body", "inputs", "message"),
    [
        ({}, ONE, "Missing 'inputs' or 'instances' key"),
        ({"inputs": 1, "instances": [1]}, ONE, 'JSON Value: {\n    "inputs": 1,\n    "instances": [1]\n} Not formatted correctly expecting only one of \'inputs\' or \'instances\' keys to exist '),
        ({"inputs": [1]}, TWO, "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map"),
        ({"inputs": {"a": 1}}, TWO, "Missing named input: b in 'inputs' object."),
        ({"inputs": {"b64": "?"}}, {"x": "string"}, "Unable to base64 decode"),
        ({"inputs": {"b64": 1}}, {"x": "string"}, 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(body: dict[str, Any], inputs: dict[str, str], message: str) -> None:
    """Each way to write a request wrongly has its message."""
    assert refused(body, inputs) == (3, message)


def test_some_types_have_no_json() -> None:
    """A type that JSON cannot hold is UNIMPLEMENTED in a column, and a bad element in a row."""
    message = "Conversion of JSON Value: 1.0 to type: half"
    assert refused({"inputs": [1.0]}, {"x": "half"}) == (12, message)
    assert refused({"instances": [1.0]}, {"x": "half"}) == (3, f"{ELEMENT.format(0)} Error: UNIMPLEMENTED: {message}")
