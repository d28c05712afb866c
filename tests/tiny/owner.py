"""An owner's folder around the tiny models of logistic.py: contracts, limits, requests, and rows drawn from their formula."""

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from fledge.project import read_yaml
from tests.conftest import ROOT

ROWS, DAYS = 21_700, 31
EFFECTS = {"EWR": 0.6, "JFK": -0.4, "LGA": -0.2}  # those of logistic.py

CONTRACT: dict[str, Any] = {
    "signature": "serving_default",
    "inputs": {
        "origin": {"dtype": "string", "missing": "", "unknown": "", "known": list(EFFECTS), "known_at": 0},
        "temp": {"dtype": "float32", "missing": "nan", "means": 55, "range": [-20, 120], "known_at": 0},
        "load": {
            "dtype": "float32",
            "missing": float("nan"),
            "means": 0,
            "range": [0, 1],
            "monotone": "up",
            "known_at": 0,
        },
    },
    "outputs": {"probability": {"dtype": "float32", "range": [0, 1]}},
    "classes": ["on_time", "late"],
}


def limits(**changes: Any) -> dict[str, Any]:
    """`gates:` of the tiny model: the shipped limits of models/delays with its own rows; a change is a whole gate or key."""
    shipped: dict[str, Any] = copy.deepcopy(read_yaml(ROOT / "models" / "delays" / "params.yaml")["gates"])
    own = {"task": "binary", "label": "late", "cluster": "date", "time": "date", "rows": ["2013-07"], "holdout": []}
    shipped["segments"]["columns"] = shipped["fairness"]["columns"] = ["origin"]
    others = ("accuracy", "brier", "squared_error", "absolute_error")
    shipped["regression"] |= {metric: {"margin": 0.01, "alpha": 0.05} for metric in others}
    shipped["segments"]["harm"]["margins"] |= dict.fromkeys(others, 0.02)
    shipped["fairness"]["absolute"]["limit"], shipped["fairness"]["relative"]["margin"] = 0.45, 0.05  # EFFECTS say so
    shipped["data"]["quality"]["columns"] = {}
    shipped["edge_cases"]["sizes"]["max"] = 256
    shipped["edge_cases"]["properties"]["examples"] = 50
    shipped["latency"]["budget"]["p50_ms"] = 50.0
    # No training stage has left warm-up requests and golden vectors in them.
    shipped["structural"]["served"] = {"inconclusive": "warn"}
    shipped["parity"]["golden"]["inconclusive"] = "warn"
    return shipped | own | changes


def fairness(measure: str) -> dict[str, Any]:
    """`gates.fairness` of a task that has one measure only."""
    shared = {"measure": measure, "alpha": 0.01, "min_each": 50}
    return {"columns": ["origin"], "absolute": shared | {"limit": 0.3}, "relative": shared | {"margin": 0.05}}


A_ROW = {"origin": ["JFK"], "temp": [70.0], "load": [0.5]}
REQUESTS = [
    {"name": "golden", "kind": "golden", "inputs": A_ROW, "expect": {"range": {"probability": [0.3, 0.6]}}},
    {"name": "no load", "kind": "edge", "inputs": {"origin": ["JFK"]}, "expect": {"error": "INVALID_ARGUMENT"}},
    {
        "name": "nowhere",
        "kind": "edge",
        "inputs": A_ROW | {"origin": ["?"]},
        "expect": {"same_as": "unsaid", "tolerance": 0},
    },
    {"name": "unsaid", "kind": "edge", "inputs": A_ROW | {"origin": [""]}, "expect": {"range": {}}},
]
THREE: dict[str, Any] = {
    "contract": {
        "outputs": {"probabilities": {"dtype": "float32", "shape": [3], "range": [0, 1]}},
        "classes": ["none", "some", "much"],
    },
    "limits": {
        "task": "multiclass",
        "metrics": ["log_loss", "accuracy"],
        "label": "delay",
        "fairness": fairness("accuracy_gap"),
    },
}
MINUTES: dict[str, Any] = {
    "contract": {"outputs": {"minutes": {"dtype": "float32", "range": [-1000, 1000]}}, "classes": []},
    "limits": {
        "task": "regression",
        "metrics": ["squared_error", "absolute_error"],
        "label": "minutes",
        "calibration": {"in_the_large": {"limit": 2.0, "above_champion": 1.0}},
        "fairness": fairness("error_gap"),
    },
}


def rows() -> pa.Table:
    """21,700 rows of 31 days from the champion's own formula; a day shares its weather and its luck."""
    random, day = np.random.default_rng(0), np.repeat(np.arange(DAYS), ROWS // DAYS)
    origin = random.choice(list(EFFECTS), ROWS)
    temp = random.normal(60, 15, ROWS) + random.normal(0, 5, DAYS)[day]
    load, luck = random.uniform(size=ROWS), random.normal(0, 0.1, DAYS)[day]
    temp[random.uniform(size=ROWS) < 0.05] = np.nan
    effect = np.array([EFFECTS[name] for name in origin])
    logit = 1.2 * (np.nan_to_num(temp, nan=55.0) - 55) / 20 + 0.8 * load + effect - 1.2 + luck
    late = (random.uniform(size=ROWS) < 1 / (1 + np.exp(-logit))).astype("int64")
    weights = np.exp(np.outer(logit, [0, 1, 2]))
    shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    delay = np.array(["none", "some", "much"])[(random.uniform(size=(ROWS, 1)) > shares).sum(axis=1)]
    minutes = 20.0 * logit + random.normal(0, 15, ROWS)
    dates = [datetime.date(2013, 7, 1 + int(number)) for number in day]
    floats = {"temp": temp.astype("float32"), "load": load.astype("float32")}
    return pa.table({"origin": origin, **floats, "late": late, "delay": delay, "minutes": minutes, "date": dates})


def write_rows(root: Path, name: str, table: pa.Table, month: str = "2013-07") -> Path:
    """The table as the rows of a month of the model `name`."""
    file = root / "data" / name / f"{month}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def write_model(root: Path, name: str, contract: Any, limits: Any, requests: Any = REQUESTS) -> Path:
    """The folder models/`name`, as an owner would write it."""
    folder = root / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    YAML().dump(contract, folder / "contract.yaml")
    YAML().dump({"gates": limits}, folder / "params.yaml")
    (folder / "requests.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
    return folder
