"""The frozen rows that candidate and champion both score: inputs, label and cluster, straight from Parquet."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fledge.artifact.contract import Contract
from fledge.gates.limits import Limits
from fledge.problems import Problem

Array = NDArray[Any]
Reader = Callable[[Path, list[str], Limits], pa.Table]

HOLDOUT = "holdout"  # a column that marks rows which no training sees


@dataclass(frozen=True)
class Rows:
    """`inputs` holds an array (n,) for each of the contract's inputs; `columns` one for each of `Limits.columns`.

    `label` (n,) is an index into the classes, or a number (float64) where the task is regression. `months` (n,) names
    the file that each row is from.
    """

    inputs: dict[str, Array]
    label: Array
    cluster: Array
    columns: dict[str, Array] = field(default_factory=dict)
    months: Array = field(default_factory=lambda: np.array([], dtype=str))

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: Array) -> dict[str, Array]:
        return {name: values[index] for name, values in self.inputs.items()}


def load(files: Sequence[Path], contract: Contract, limits: Limits) -> Rows:
    """Read the rows of `files` that no training saw.

    Raises Problem for a missing file or column, no rows, or a label that tells nothing apart.
    """
    return _rows(files, contract, limits, _held_out, "gates.rows")


def load_training(files: Sequence[Path], contract: Contract, limits: Limits) -> Rows:
    """Read the rows of `files` that training saw: all that are not marked `holdout`. Raises Problem as `load` does."""
    return _rows(files, contract, limits, _trained_on, "train.months")


def sha256(files: Sequence[Path]) -> str:
    """One hash of the files' bytes, in the order given."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _rows(files: Sequence[Path], contract: Contract, limits: Limits, read: Reader, key: str) -> Rows:
    columns = list(dict.fromkeys([*contract.inputs, limits.label, *limits.columns]))
    tables = [read(file, columns, limits) for file in files]
    if not sum(map(len, tables)):
        raise Problem(f"rows: none found in {_names(files)}, expected rows ({limits.file}: {key})")
    table = pa.concat_tables(tables)
    # As a list, where null is None: the contract says what stands for it, pyarrow would say NaN.
    inputs = contract.arrays({name: table[name].to_pylist() for name in contract.inputs})
    others = {name: _values(table[name]) for name in limits.columns}
    months = np.repeat([file.stem for file in files], [len(part) for part in tables])
    return Rows(inputs, _label(table[limits.label], contract, limits), others[limits.cluster], others, months)


def _held_out(file: Path, columns: list[str], limits: Limits) -> pa.Table:
    """All rows of a month that is held out; of one that training saw (named by its file), those marked `holdout`."""
    if file.stem not in limits.holdout:
        return _read(file, columns, limits)
    table = _read(file, [*columns, HOLDOUT], limits)
    return table.filter(table[HOLDOUT]).drop_columns([HOLDOUT])


def _trained_on(file: Path, columns: list[str], limits: Limits) -> pa.Table:
    marked = file.is_file() and HOLDOUT in pq.read_schema(file).names
    table = _read(file, [*columns, HOLDOUT] if marked else columns, limits)
    return table.filter(pc.invert(table[HOLDOUT])).drop_columns([HOLDOUT]) if marked else table


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
        f"gates.label, cluster, time, segments.columns and fairness.columns, and, for gates.holdout, {HOLDOUT} ({limits.file}: gates)"
    )


def _values(column: pa.ChunkedArray) -> Array:
    values: Array = column.to_numpy()
    return values


def _label(column: pa.ChunkedArray, contract: Contract, limits: Limits) -> Array:
    """Each row's class as an index, strings looked up in the contract's classes; a regression's label as it is."""
    if limits.task == "regression":
        return _numbers(column, limits)
    where = f"({limits.file}: gates.label)"
    found = column.unique().to_pylist()
    order = {name: index for index, name in enumerate(contract.classes)} | {i: i for i in range(len(contract.classes))}
    if strange := [value for value in found if value not in order]:
        raise Problem(f"rows: label {limits.label} holds {strange[0]!r}, expected one of {contract.classes} {where}")
    if len(found) < 2:
        raise Problem(f"rows: label {limits.label} has one class only, {found[0]!r}, expected at least two {where}")
    return np.array([order[value] for value in column.to_pylist()], dtype=np.int64)


def _numbers(column: pa.ChunkedArray, limits: Limits) -> Array:
    where = f"({limits.file}: gates.label)"
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise Problem(f"rows: label {limits.label} is {column.type}, expected numbers for a regression {where}")
    numbers = np.asarray(column.to_numpy(), dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise Problem(f"rows: label {limits.label} holds a value that is not finite, expected numbers {where}")
    if numbers.min() == numbers.max():
        raise Problem(f"rows: label {limits.label} is {numbers[0]:g} in every row, expected it to vary {where}")
    return numbers


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files) or "no file"
