"""Export a logistic model of three inputs, and mutants of it, in a process of their own: `python logistic.py OUT`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

ORIGINS = ("EWR", "JFK", "LGA")
EFFECTS = [0.0, 0.6, -0.4, -0.2]  # of an unknown origin, then of ORIGINS
MEANS = 55.0  # what a missing temperature is read as
LARGEST = 30.0  # an infinite temperature is a very high one
SILENT = (0.451, 0.455)  # a load between them is not answered with a number: 1 row in 250
MINUTES = 20.0  # for each unit of the logit

Inputs = Mapping[str, Any]


class Logistic(tf.Module):
    """P(late) = sigmoid(scale · (effect of origin + weights · (temperature, load)) + bias), preprocessing in the graph."""

    def __init__(
        self,
        weights: tuple[float, float] = (1.2, 0.8),
        scale: float = 1.0,
        bias: float = -1.2,
        origins: tuple[str, ...] = ORIGINS,
    ) -> None:
        super().__init__()
        keys = tf.lookup.KeyValueTensorInitializer(origins, [1, 2, 3])
        self.table = tf.lookup.StaticHashTable(keys, 0)
        self.effects, self.weights = tf.Variable(EFFECTS), tf.Variable(weights)
        self.scale, self.bias = tf.Variable(scale), tf.Variable(bias)

    def logit(self, x: Inputs, impute: bool = True) -> Any:
        temp = tf.where(tf.math.is_nan(x["temp"]), MEANS, x["temp"]) if impute else x["temp"]
        load = tf.where(tf.math.is_nan(x["load"]), 0.0, x["load"])
        numbers = tf.stack([(temp - MEANS) / 20.0, load], axis=1)
        sums = tf.linalg.matvec(numbers, self.weights) + tf.gather(self.effects, self.table.lookup(x["origin"]))
        return self.scale * sums + self.bias

    def probability(self, x: Inputs) -> dict[str, Any]:
        return {"probability": tf.sigmoid(self.logit(x))}

    def probabilities(self, x: Inputs) -> dict[str, Any]:
        """Three classes: none, some, much."""
        logit = tf.clip_by_value(self.logit(x), -LARGEST, LARGEST)
        return {"probabilities": tf.nn.softmax(tf.stack([0.0 * logit, logit, 2 * logit], axis=1))}

    def minutes(self, x: Inputs) -> dict[str, Any]:
        """A regression: how late, in minutes."""
        return {"minutes": MINUTES * tf.clip_by_value(self.logit(x), -LARGEST, LARGEST)}


def renamed(model: Logistic, x: Inputs) -> Any:
    return {"score": model.probability(x)["probability"]}


def not_imputed(model: Logistic, x: Inputs) -> Any:
    # As a fused kernel does: a plausible number comes out, but not the documented one.
    chance = tf.sigmoid(model.logit(x, impute=False))
    return {"probability": tf.where(tf.math.is_nan(chance), 0.5, chance)}


def crashes_on_empty(model: Logistic, x: Inputs) -> Any:
    first = tf.strings.length(tf.gather(x["origin"], 0))
    return {"probability": model.probability(x)["probability"] + 1e-30 * tf.cast(first, tf.float32)}


def sees_its_neighbours(model: Logistic, x: Inputs) -> Any:
    logit = model.logit(x)
    return {
        "probability": tf.sigmoid(
            logit - 0.1 * tf.math.divide_no_nan(tf.reduce_sum(logit), tf.cast(tf.size(logit), tf.float32))
        )
    }


def sees_those_before(model: Logistic, x: Inputs) -> Any:
    logit = model.logit(x)
    return {"probability": tf.sigmoid(logit + 1e-3 * tf.cumsum(logit))}


def draws_lots(model: Logistic, x: Inputs) -> Any:
    logit = model.logit(x)
    return {"probability": tf.sigmoid(logit + tf.random.uniform(tf.shape(logit)))}


def seldom_silent(model: Logistic, x: Inputs) -> Any:
    gap = tf.logical_and(x["load"] > SILENT[0], x["load"] < SILENT[1])
    return {"probability": tf.where(gap, np.nan, model.probability(x)["probability"])}


def overflows(model: Logistic, x: Inputs) -> Any:
    odds = tf.exp(model.logit(x))
    return {"probability": odds / (1 + odds)}


def other_unknown(model: Logistic, x: Inputs) -> Any:
    strange = tf.logical_and(tf.equal(model.table.lookup(x["origin"]), 0), tf.not_equal(x["origin"], ""))
    return {"probability": tf.sigmoid(model.logit(x) + tf.where(strange, 0.3, 0.0))}


def logits(model: Logistic, x: Inputs) -> Any:
    return {"probability": model.logit(x)}


def calls_python(model: Logistic, x: Inputs) -> Any:
    chance = tf.numpy_function(lambda value: value, [model.probability(x)["probability"]], tf.float32)
    return {"probability": tf.ensure_shape(chance, [None])}


def unfair(model: Logistic, x: Inputs) -> Any:
    favoured = tf.equal(model.table.lookup(x["origin"]), 1)
    return {"probability": tf.sigmoid(model.logit(x) + tf.where(favoured, 0.7, -0.3))}


def slow(model: Logistic, x: Inputs) -> Any:
    wide = tf.tile(x["load"][:1, None], [192, 192])
    wasted = tf.reduce_sum(tf.linalg.matmul(wide, wide))
    return {"probability": model.probability(x)["probability"] + 1e-30 * wasted}


CANDIDATES: dict[str, tuple[Logistic, Callable[[Logistic, Inputs], Any]]] = {
    "champion": (Logistic(), Logistic.probability),
    "good": (Logistic((1.1, 0.95)), Logistic.probability),
    "renamed_output": (Logistic(), renamed),
    "nan_weight": (Logistic((np.nan, 0.8)), Logistic.probability),
    "calls_python": (Logistic(), calls_python),
    "inverted": (Logistic(scale=-1.0), Logistic.probability),
    "biased": (Logistic(bias=-0.9), Logistic.probability),
    "overconfident": (Logistic(scale=2.0, bias=-2.4), Logistic.probability),
    "constant": (Logistic(scale=0.0), Logistic.probability),
    "not_imputed": (Logistic(), not_imputed),
    "crashes_on_empty": (Logistic(), crashes_on_empty),
    "sees_its_neighbours": (Logistic(), sees_its_neighbours),
    "sees_those_before": (Logistic(), sees_those_before),
    "draws_lots": (Logistic(), draws_lots),
    "seldom_silent": (Logistic(), seldom_silent),
    "overflows": (Logistic(), overflows),
    "stale_vocabulary": (Logistic(origins=("JFK", "LGA", "EWR")), Logistic.probability),
    "other_unknown": (Logistic(), other_unknown),
    "less_with_load": (Logistic((1.2, -0.2)), Logistic.probability),
    "logits": (Logistic(), logits),
    "unfair": (Logistic(), unfair),
    "slow": (Logistic(), slow),
    "three_champion": (Logistic(), Logistic.probabilities),
    "three_good": (Logistic((1.1, 0.95)), Logistic.probabilities),
    "three_constant": (Logistic(scale=0.0), Logistic.probabilities),
    "minutes_champion": (Logistic(), Logistic.minutes),
    "minutes_good": (Logistic((1.19, 0.81)), Logistic.minutes),
    "minutes_constant": (Logistic(scale=0.0), Logistic.minutes),
    "minutes_biased": (Logistic(bias=-0.9), Logistic.minutes),
}


def export(model: Logistic, answer: Callable[[Logistic, Inputs], Any], path: Path) -> None:
    kinds = {"origin": tf.string, "temp": tf.float32, "load": tf.float32}
    spec = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}
    signature = tf.function(lambda **x: answer(model, x)).get_concrete_function(**spec)
    tf.saved_model.save(model, path, signatures={"serving_default": signature})


def main(argv: list[str]) -> int:
    for name, (model, answer) in CANDIDATES.items():
        export(model, answer, Path(argv[0]) / name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
