"""Tests of models/delays/data.py: the rows are reproducible, and hold only what is known before departure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fledge.artifact import contract
from fledge.hashing import dvc_directory
from fledge.problems import Problem
from fledge.project import read_yaml
from models.delays import data
from tests.conftest import ROOT

FORBIDDEN = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


@pytest.fixture(scope="module")
def rows(months: Path) -> pd.DataFrame:
    """All rows of the year."""
    return pd.read_parquet(months / "delays")


@pytest.fixture(scope="module")
def promised() -> contract.Contract:
    """The model's contract."""
    return contract.load(ROOT / "models" / "delays" / "contract.yaml")


def one_flight(**change: object) -> dict[str, pd.DataFrame]:
    """Sources with one flight, at 10:15 on 2013-03-05, and the weather of every hour: as warm as it is late."""
    flight: dict[str, object] = {
        "year": 2013,
        "month": 3,
        "day": 5,
        "sched_dep_time": 1015,
        "sched_arr_time": 1230,
        "arr_delay": 0.0,
    }
    flight |= {
        "carrier": "UA",
        "flight": 1,
        "tailnum": "N1",
        "origin": "EWR",
        "dest": "ORD",
        "distance": 719,
        "hour": 10,
    }
    fair: dict[str, object] = {
        "humid": 50.0,
        "wind_dir": 1.0,
        "wind_speed": 1.0,
        "wind_gust": np.nan,
        "precip": 0.0,
        "pressure": 1e3,
    }
    day: dict[str, object] = {"year": 2013, "month": 3, "day": 5, "origin": "EWR"}
    weather = [day | fair | {"visib": 9.0, "hour": hour, "temp": float(hour)} for hour in range(24)]
    plane = {"tailnum": "N1", "year": 2001.0, "engine": "Turbo-fan", "seats": 150}
    frames = {"flights.csv.zip": [flight | change], "weather.csv": weather, "planes.csv": [plane]}
    return {name: pd.DataFrame(records) for name, records in frames.items()}


def test_bytes_are_reproducible_and_pinned(months: Path, tmp_path: Path) -> None:
    """Two runs write the same bytes, and data.dvc pins them."""
    data.write(tmp_path / "delays")
    assert dvc_directory(tmp_path) == dvc_directory(months)
    assert dvc_directory(months)[0] == read_yaml(ROOT / "data.dvc")["outs"][0]["md5"]


def test_columns_are_the_contracts_inputs_and_nothing_that_the_flight_itself_tells(
    rows: pd.DataFrame, promised: contract.Contract
) -> None:
    """Rows hold the contract's inputs, the label, the date and the holdout mark; no input is a forbidden one."""
    assert list(rows) == [*promised.inputs, "late", "date", "holdout"]
    assert not FORBIDDEN & set(rows)


def test_what_happens_after_departure_reaches_no_input() -> None:
    """Scrambling every forbidden column, the delay within its side of the limit included, changes no row."""
    before = {name: data.checked(name, frame) for name, frame in one_flight(dep_delay=1.0, arr_delay=20.0).items()}
    others = {"arr_delay": 900.0, "dep_delay": 800.0, "dep_time": 2300.0, "arr_time": 3.0, "air_time": 77.0}
    after = {name: data.checked(name, frame) for name, frame in one_flight(**others).items()}
    pd.testing.assert_frame_equal(data.rows(before), data.rows(after))


def test_no_input_alone_ranks_as_a_leak_would(rows: pd.DataFrame) -> None:
    """No numeric input alone ranks late flights better than an AUC of 0.8, as only a leak would."""
    from sklearn.metrics import roc_auc_score

    july = rows[pd.to_datetime(rows["date"]).dt.month == 7]
    for name in july.select_dtypes("float32"):
        auc = roc_auc_score(july["late"], july[name].fillna(july[name].median()))
        assert max(auc, 1 - auc) < 0.8, name


