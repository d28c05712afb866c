"""JSON as TensorFlow Serving's parser (RapidJSON) reads it and as its writer lays it out."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from fledge.serving.errors import error

LONGEST_DUMP = 256  # bytes of a value that an error message quotes

# Python's words for a syntax error and RapidJSON's.
_WORDS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Illegal trailing comma before end of array": "Invalid value.",
}


def parse(body: bytes) -> Any:
    """Return the first JSON value of a body; what follows it is ignored, the first of equal keys wins.

    NaN, Inf and Infinity are numbers. Bytes that are no UTF-8 pass through strings unchanged (surrogateescape).
    Raise INVALID_ARGUMENT with RapidJSON's text for what is no JSON.
    """
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
    if not text:
        raise error("INVALID_ARGUMENT", "JSON Parse error: The document is empty")
    try:
        return _decode(text)
    except RecursionError:
        raise error("INVALID_ARGUMENT", "JSON Parse error: Terminate parsing due to Handler error.") from None
    except UnicodeEncodeError:
        message = "JSON Parse error: The surrogate pair in string is invalid."
        raise error("INVALID_ARGUMENT", message) from None
    except json.JSONDecodeError as problem:
        skipped = len(body) - len(text.encode("utf-8", "surrogateescape"))
        offset = skipped + len(text[: problem.pos].encode("utf-8", "surrogateescape"))
        raise error("INVALID_ARGUMENT", f"JSON Parse error: {_words(problem, text)} at offset: {offset}") from None
    except ValueError:  # Python's limit for the digits of an integer
        raise error("INVALID_ARGUMENT", "JSON Parse error: Number too big to be stored in double.") from None


def _decode(text: str) -> Any:
    value = _decode_with_inf(text)
    if re.search(r"\\u[dD][89a-fA-F]", text):
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")  # half a pair cannot be encoded
    return value


def _decode_with_inf(text: str) -> Any:
    decoder = json.JSONDecoder(object_pairs_hook=_first_wins, strict=False)
    try:
        return decoder.raw_decode(text)[0]
    except json.JSONDecodeError:
        # Python knows Infinity but not Inf. Strings are matched so as to leave them alone.
        longer = re.sub(r'"(?:[^"\\]|\\.)*"|\bInf\b', lambda found: "Infinity" if found[0] == "Inf" else found[0], text)
        if longer == text:
            raise
        return decoder.raw_decode(longer)[0]


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs)) if len(pairs) != len(dict(pairs)) else dict(pairs)


def _words(problem: json.JSONDecodeError, text: str) -> str:
    if problem.msg == "Expecting ',' delimiter":
        return (
            "Missing a comma or ] after an array element."
            if _in_array(text[: problem.pos])
            else ("Missing a comma or } after an object member.")
        )
    return _WORDS.get(problem.msg, "Invalid value.")


def _in_array(before: str) -> bool:
    """Say whether the innermost bracket still open is a list's."""
    depth = 0
    for bracket in reversed(re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", before))):
        depth += 1 if bracket in "]}" else -1
        if depth < 0:
            return bool(bracket == "[")
    return False


def type_name(dtype: int) -> str:
    """Return TensorFlow's name of a `DataType` number: "float", "string", "half"."""
    name: str = types_pb2.DataType.Name(dtype)
    return name.removeprefix("DT_").lower()


def dump(value: Any) -> str:
    """Return a request's value as error messages quote it: pretty, arrays on one line, ended once past 256 bytes."""
    text = ""
    for piece in pieces(value, _leaf, inline=True):
        text += piece
        if len(text) > LONGEST_DUMP:
            break
    return text


def _leaf(value: Any) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return json.dumps(value, ensure_ascii=False)


def pieces(value: Any, leaf: Callable[[Any], str], *, inline: bool, indent: str = "") -> Iterator[str]:
    """Yield the text of nested dicts and lists, 4 spaces a level, lists on one line if `inline`."""
    if isinstance(value, dict):
        yield from _object(value, leaf, inline, indent)
    elif isinstance(value, list):
        yield from _array(value, leaf, inline, indent)
    else:
        yield leaf(value)


def _object(value: dict[str, Any], leaf: Callable[[Any], str], inline: bool, indent: str) -> Iterator[str]:
    inner = indent + "    "
    yield "{"
    for position, (key, item) in enumerate(value.items()):
        yield f"{',' if position else ''}\n{inner}{json.dumps(key, ensure_ascii=False)}: "
        yield from pieces(item, leaf, inline=inline, indent=inner)
    yield f"\n{indent}}}" if value else "}"


def _array(value: list[Any], leaf: Callable[[Any], str], inline: bool, indent: str) -> Iterator[str]:
    inner = indent + "    "
    yield "["
    for position, item in enumerate(value):
        separator = ", " if inline and position else "" if inline else f"{',' if position else ''}\n{inner}"
        yield separator
        yield from pieces(item, leaf, inline=inline, indent=inner)
    yield "]" if inline or not value else f"\n{indent}]"


def number(value: np.floating[Any]) -> str:
    """Return a float32 or float64 as text that reads back as the same number: `%.6g` if that does, else all digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    short = f"{value:.6g}"
    exact = short if type(value)(short) == value else f"{value:.{9 if value.itemsize == 4 else 17}g}"
    return exact if "." in exact or "e" in exact else exact + ".0"


def error_body(message: str) -> bytes:
    """Return the body of a reply that is no success."""
    return json.dumps({"error": message}, indent=4, ensure_ascii=False).encode("utf-8", "surrogateescape")
