"""The network of `delays`, with its preprocessing inside the graph: clients send what they know, as they know it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from fledge.artifact.contract import Input, load

CONTRACT = load(Path(__file__).with_name("contract.yaml"))
STRINGS = {name: given for name, given in CONTRACT.inputs.items() if given.dtype == "string"}
FLOATS = {name: given for name, given in CONTRACT.inputs.items() if given.dtype == "float32"}
LOGARITHMIC = {"distance": 1, "seats": 1, "precip": 100}  # log(1 + factor·x); stations report hundredths of an inch
PERIOD = {"departure_minute": 1440, "arrival_minute": 1440, "wind_dir": 360}
# Never less risk with more of it, whatever the rest says (contract.yaml: monotone).
MONOTONE = [name for name, given in CONTRACT.inputs.items() if given.monotone == "up"]


class Preprocessing(tf.Module):
    """Raw inputs by name, each of shape [None], to features [None, width]; the first len(MONOTONE) are monotone.

    Missing, unknown and extreme values are read as the contract says, so NaN and infinity never reach the network
    (where oneDNN's fused layers would turn them into an ordinary answer).
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        super().__init__(name="preprocessing")
        self.tables = {name: _table(given.known or []) for name, given in STRINGS.items()}
        numbers = self._numbers(inputs(rows)).numpy().astype("float64")
        self.mean = numbers.mean(axis=0).astype("float32")
        self.deviation = np.maximum(numbers.std(axis=0), 1e-6).astype("float32")

    def __call__(self, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        scaled = (self._numbers(values) - self.mean) / self.deviation
        return tf.concat([scaled, self._circles(values), self._categories(values)], axis=1)

    def _numbers(self, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        columns = {name: _read(values[name], given) for name, given in FLOATS.items()}
        columns |= {name: tf.math.log1p(columns[name] * factor) for name, factor in LOGARITHMIC.items()}
        return tf.stack([columns[name] for name in [*MONOTONE, *(n for n in columns if n not in MONOTONE)]], axis=1)

    def _circles(self, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        angles = tf.stack([_read(values[n], FLOATS[n]) * (2 * np.pi / p) for n, p in PERIOD.items()], axis=1)
        return tf.concat([tf.sin(angles), tf.cos(angles)], axis=1)

    def _categories(self, values: Mapping[str, tf.Tensor]) -> tf.Tensor:
        # Missing and unknown are index -1, which one_hot makes a row of zeros.
        index = {name: table.lookup(values[name]) for name, table in self.tables.items()}
        return tf.concat([tf.one_hot(index[name], len(given.known or [])) for name, given in STRINGS.items()], axis=1)


def build(params: Mapping[str, Any], rows: pd.DataFrame) -> tuple[tf.Module, keras.Model]:
    """Preprocessing and fitted network for `params` (params.yaml: train) and `rows` (columns of data.py).

    This is all that pipelines/train.py asks of a model: preprocessing takes a dict of the contract's inputs, tensors
    of shape [None], and gives features; the network takes those and gives the contract's one output, [None, …].
    """
    preprocessing = Preprocessing(rows)
    features, late = preprocessing(inputs(rows)), rows["late"].to_numpy("float32")
    core = network(features.shape[1], params["units"], params["l2"])
    steps = params["epochs"] * -(-len(rows) // params["batch"])
    rate = keras.optimizers.schedules.CosineDecay(params["learning_rate"], steps)
    core.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy")
    weights = {0: 1.0, 1: float(params["class_weight"])}
    core.fit(features, late, batch_size=params["batch"], epochs=params["epochs"], class_weight=weights, verbose=2)
    return preprocessing, core


def network(width: int, units: list[int], l2: float) -> keras.Model:
    """Features [None, width] to the probability [None, 1]; `units` and `l2` are of the hidden layers."""
    features = keras.Input((width,))
    hidden = features[:, len(MONOTONE) :]
    for size in units:
        hidden = keras.layers.Dense(size, "relu", kernel_regularizer=keras.regularizers.L2(l2))(hidden)
    never_less = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", kernel_constraint="non_neg")
    logit = keras.layers.Dense(1)(hidden) + never_less(features[:, : len(MONOTONE)])
    return keras.Model(features, keras.ops.sigmoid(logit))


def inputs(rows: pd.DataFrame) -> dict[str, tf.Tensor]:
    """The contract's inputs of `rows` as tensors."""
    columns = {
        name: rows[name].to_numpy(object if i.dtype == "string" else i.dtype) for name, i in CONTRACT.inputs.items()
    }
    return {name: tf.constant(column) for name, column in columns.items()}


def _table(known: list[str]) -> tf.lookup.StaticHashTable:
    index = tf.lookup.KeyValueTensorInitializer(known, range(len(known)), tf.string, tf.int64)
    return tf.lookup.StaticHashTable(index, default_value=-1)


def _read(value: tf.Tensor, given: Input) -> tf.Tensor:
    low, high = given.range or (-np.inf, np.inf)
    return tf.clip_by_value(tf.where(tf.math.is_nan(value), tf.cast(given.means, tf.float32), value), low, high)
