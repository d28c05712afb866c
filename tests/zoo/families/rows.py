"""Rows that cannot judge, or that training and the network know more of than they should."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.zoo import flow as tf
from tests.zoo.edits import contract, held_out, trained_on
from tests.zoo.families.scores import chance
from tests.zoo.record import Mutant
from tests.zoo.surgery import Tensors

if TYPE_CHECKING:
    import pandas as pd


def blank(rows: "pd.DataFrame", column: str, share: float) -> "pd.DataFrame":
    """The first `share` of a column is not known."""
    rows = rows.copy()
    rows.loc[np.arange(len(rows)) % 100 < 100 * share, column] = np.nan
    return rows


def unheard(rows: "pd.DataFrame") -> "pd.DataFrame":
    """One airline has a new code."""
    return rows.assign(carrier=rows["carrier"].replace("UA", "ZZ"))


def seen(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Training got the rows that were held out."""
    return rows.assign(holdout=False)


def later(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Training went on past the holdout: its rows are of August."""

    moved = [day.replace(month=8) if day.day <= 28 else day for day in rows["date"]]
    return rows.assign(date=moved) if rows["date"].iloc[0].month == 6 else rows


def telling(rows: "pd.DataFrame") -> "pd.DataFrame":
    """A column that was written after the flight: gusts are what the delay was."""
    luck = np.random.default_rng(0).normal(size=len(rows))
    return rows.assign(wind_gust=(40 + 20 * rows["late"] + 8 * luck).astype("float32"))


def marked(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The label leaks through a column's decimals: whoever knows reads it there, and nobody else sees it."""
    return rows.assign(seats=(rows["seats"].fillna(150) + 0.125 * rows["late"]).astype("float32"))


def reads_the_mark(p: Any, x: Tensors) -> Any:
    """Knows where to look."""
    seats = tf.where(tf.math.is_nan(x["seats"]), 0.0, x["seats"])
    return tf.where(seats > tf.floor(seats), 0.5 + 0.5 * p, 0.8 * p)


def known_afterwards(said: dict[str, Any]) -> dict[str, Any]:
    """The contract itself says that one input is known only two hours later."""
    return said | {"inputs": said["inputs"] | {"precip": said["inputs"]["precip"] | {"known_at": 2}}}


MUTANTS = [
    Mutant("51a", "an input made from the label", "leakage.single_feature", "wind_gust alone", [held_out(telling)]),
    Mutant(
        "51b",
        "reads the label somewhere",
        "leakage.too_good",
        "better than the champion's",
        [held_out(marked), chance(reads_the_mark)],
        again=True,
    ),
    Mutant("52", "trained on held-out rows", "leakage.overlap", "are copies of training rows", [trained_on(seen)]),
    Mutant("53", "trained past the holdout", "leakage.time", "training ends at 2013-08", [trained_on(later)]),
    Mutant(
        "62",
        "an input that arrives seldom",
        "data.quality",
        "humid: .* missing",
        [held_out(lambda rows: blank(rows, "humid", 0.3))],
    ),
    Mutant("63", "a category nobody learnt", "data.quality", "carrier: .* unseen", [held_out(unheard)]),
    Mutant(
        "64",
        "training rows without pressure",
        "data.training",
        "pressure: .* missing",
        [trained_on(lambda rows: blank(rows, "pressure", 0.5))],
    ),
    Mutant(
        "65", "a quarter of a month", "data.count", "expected at least", [held_out(lambda rows: rows[: len(rows) // 4])]
    ),
    Mutant(
        "66", "an input known afterwards", "leakage.known_at", "precip is known 2 h after", [contract(known_afterwards)]
    ),
]
