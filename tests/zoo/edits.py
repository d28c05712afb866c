"""Edits beside the model: the artifact's files, the owner's contract, the rows."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.zoo.surgery import Edit
from tests.zoo.table import Table

if TYPE_CHECKING:
    import pandas as pd

OWNER = ("contract.yaml", "params.yaml", "requests.jsonl")


def files(change: Callable[[Path], object]) -> Edit:
    """`change` gets the artifact's folder once all else is written."""

    def edit(table: Table) -> None:
        table.last.append(change)

    return edit


def contract(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    """The candidate comes with another contract.yaml; the champion keeps its own."""

    def edit(table: Table) -> None:
        folder = table.folder / table.model_dir.name
        folder.mkdir(exist_ok=True)
        for name in OWNER:
            (folder / name).write_bytes((table.model_dir / name).read_bytes())
        yaml = YAML(typ="safe")
        said = yaml.load(folder / "contract.yaml")
        yaml.dump(change(said), folder / "contract.yaml")

    return edit


def held_out(change: Callable[["pd.DataFrame"], "pd.DataFrame"]) -> Edit:
    """Other rows to judge on."""
    return _rows("rows", change)


def trained_on(change: Callable[["pd.DataFrame"], "pd.DataFrame"]) -> Edit:
    """Other rows that training is said to have seen."""
    return _rows("training", change)


def _rows(side: str, change: Callable[["pd.DataFrame"], "pd.DataFrame"]) -> Edit:
    def edit(table: Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        (table.folder / side).mkdir()
        for file in table.data[side]:
            given = pq.read_table(file)
            changed = change(given.to_pandas())
            pq.write_table(
                pa.Table.from_pandas(changed, given.schema, preserve_index=False), table.folder / side / file.name
            )

    return edit