def test_weather_is_of_the_hour_before() -> None:
    """A flight at 10:15 gets what was measured in the hour from 9:00, never what came later."""
    assert data.rows(one_flight())["temp"].tolist() == [9.0]


@pytest.mark.parametrize(("delay", "late"), [(14.0, 0), (15.0, 1), (-20.0, 0)])
def test_late_is_fifteen_minutes(delay: float, late: int) -> None:
    """A flight is late from 15 minutes on."""
    assert data.rows(one_flight(arr_delay=delay))["late"].tolist() == [late]


def test_a_flight_that_never_arrived_is_no_row() -> None:
    """A cancelled or diverted flight has no label and is left out."""
    assert data.rows(one_flight(arr_delay=np.nan)).empty


def test_the_repeated_hour_of_november_doubles_no_flight() -> None:
    """Two records of one hour's weather leave one row for a flight."""
    sources = one_flight()
    sources["weather.csv"] = pd.concat([sources["weather.csv"]] * 2)
    assert len(data.rows(sources)) == 1


def test_an_impossible_wind_is_not_measured() -> None:
    """1048 mph, as the source has it once, counts as missing."""
    sources = one_flight()
    sources["weather.csv"]["wind_speed"] = 1048.36
    assert data.rows(sources)["wind_speed"].isna().all()


def test_holdout_is_a_fifth_of_the_days_until_june(rows: pd.DataFrame) -> None:
    """Whole days are held out: a fifth of January to June within four standard deviations, none later, as late as the rest."""
    days = rows.groupby("date")["holdout"].agg(["min", "max"])
    assert (days["min"] == days["max"]).all()
    held = days["max"].to_numpy()
    spring = pd.to_datetime(days.index.to_series()).dt.month.to_numpy() <= 6
    assert not held[~spring].any()
    n = spring.sum()
    assert abs(held[spring].sum() - n / 5) < 4 * np.sqrt(n * 0.2 * 0.8)
    share = (
        rows[pd.to_datetime(rows["date"]).dt.month <= 6]
        .groupby("date")
        .agg(late=("late", "mean"), held=("holdout", "max"))
    )
    spread = share["late"].std() / np.sqrt(held[spring].sum())
    assert abs(share[share["held"]]["late"].mean() - share[~share["held"]]["late"].mean()) < 4 * spread


def test_enough_rows_are_held_out(rows: pd.DataFrame) -> None:
    """July, and the holdout of spring, each have the 20,000 rows that the gates need to tell."""
    assert (pd.to_datetime(rows["date"]).dt.month == 7).sum() >= 20_000
    assert rows["holdout"].sum() >= 20_000


def test_rows_keep_the_contract(rows: pd.DataFrame, promised: contract.Contract) -> None:
    """Every number is within the contract's range or missing; no string is null."""
    for name, given in promised.inputs.items():
        if given.range:
            assert rows[name].dropna().between(*given.range).all(), name
        else:
            assert rows[name].notna().all(), name


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"origin": "SFO"}, "origin has 'SFO', expected isin"),
        ({"distance": -3}, "distance has -3, expected in_range(1, 6000)"),
        ({"arr_delay": 5000.0}, "arr_delay has 5000.0, expected in_range(-120, 1440)"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(change: dict[str, object], fault: str) -> None:
    """A value outside the schema is refused in one line that names file, column, value and where to change it."""
    with pytest.raises(Problem) as problem:
        data.checked("flights.csv.zip", one_flight(**change)["flights.csv.zip"])
    (line,) = problem.value.lines
    assert line.startswith(f"delays: flights.csv.zip: {fault}")
    assert line.endswith("(models/delays/data.py: SOURCES)")


def test_a_column_that_is_gone_is_refused_by_name() -> None:
    """A source without a column that is needed says which."""
    flights = one_flight()["flights.csv.zip"].drop(columns="distance")
    with pytest.raises(Problem, match="has 'distance', expected column_in_dataframe"):
        data.checked("flights.csv.zip", flights)
