"""What a contract promises of a value that a client sends: the gates hold a model to it, and old clients rely on it.

An input is a mapping with the keys of `fledge.artifact.contract.Input`, as contract.yaml is read. No numpy: the verbs of delivery
have none.
"""

import math
from collections.abc import Mapping
from typing import Any

Column = Mapping[str, Any]


def promised(column: Column, value: Any) -> bool:
    """Whether the contract says how that value is read: as missing, known or unknown, or because it is in range.

    Any other value may be refused.
    """
    known = column.get("known") or []
    if column["dtype"] == "bool" or (known and column.get("unknown") is not None):
        return True
    return is_missing(column, value) or ordinary(column, value)


def ordinary(column: Column, value: Any) -> bool:
    """Whether the contract lists that value among what is sent: it is known, or in range."""
    if any(same(column, value, one) for one in column.get("known") or []):
        return True
    low, high = column.get("range") or (math.inf, -math.inf)
    number = read(column, value)
    return column["dtype"] != "string" and not isinstance(number, str) and bool(low <= number <= high)


def is_missing(column: Column, value: Any) -> bool:
    """Whether that value stands for "not known"."""
    return column.get("missing") is not None and same(column, value, column["missing"])


def same(column: Column, one: Any, other: Any) -> bool:
    """Whether two values are one to a model: `nan` and `.nan` are, and 55 and 55.0 in a float."""
    a, b = read(column, one), read(column, other)
    return bool(a == b) or all(isinstance(value, float) and math.isnan(value) for value in (a, b))


def read(column: Column, value: Any) -> Any:
    """A value of contract.yaml as a number, where the dtype is one and the value can be: YAML's `nan` is a string."""
    if column["dtype"] == "string" or value is None:
        return value
    try:
        return float(value) if "float" in column["dtype"] else int(value)
    except (TypeError, ValueError, OverflowError):
        return value
