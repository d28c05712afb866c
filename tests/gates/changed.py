"""Hypothesis strategies: real rows of which a few inputs are drawn anew from what the contract allows."""

from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from fledge.artifact.contract import Array, Contract, Input
from fledge.gates.rows import Rows


def changed_rows(contract: Contract, rows: Rows) -> st.SearchStrategy[dict[str, Array]]:
    """A real row (1,) with one to three inputs drawn anew."""
    names = st.lists(st.sampled_from(sorted(contract.inputs)), min_size=1, max_size=3, unique=True)
    changes = names.flatmap(lambda chosen: st.fixed_dictionaries({n: values(contract.inputs[n]) for n in chosen}))
    return st.builds(
        lambda index, change: (
            rows.take(np.array([index]))
            | {name: contract.inputs[name].array([value]) for name, value in change.items()}
        ),
        st.integers(0, len(rows) - 1),
        changes,
    )


def values(column: Input) -> st.SearchStrategy[Any]:
    """What a client may send: within range or known, missing, and for a string anything at all."""
    missing = st.nothing() if column.missing is None else st.just(column.missing)
    if column.dtype == "string":
        return st.sampled_from(column.known or [""]) | st.text(max_size=20) | missing
    if column.dtype == "bool":
        return st.booleans()
    low, high = column.range or (None, None)
    if np.issubdtype(np.dtype(column.dtype), np.integer):
        whole = np.iinfo(column.dtype)
        known = st.sampled_from(column.known) if column.known else st.nothing()
        bounds = (whole.min if low is None else int(low), whole.max if high is None else int(high))
        return missing | known | st.integers(*bounds)
    return missing | _floats(np.dtype(column.dtype), low, high)


def _floats(kind: np.dtype[Any], low: float | None, high: float | None) -> st.SearchStrategy[float]:
    sizes: dict[str, Literal[16, 32, 64]] = {"float16": 16, "float32": 32, "float64": 64}
    bounds = [None if bound is None else float(kind.type(bound)) for bound in (low, high)]
    return st.floats(*bounds, allow_nan=False, allow_infinity=False, width=sizes[kind.name])
