"""The rows of models/delays, written once."""

from pathlib import Path

import pytest

from models.delays import data


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `data/` with the months of `delays`, as ingest makes it."""
    folder = tmp_path_factory.mktemp("ingested") / "data"
    data.write(folder / "delays")
    return folder
