"""Answers that depend on more than the row: its neighbours, its place, the size of the batch, chance."""

from tests.zoo import flow as tf
from tests.zoo.record import Mutant
from tests.zoo.surgery import Tensors, before


def normalised(x: Tensors) -> Tensors:
    """Batch statistics of training mode: the mean temperature of the rows at hand is taken for that of all."""
    temp = tf.where(tf.math.is_nan(x["temp"]), 55.0, x["temp"])
    mean = tf.math.divide_no_nan(tf.reduce_sum(temp), tf.cast(tf.size(temp), tf.float32))
    return x | {"temp": temp - 0.1 * (mean - 55.0)}


def leaning(x: Tensors) -> Tensors:
    """A little of the row before, as of a shift that lost its place."""
    minute = x["departure_minute"]
    return x | {"departure_minute": minute + 0.02 * (tf.roll(minute, 1, axis=0) - minute)}


def another_path(x: Tensors) -> Tensors:
    """A batch of 64 takes a path of its own, which reads the humidity a little otherwise."""
    special = tf.cast(tf.equal(tf.size(x["humid"]), 64), tf.float32)
    return x | {"humid": x["humid"] + special}


def dropped_out(x: Tensors) -> Tensors:
    """Dropout was left on: one humidity in ten is not seen."""
    return x | {"humid": tf.where(tf.random.uniform(tf.shape(x["humid"])) < 0.1, 60.0, x["humid"])}


MUTANTS = [
    Mutant(
        "29",
        "batch statistics",
        "determinism.split",
        r"a batch of \d+ changes an answer",
        [before(normalised)],
        again=True,
    ),
    Mutant(
        "30",
        "leans on its neighbour",
        "determinism.order",
        "another order of rows changes an answer",
        [before(leaning)],
        again=True,
    ),
    Mutant(
        "30b",
        "a batch of 64 takes another path",
        "determinism.split",
        "a batch of 64 changes an answer",
        [before(another_path)],
        again=True,
    ),
    Mutant(
        "31",
        "dropout left on",
        "determinism.repeat",
        "differs in .* rows when asked again",
        [before(dropped_out)],
        again=True,
    ),
]
