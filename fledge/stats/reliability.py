"""How answers and what happened agree: the Cox line of chances, and the reliability curve."""

from typing import Any

import numpy as np

from fledge import stats
from fledge.stats import Array, Estimate

NEAREST = 1e-6  # a chance is taken as no nearer to 0 or 1: float32 knows 1 − p to 6e-8
STEPS, SETTLED = 50, 1e-9


def cox_slope(label: Array, probability: Array, cluster: Array) -> Estimate:
    """The slope b of logit P(label = 1) = a + b·logit(probability), with its clustered error (Cox 1958).

    `label`, `probability`, `cluster` are (n,). 1 is calibrated, below 1 overconfident, above 1 underconfident. Newton's
    method for the maximum likelihood, the sandwich of Liang & Zeger 1986 for the error.
    Raises ValueError for chances or labels that do not vary, labels told apart without fault, and less than two clusters.
    """
    if np.ptp(label) == 0:
        raise ValueError(f"the label is {label[0]:g} in every row, expected two")
    chance = np.clip(probability, NEAREST, 1 - NEAREST)
    logit = np.log(chance / (1 - chance))
    if np.ptp(logit) == 0:
        raise ValueError("the chance is the same in every row, expected it to vary")
    line = np.stack([np.ones(len(logit)), logit], axis=1)
    weights, bread = _fit(line, label)
    index, count = stats.clusters(cluster)
    residual = label - _chance(line, weights)
    influence = np.stack([np.bincount(index, residual * column, count) for column in line.T])  # (2, clusters)
    slope = bread[1] @ influence
    there = len(np.unique(index))
    if there < 2:
        raise ValueError("a clustered error needs two clusters")
    return Estimate(float(weights[1]), float(np.sqrt(there / (there - 1) * np.sum(slope**2))), there - 1)


def curve(predicted: Array, observed: Array, cluster: Array, bins: int = 10) -> list[dict[str, Any]]:
    """Mean `predicted` and `observed` (n,) in bins of equally many rows by `predicted`, with the clustered 1 − 2α interval.

    Equal predictions share a bin. A bin whose rows are of one cluster has no interval.
    """
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="right")
    index = stats.clusters(cluster)[0]
    return [_bin(predicted[place == one], observed[place == one], index[place == one]) for one in np.unique(place)]


def expected_error(found: list[dict[str, Any]]) -> float:
    """The mean over rows of |predicted − observed| of their bin: ECE, for the report. Biased upwards, and bins decide it."""
    rows = sum(one["n"] for one in found)
    return float(sum(one["n"] * abs(one["predicted"] - one["observed"]) for one in found) / rows)


def _fit(line: Array, label: Array) -> tuple[Array, Array]:
    """Coefficients (2,) of the logistic regression of `label` on `line` (n, 2), and the inverse information (2, 2)."""
    rate = label.mean()
    weights = np.array([np.log(rate / (1 - rate)), 0.0])
    for _ in range(STEPS):
        chance = _chance(line, weights)
        information = (line * (chance * (1 - chance))[:, None]).T @ line
        try:
            step = np.linalg.solve(information, line.T @ (label - chance))
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() < SETTLED:
            return weights, np.linalg.inv(information)
        weights = weights + step
    raise ValueError("the slope has no finite maximum: the chances tell the labels apart without fault")


def _chance(line: Array, weights: Array) -> Array:
    chance: Array = 1 / (1 + np.exp(-np.clip(line @ weights, -500, 500)))
    return chance


def _bin(predicted: Array, observed: Array, cluster: Array) -> dict[str, Any]:
    found = {"predicted": float(predicted.mean()), "observed": float(observed.mean()), "n": len(predicted)}
    if len(np.unique(cluster)) < 2:
        return found | {"low": None, "high": None}
    low, high = stats.compare(stats.clustered_mean(observed.astype(float), cluster), 0.0).interval
    return found | {"low": low, "high": high}
