"""The frozen rows that candidate and champion both score: inputs, label and cluster, straight from Parquet."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fledge.contract import Contract
from fledge.limits import Limits
from fledge.problems import Problem

Array = NDArray[Any]

HOLDOUT = "holdout"  # a column that marks rows which no training sees


@dataclass(frozen=True)
class Rows:
    """`inputs` holds an array (n,) for each of the contract's inputs; `label` (n,) is an index into the classes."""

    inputs: dict[str, Array]
    label: Array
    cluster: Array

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: Array) -> dict[str, Array]:
        return {name: values[index] for name, values in self.inputs.items()}


def load(files: Sequence[Path], contract: Contract, limits: Limits) -> Rows:
    """Read the rows of `files` that no training saw. Raises Problem for a missing file or column, no rows, or a label of one class only."""
    columns = [*contract.inputs, limits.label, limits.cluster]
    table = pa.concat_tables([_held_out(file, columns, limits) for file in files])
    if not len(table):
        raise Problem(f"rows: none found in {_names(files)}, expected held-out rows ({limits.file}: gates.rows)")
    # As a list, where null is None: the contract says what stands for it, pyarrow would say NaN.
    inputs = contract.arrays({name: table[name].to_pylist() for name in contract.inputs})
    return Rows(inputs, _label(table[limits.label], contract, limits), _values(table[limits.cluster]))


def sha256(files: Sequence[Path]) -> str:
    """One hash of the files' bytes, in the order given."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _held_out(file: Path, columns: list[str], limits: Limits) -> pa.Table:
    """All rows of a month that is held out; of one that training saw (named by its file), those marked `holdout`."""
    if file.stem not in limits.holdout:
        return _read(file, columns, limits)
    table = _read(file, [*columns, HOLDOUT], limits)
    return table.filter(table[HOLDOUT]).drop_columns([HOLDOUT])


def _read(file: Path, columns: list[str], limits: Limits) -> pa.Table:
    if not file.is_file():
        raise Problem(f"rows: {file} is not there, expected a Parquet file ({limits.file}: gates.rows)")
    try:
        absent = sorted(set(columns) - set(pq.read_schema(file).names))
        if not absent:
            return pq.read_table(file, columns=columns)
    except pa.ArrowInvalid:
        raise Problem(f"rows: {file} is damaged, expected a Parquet file ({limits.file}: gates.rows)") from None
    raise Problem(
        f"rows: no column {', '.join(absent)} in {file}, expected the contract's inputs, "
        f"the label, the cluster and, for gates.holdout, {HOLDOUT} ({limits.file}: gates)"
    )


def _values(column: pa.ChunkedArray) -> Array:
    values: Array = column.to_numpy()
    return values


def _label(column: pa.ChunkedArray, contract: Contract, limits: Limits) -> Array:
    """Each row's class as an index; strings are looked up in the contract's classes."""
    where = f"({limits.file}: gates.label)"
    found = column.unique().to_pylist()
    order = {name: index for index, name in enumerate(contract.classes)} | {i: i for i in range(len(contract.classes))}
    if strange := [value for value in found if value not in order]:
        raise Problem(f"rows: label {limits.label} holds {strange[0]!r}, expected one of {contract.classes} {where}")
    if len(found) < 2:
        raise Problem(f"rows: label {limits.label} has one class only, {found[0]!r}, expected at least two {where}")
    return np.array([order[value] for value in column.to_pylist()], dtype=np.int64)


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files) or "no file"
