"""Inputs that the network reads otherwise than its training did: vocabulary, columns, units, scale, groups."""

import numpy as np

from fledge.artifact.contract import load
from fledge.gates.process import ROOT
from tests.zoo import flow as tf
from tests.zoo.families.weights import GOLDEN, LOSS, RANK
from tests.zoo.record import Mutant
from tests.zoo.surgery import Edit, Tensors, before, keys, scaling
from tests.zoo.table import Array

INPUTS = load(ROOT / "models/delays/contract.yaml").inputs
WEATHER = ["temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
NUMBERS = [name for name, x in INPUTS.items() if x.dtype == "float32"]
ORDER = sorted(NUMBERS, key=lambda name: INPUTS[name].monotone is None)  # models/delays/model.py: monotone ones first


def by_one(known: list[str]) -> list[str]:
    """Every category has its neighbour's index."""
    return known[1:] + known[:1]


def swapped(one: str, other: str) -> Edit:
    """Each of two columns is read as the other."""
    return before(lambda x: x | {one: x[other], other: x[one]})


def unscaled(column: str) -> Edit:
    """One column reaches the network as it came."""

    def change(mean: Array, deviation: Array) -> tuple[Array, Array]:
        mean, deviation = mean.copy(), deviation.copy()
        mean[ORDER.index(column)], deviation[ORDER.index(column)] = 0, 1
        return mean, deviation

    return scaling(change)


def without(columns: list[str]) -> Edit:
    """A group of columns never arrives."""
    return before(lambda x: x | {name: tf.fill(tf.shape(x[name]), np.nan) for name in columns})


def logarithm_from_the_client(x: Tensors) -> Tensors:
    """The network was trained by a program that took the logarithm itself: so the client must."""
    return x | {"distance": tf.math.expm1(tf.minimum(x["distance"], 9.0))}


def coarse(x: Tensors) -> Tensors:
    """The client of training sent tenths of a degree, that of serving sends steps of five."""
    return x | {"temp": tf.round(x["temp"] / 5) * 5}


def celsius(x: Tensors) -> Tensors:
    """What was °F in training is °C in serving."""
    return x | {"temp": (x["temp"] - 32) / 1.8}


DEST, CARRIER = (INPUTS[name].known or [] for name in ("dest", "carrier"))

MUTANTS = [
    Mutant("32", "preprocessing outside the graph", "parity.golden", GOLDEN, [before(logarithm_from_the_client)]),
    Mutant("33", "stale vocabulary of dest", "structural.vocabulary", "dest", [keys(DEST, by_one)]),
    Mutant("34", "stale vocabulary of carrier", "structural.vocabulary", "carrier", [keys(CARRIER, by_one)]),
    Mutant("36", "two columns swapped", "parity.golden", GOLDEN, [swapped("temp", "humid")]),
    Mutant("68", "temperature in steps of five", "parity.golden", GOLDEN, [before(coarse)]),
    Mutant("37", "Celsius for Fahrenheit", "regression.log_loss", LOSS, [before(celsius)]),
    Mutant("38", "one column not scaled", "regression.auc", RANK, [unscaled("departure_minute")]),
    Mutant("39", "no weather", "regression.log_loss", LOSS, [without(WEATHER)]),
]
