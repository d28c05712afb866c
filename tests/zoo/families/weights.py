"""Weights that training or a later step ruined: not finite, dead, rounded, pruned, shifted."""

from pathlib import Path

import numpy as np

from tests.zoo.edits import files
from tests.zoo.record import CONTROL, Mutant
from tests.zoo.surgery import Edit, kernels, weights
from tests.zoo.table import Array, quantised


def one_value(kernel: Array, value: float) -> Array:
    """The first weight is `value`."""
    changed = kernel.copy()
    changed.flat[0] = value
    return changed


def pruned(kernel: Array, share: float) -> Array:
    """The smallest `share` of the weights is 0."""
    return np.where(np.abs(kernel) < np.quantile(np.abs(kernel), share), 0, kernel).astype(kernel.dtype)


def noisy(kernel: Array, share: float) -> Array:
    """Noise of `share` of the weights' own spread."""
    noise = np.random.default_rng(0).normal(0, share * kernel.std(), kernel.shape)
    return (kernel + noise).astype(kernel.dtype)


def scaled(columns: slice, factor: float) -> Edit:
    """What some features tell the network, times a factor."""

    def change(values: dict[str, Array]) -> dict[str, Array]:
        kernel = values["dense/kernel"].copy()
        kernel[columns] *= factor
        return {"dense/kernel": kernel}

    return weights(change)


def truncated(artifact: Path) -> None:
    """The second half of the weights never arrived."""
    (shard,) = (artifact / "variables").glob("variables.data-*")
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])


GOLDEN = "largest difference in 256 rows is .*, expected at most"
CARRIER, ORIGIN = slice(18, 33), slice(33, 36)  # after 12 numbers and 6 of circles (models/delays/model.py)
LOSS, RANK = "of champion's, at worst .*, expected below", "AUC, at worst .*, expected above"

MUTANTS = [
    Mutant(
        "10",
        "NaN weight",
        "structural.variables",
        "1 of 2048 values are not finite",
        [weights(lambda v: {"dense_1/kernel": one_value(v["dense_1/kernel"], np.nan)})],
    ),
    Mutant(
        "11",
        "infinite weight",
        "structural.variables",
        "1 of 8448 values are not finite",
        [weights(lambda v: {"dense/kernel": one_value(v["dense/kernel"], np.inf)})],
    ),
    Mutant(
        "12a",
        "dead layer",
        "regression.floor",
        "expected above",
        [weights(lambda v: {"dense_1/bias": v["dense_1/bias"] - 1000})],
        again=True,
    ),
    Mutant(
        "12b",
        "layer of zeros",
        "structural.variables",
        "all 2048 values are 0, expected a matrix that was trained",
        [weights(lambda v: {"dense_1/kernel": 0 * v["dense_1/kernel"]})],
        again=True,
    ),
    Mutant("14", "truncated shard", "structural.variables", "[Dd]ata ?[Ll]oss|out of range", [files(truncated)]),
    Mutant(
        "35",
        "features off by one",
        "parity.golden",
        GOLDEN,
        [weights(lambda v: {"dense/kernel": np.roll(v["dense/kernel"], 1, axis=0)})],
    ),
    Mutant("47a", "weights of 2 bits", "regression.auc", RANK, [kernels(lambda k: quantised(k, 2))], again=True),
    Mutant(
        "47b",
        "weights of 3 bits",
        "regression.log_loss",
        LOSS,
        [kernels(lambda k: quantised(k, 3))],
        again=True,
        counted=False,
    ),
    Mutant(
        "48",
        "weights of 4 bits",
        "regression.log_loss",
        LOSS,
        [kernels(lambda k: quantised(k, 4))],
        again=True,
        counted=False,
    ),
    Mutant(
        "49a",
        "half pruned",
        "regression.log_loss",
        LOSS,
        [kernels(lambda k: pruned(k, 0.5))],
        again=True,
        counted=False,
    ),
    Mutant("49b", "four fifths pruned", "regression.log_loss", LOSS, [kernels(lambda k: pruned(k, 0.8))], again=True),
    Mutant(
        "50",
        "three tenths pruned",
        "regression.log_loss",
        LOSS,
        [kernels(lambda k: pruned(k, 0.3))],
        again=True,
        counted=False,
    ),
    Mutant(
        "60",
        "origin counts for too much",
        "fairness.relative",
        "origin: candidate - champion of equalised_odds_gap is .*, expected at most",
        [scaled(ORIGIN, 1.5)],
        again=True,
    ),
    Mutant("69", "carrier never learnt", "regression.auc", RANK, [scaled(CARRIER, 0)], again=True),
    Mutant(
        "C1",
        "weights as float16",
        CONTROL,
        edits=[kernels(lambda k: k.astype("float16").astype("float32"))],
        again=True,
    ),
    Mutant("C2", "weights of 8 bits", CONTROL, edits=[kernels(lambda k: quantised(k, 8))], again=True),
    Mutant("C3", "weights of 5 bits", CONTROL, edits=[kernels(lambda k: quantised(k, 5))], again=True),
    Mutant("C4", "noise of 2 percent", CONTROL, edits=[kernels(lambda k: noisy(k, 0.02))], again=True),
]
