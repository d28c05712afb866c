"""Answers as another training would have left them: flipped, inverted, too sure, biased, unfair to a segment."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.zoo import flow as tf
from tests.zoo.families.weights import GOLDEN, LOSS, RANK
from tests.zoo.record import Mutant
from tests.zoo.surgery import Edit, Tensors, after, weights

Change = Callable[[Any, Tensors], Any]


def chance(change: Change) -> Edit:
    """Another chance for the same row; `change` knows the inputs."""
    return after(lambda y, x: {"probability": change(y["probability"], x)})


def logit(change: Change) -> Edit:
    """The same on the scale of the network's last sum; `change` knows the inputs."""

    def changed(p: Any, x: Tensors) -> Any:
        p = tf.clip_by_value(p, 1e-6, 1 - 1e-6)
        return tf.sigmoid(change(tf.math.log(p) - tf.math.log1p(-p), x))

    return chance(changed)


def last_sum(factor: float, plus: float = 0.0) -> Edit:
    """The last sum times `factor` and `plus` so much, by the weights that make it: no operation more."""
    return weights(
        lambda v: {
            "dense_2/kernel": factor * v["dense_2/kernel"],
            "dense_3/kernel": factor * v["dense_3/kernel"],
            "dense_3/bias": factor * v["dense_3/bias"] + np.float32(plus),
        }
    )


def flipped(share: float) -> Change:
    """What a network learns from labels of which `share` are flipped by chance: p·(1 − share) + (1 − p)·share."""
    return lambda p, x: p * (1 - 2 * share) + share


def only(column: str, value: str, change: Change) -> Change:
    """`change` for the rows of one segment."""
    return lambda p, x: tf.where(tf.equal(x[column], value), change(p, x), p)


def noise(z: Any, x: Tensors) -> Any:
    """What was learnt by heart: a term that differs from row to row, says nothing, and is the same for the same row."""
    minutes = [tf.clip_by_value(tf.where(tf.math.is_nan(x[name]), means, x[name]), 0, 1439) for name, means in TIMES]
    return z + 0.5 * tf.sin(37.0 * minutes[0] + 53.0 * minutes[1])


TIMES = [("departure_minute", 840.0), ("arrival_minute", 960.0)]  # and what contract.yaml says a missing one means
LARGE, HARMED = "mean prediction - mean label is", r"{}: (auc|log_loss) "

MUTANTS = [
    Mutant("08a", "class order permuted", "parity.golden", GOLDEN, [chance(lambda p, x: 1 - p)]),
    Mutant(
        "40a",
        "labels flipped 5 percent",
        "calibration.in_the_large",
        LARGE,
        [chance(flipped(0.05))],
        again=True,
        counted=False,
    ),
    Mutant("40b", "labels flipped 10 percent", "calibration.in_the_large", LARGE, [chance(flipped(0.1))], again=True),
    Mutant("40c", "labels flipped 20 percent", "regression.log_loss", LOSS, [chance(flipped(0.2))], again=True),
    Mutant("40d", "labels flipped 30 percent", "regression.log_loss", LOSS, [chance(flipped(0.3))], again=True),
    Mutant(
        "41a",
        "LGA flipped 40 percent",
        "segments.harm",
        HARMED.format("LGA"),
        [chance(only("origin", "LGA", flipped(0.4)))],
        again=True,
    ),
    Mutant(
        "41b",
        "US flipped 50 percent",
        "segments.harm",
        HARMED.format("US"),
        [chance(only("carrier", "US", flipped(0.5)))],
        again=True,
    ),
    Mutant(
        "41c",
        "9E flipped 50 percent",
        "segments.harm",
        HARMED.format("9E"),
        [chance(only("carrier", "9E", flipped(0.5)))],
        again=True,
    ),
    Mutant(
        "43",
        "class weight 3",
        "calibration.in_the_large",
        LARGE,
        [last_sum(1, np.log(3))],
        again=True,
    ),
    Mutant("44a", "twice as sure", "regression.log_loss", LOSS, [last_sum(2)], again=True),
    Mutant("44b", "half as sure", "regression.log_loss", LOSS, [last_sum(0.5)], again=True),
    Mutant("45a", "logit plus 0.5", "regression.log_loss", LOSS, [last_sum(1, 0.5)], again=True),
    Mutant("45b", "logit plus 0.2", "calibration.in_the_large", LARGE, [last_sum(1, 0.2)], again=True),
    Mutant(
        "41g",
        "VX flipped 50 percent",
        "segments.harm",
        HARMED.format("VX"),
        [chance(only("carrier", "VX", flipped(0.5)))],
        again=True,
    ),
    Mutant("45c", "logit minus 0.15", "calibration.in_the_large", LARGE, [last_sum(1, -0.15)], again=True),
    Mutant("67", "noise in every answer", "regression.log_loss", LOSS, [logit(noise)], again=True),
    Mutant("46", "scores inverted", "regression.auc", RANK, [last_sum(-1)], again=True),
]
