"""The rows of owner.py with the scores of the models of logistic.py, by their formula: no TensorFlow, no file of rows."""

from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fledge.gates import limits as sections
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array
from tests.tiny.owner import EFFECTS, limits, rows

CLASSES = ["none", "some", "much"]


def known(root: Path, **changes: Any) -> Limits:
    """The tiny model's limits with whole gates or keys changed, read from a file as the gates do."""
    file = root / "params.yaml"
    YAML().dump({"gates": limits(**changes)}, file)
    return sections.load(file, "params.yaml")


def changed(gate: str, check: str, **keys: Any) -> dict[str, Any]:
    """A change for `known`: some keys of the section of one check; a key that is None is left out."""
    section = limits()[gate]
    kept = {key: value for key, value in {**section[check], **keys}.items() if value is not None}
    return {gate: section | {check: kept}}


def table(label: str = "late") -> Rows:
    """21,700 rows of 31 days, labelled by `late` (0 or 1), `delay` (three classes) or `minutes` (a number)."""
    found = rows()
    columns = {name: found[name].to_numpy() for name in ("origin", "temp", "load", "date")}
    happened = found[label].to_numpy()
    if label == "delay":
        happened = np.array([CLASSES.index(name) for name in happened])
    inputs = {name: columns[name] for name in ("origin", "temp", "load")}
    return Rows(inputs, happened, columns["date"], {name: columns[name] for name in ("origin", "date")})


def logit(of: Rows, weights: tuple[float, float] = (1.2, 0.8), scale: float = 1.0, bias: float = -1.2) -> Array:
    """The logit of logistic.Logistic with those parameters, per row (n,); the defaults are the champion's."""
    warmth = (np.nan_to_num(of.inputs["temp"], nan=55.0) - 55.0) / 20.0
    effect = np.array([EFFECTS[name] for name in of.inputs["origin"]])
    found: Array = scale * (weights[0] * warmth + weights[1] * of.inputs["load"] + effect) + bias
    return found


def chance(of: Rows, **parameters: Any) -> Array:
    """The chance that a row is late (n,)."""
    found: Array = 1 / (1 + np.exp(-logit(of, **parameters)))
    return found


def chances(of: Rows, **parameters: Any) -> Array:
    """The chances of the three classes (n, 3)."""
    weights = np.exp(np.outer(logit(of, **parameters), [0, 1, 2]))
    found: Array = weights / weights.sum(axis=1, keepdims=True)
    return found


def minutes(of: Rows, **parameters: Any) -> Array:
    """How late a row is (n,)."""
    return 20.0 * logit(of, **parameters)
