"""The frozen rows: which of a month are held out, what stands for a null, and which labels judge nothing."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fledge.artifact import contract as contracts
from fledge.artifact.contract import Contract, Input
from fledge.gates import limits
from fledge.gates import rows as tables
from fledge.gates.limits import Limits
from fledge.problems import Problem
from tests.tiny.owner import CONTRACT, ROWS, rows, write_model, write_rows
from tests.tiny.owner import limits as limits_of

BARE: dict[str, Any] = {"segments": {"columns": []}, "fairness": {"columns": []}}


def known(root: Path, **changes: Any) -> tuple[Contract, Limits]:
    """Contract and limits of the tiny model, with some keys of `gates:` changed."""
    folder = write_model(root, "tiny", CONTRACT, limits_of(**changes))
    return contracts.load(folder / "contract.yaml"), limits.load(folder / "params.yaml")


def numbers(root: Path, label: list[Any]) -> tables.Rows:
    """Rows of a regression with that label."""
    table = pa.table({"x": [1.0] * len(label), "late": label, "date": list(range(len(label)))})
    promised = Contract(signature="any", inputs={"x": Input(dtype="float32")}, outputs={}, classes=[])
    task: dict[str, Any] = {"task": "regression", "metrics": ["squared_error"]}
    return tables.load([write_rows(root, "numbers", table)], promised, known(root, **BARE, **task)[1])


def test_a_null_of_the_rows_is_what_the_contract_says(tmp_path: Path) -> None:
    """Parquet's null is asked as the contract's `missing`, also in a column of whole numbers."""
    table = pa.table({"x": pa.array([1, None], pa.int64()), "late": [0, 1], "date": [0, 1]})
    promised = Contract(
        signature="any", inputs={"x": Input(dtype="int64", missing=-1)}, outputs={}, classes=["on_time", "late"]
    )
    found = tables.load([write_rows(tmp_path, "nulls", table)], promised, known(tmp_path, **BARE)[1])
    assert found.inputs["x"].tolist() == [1, -1]


def test_of_a_month_that_training_saw_only_marked_rows_count(tmp_path: Path) -> None:
    """Months of gates.holdout give the rows marked `holdout`; those of gates.rows give all, marked or not."""
    contract, found = known(tmp_path, holdout=["2013-01"])
    marked = rows().append_column("holdout", pa.array(np.arange(ROWS) % 5 == 0))
    january, july = write_rows(tmp_path, "tiny", marked, "2013-01"), write_rows(tmp_path, "tiny", marked)
    loaded = tables.load([july, january], contract, found)
    assert dict(zip(*np.unique(loaded.months, return_counts=True), strict=True)) == {
        "2013-01": ROWS // 5,
        "2013-07": ROWS,
    }
    with pytest.raises(Problem, match=r"no column holdout in .*2013-01\.parquet"):
        tables.load([write_rows(tmp_path, "unmarked", rows(), "2013-01")], contract, found)


def test_training_rows_are_all_that_are_not_marked(tmp_path: Path) -> None:
    """What training saw is the rest of a month; of a month without marks it is the whole."""
    contract, found = known(tmp_path)
    marked = write_rows(
        tmp_path, "tiny", rows().append_column("holdout", pa.array(np.arange(ROWS) % 5 == 0)), "2013-01"
    )
    whole = write_rows(tmp_path, "tiny", rows(), "2013-02")
    assert len(tables.load_training([marked], contract, found)) == ROWS - ROWS // 5
    assert len(tables.load_training([whole], contract, found)) == ROWS


def test_columns_that_checks_look_at_come_with_the_rows(tmp_path: Path) -> None:
    """Cluster, time, segments and groups are there by name, each once, also where they are inputs too."""
    contract, found = known(tmp_path)
    loaded = tables.load([write_rows(tmp_path, "tiny", rows())], contract, found)
    assert set(loaded.columns) == {"date", "origin"}
    assert set(np.unique(loaded.columns["origin"])) == {"EWR", "JFK", "LGA"}
    assert loaded.cluster is loaded.columns["date"]
    assert loaded.columns["date"].min() == np.datetime64(datetime.date(2013, 7, 1))


def test_a_regressions_label_is_a_number_that_varies(tmp_path: Path) -> None:
    """A regression's label is read as it is; words, gaps and one value only are refused by file and key."""
    assert numbers(tmp_path, [1.5, -2.0]).label.tolist() == [1.5, -2.0]
    for label, reason in [
        (["a", "b"], "is string, expected numbers for a regression"),
        ([1.0, None], "holds a value that is not finite, expected numbers"),
        ([2.0, 2.0], "is 2 in every row, expected it to vary"),
    ]:
        with pytest.raises(Problem, match=rf"rows: label late {reason} .*params.yaml: gates.label"):
            numbers(tmp_path, label)
