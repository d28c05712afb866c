"""JSON as RapidJSON reads it and TensorFlow Serving writes it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.artifact.savedmodel import Error
from fledge.serving import rest_json

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=500)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(3), "3.0"),
        (np.float32(9000000), "9e+06"),
        (np.float32(1 / 3), "0.333333343"),
        (np.float64(1 / 3), "0.33333333333333331"),
        (np.float32(0.1), "0.1"),
        (np.float64(0.1), "0.1"),
        (np.float32(1234567), "1234567.0"),
        (np.float32(-0.0), "-0.0"),
        (np.float64("nan"), "NaN"),
        (np.float32("inf"), "Infinity"),
        (np.float32("-inf"), "-Infinity"),
    ],
)
def test_numbers_have_the_fewest_of_two_lengths(value: "np.floating[object]", text: str) -> None:
    """Six digits if they say it all, else 9 (float) or 17 (double), and always a point or an exponent."""
    assert rest_json.number(value) == text


@PROPERTY
@given(st.floats(width=32))
def test_float_text_reads_back(value: float) -> None:
    """Reading a float's text gives the same float, and the same sign of zero."""
    back = np.float32(json.loads(rest_json.number(np.float32(value))))
    assert back.tobytes() == np.float32(value).tobytes() or (math.isnan(value) and np.isnan(back))


@PROPERTY
@given(st.floats())
def test_double_text_reads_back(value: float) -> None:
    """Reading a double's text gives the same double."""
    back = np.float64(json.loads(rest_json.number(np.float64(value))))
    assert back.tobytes() == np.float64(value).tobytes() or (math.isnan(value) and np.isnan(back))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@PROPERTY
@given(JSON)
def test_json_is_read(value: object) -> None:
    """What Python writes is read as the same value."""
    assert rest_json.parse(json.dumps(value).encode()) == value


@PROPERTY
@given(JSON, st.booleans())
def test_layout_keeps_the_value(value: object, inline: bool) -> None:
    """However it is laid out, a value reads back the same."""
    assert json.loads("".join(rest_json.pieces(value, json.dumps, inline=inline))) == value


def test_more_numbers_than_json_has() -> None:
    """NaN, Inf, Infinity and their negatives are numbers, but not inside a text."""
    values = rest_json.parse(b'[Inf, -Inf, Infinity, -Infinity, NaN, "Inf \\" Inf"]')
    assert values[:4] == [math.inf, -math.inf, math.inf, -math.inf]
    assert math.isnan(values[4])
    assert values[5] == 'Inf " Inf'


def test_the_first_key_wins_and_the_rest_is_ignored() -> None:
    """Of equal keys the first counts; what follows the first value is not read."""
    assert rest_json.parse(b' {"a": 1, "b": 2, "a": 3} nonsense') == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b" \n", "The document is empty"),
        (b"nonsense", "Invalid value. at offset: 0"),
        ('["é", x]'.encode(), "Invalid value. at offset: 7"),
        (b"{1: 2}", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": [1] "b": 2}', "Missing a comma or } after an object member. at offset: 10"),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'["a', "Missing a closing quotation mark in string. at offset: 1"),
        (b'["\\ud800"]', "The surrogate pair in string is invalid."),
        (b"1" * 5000, "Number too big to be stored in double."),
    ],
)
def test_what_is_no_json(body: bytes, message: str) -> None:
    """A syntax error has RapidJSON's words and the offset in bytes."""
    with pytest.raises(Error) as caught:
        rest_json.parse(body)
    assert caught.value.message == f"JSON Parse error: {message}"


def test_deep_nesting_is_an_error() -> None:
    """Half a million brackets are refused."""
    with pytest.raises(Error, match="JSON Parse error: "):
        rest_json.parse(b"[" * 500_000)


def test_bytes_that_are_no_utf8_pass() -> None:
    """A text of any bytes keeps them."""
    assert rest_json.parse(b'"\xff"').encode("utf-8", "surrogateescape") == b"\xff"


def test_quotes_are_short_and_pretty() -> None:
    """A quoted value has 4 spaces a level, arrays on one line, and ends once past 256 bytes."""
    assert rest_json.dump({"a": [1, [2.5, None]], "b": {}}) == '{\n    "a": [1, [2.5, null]],\n    "b": {}\n}'
    assert rest_json.dump(list(range(1000))).startswith("[0, 1, 2")
    assert 256 < len(rest_json.dump(list(range(1000)))) <= 256 + len("999")


def test_an_error_is_an_object() -> None:
    """An error's body is pretty JSON with one key."""
    assert rest_json.error_body('no "é"') == '{\n    "error": "no \\"é\\""\n}'.encode()
