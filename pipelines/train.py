"""The stage `train@<model>`: fit, export, measure, log. The same inputs give the same artifact, byte for byte.

That holds for a fresh process (a DVC stage is one) on one kind of CPU. A model's folder gives `model.py` with
`build(params, rows) -> (preprocessing, network)`; the docstring there says the rest.
"""

import argparse
import importlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from fledge.artifact import contract as contracts
from fledge.artifact.contract import Contract
from fledge.client import golden
from fledge.gates import limits
from fledge.gates.rows import HOLDOUT
from fledge.hashing import dvc_directory
from fledge.problems import Problem, reported
from fledge.project import read_yaml, validated

# What TensorFlow writes into the graph (threads) or what changes the last bits of a sum (kernels) is a constant.
THREADS = 2
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Recipe(BaseModel):
    """What this stage reads of `train:`; the rest is the model's own."""

    model_config = ConfigDict(extra="allow")
    seed: int
    months: Annotated[list[str], Field(min_length=1)]
    evaluate: Annotated[list[str], Field(min_length=1)]


class Params(BaseModel):
    train: Recipe


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Train the model that `--model` names into models/<model>/saved_model, its figures into metrics.json."""
    parser = argparse.ArgumentParser(description="Train a model: the DVC stage train@<model>.")
    parser.add_argument("--model", required=True)
    model = parser.parse_args(argv).model
    started = time.monotonic()
    folder = Path("models") / model
    contract, label = contracts.load(folder / "contract.yaml"), limits.load(folder / "params.yaml").label
    params = recipe(folder / "params.yaml")
    requests = warm_up(folder / "requests.jsonl", contract)
    training, evaluation = (
        complete(read(model, params, key), model, contract, label) for key in ("months", "evaluate")
    )
    happened = labels(evaluation[label], contract, str(folder / "params.yaml"))
    say(model, f"{len(training):,} rows to train on, {len(evaluation):,} to measure with")

    prepare(params["seed"])
    preprocessing, core = importlib.import_module(f"models.{model}.model").build(params, training)
    say(model, "fitted")
    from pipelines.export import export  # TensorFlow's threads must be set before it is used

    artifact = folder / "saved_model"
    answers = export(artifact, contract, preprocessing, core, requests, asked(contract, evaluation))
    say(model, "exported: the file answers as the network does")
    digest = dvc_directory(artifact)[0]
    found = metrics(contract, happened, answers)
    (folder / "metrics.json").write_text(json.dumps(found, indent=2) + "\n")
    say(model, f"{artifact} is {digest}; " + ", ".join(f"{name} {value:.5g}" for name, value in found.items()))
    log(model, params, found | {"seconds": time.monotonic() - started}, digest)
    return 0


def recipe(file: Path) -> dict[str, Any]:
    """`train:` of params.yaml. Raises Problem naming what is missing or wrong of the keys that every model has."""
    return validated(Params, read_yaml(file), str(file)).train.model_dump()


def read(model: str, params: Mapping[str, Any], key: str) -> pd.DataFrame:
    """The rows of the months in `params[key]` that are not held out. Raises Problem with a line for each month that is not there."""
    files = [Path("data") / model / f"{month}.parquet" for month in params[key]]
    if absent := [file for file in files if not file.is_file()]:
        where = f"(models/{model}/params.yaml: train.{key}; make data)"
        raise Problem(*(f"{model}: {file} is not there, expected its rows {where}" for file in absent))
    rows = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    return rows[~rows[HOLDOUT]].reset_index(drop=True) if HOLDOUT in rows else rows


def complete(rows: pd.DataFrame, model: str, contract: Contract, label: str) -> pd.DataFrame:
    """`rows` as they are. Raises Problem with a line for each input and the label that they have no column of."""
    needed = dict.fromkeys(contract.inputs, f"models/{model}/contract.yaml: inputs")
    needed |= {label: f"models/{model}/params.yaml: gates.label"}
    if absent := [name for name in needed if name not in rows]:
        raise Problem(
            *(f"{model}: no column {name} in data/{model}, expected it ({needed[name]}; data.py)" for name in absent)
        )
    return rows


def warm_up(file: Path, contract: Contract) -> list[dict[str, list[Any]]]:
    """The inputs of the golden requests. Raises Problem where there is none, or one that the server would refuse.

    TensorFlow Serving answers them while it loads, and does not load a model that fails at one.
    """
    try:
        found = {line["name"]: line["inputs"] for line in golden.read(file) if line["kind"] == "golden"}
    except KeyError as error:
        raise Problem(f"{file}: {error!r}, expected a request in every line ({file}: name, kind, inputs)") from None
    if strange := [name for name, inputs in found.items() if inputs.keys() != contract.inputs.keys()]:
        raise Problem(
            *(f"{file}: {name} lacks or adds inputs, expected the contract's ({file}: {name})" for name in strange)
        )
    if not found:
        raise Problem(f"{file}: no golden request found, expected at least one to warm up with ({file}: kind)")
    return list(found.values())


def prepare(seed: int) -> None:
    """Make TensorFlow repeat itself. Only a process that has not used it yet can."""
    os.environ.update(ENVIRONMENT)
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def asked(contract: Contract, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """`rows` as the contract's inputs, (n,) each."""
    # None is what the contract knows for missing; pandas says NaN.
    columns = {name: rows[name].astype(object).where(rows[name].notna(), None) for name in contract.inputs}
    return contract.arrays(columns)


def labels(column: pd.Series, contract: Contract, file: str) -> np.ndarray:
    """The label (n,) as an index into the contract's classes, or as numbers where it has none: a regression.

    The column holds the index or the names. Raises Problem for others, and for what is no number.
    """
    if not contract.classes:
        return _numbers(column, file)
    order = {name: index for index, name in enumerate(contract.classes)} | {i: i for i in range(len(contract.classes))}
    if strange := [value for value in column.unique().tolist() if value not in order]:
        raise Problem(
            f"rows: label {column.name} holds {strange[0]!r}, expected one of {contract.classes} ({file}: gates.label)"
        )
    return np.array([order[value] for value in column])


def _numbers(column: pd.Series, file: str) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column) or not np.isfinite(column).all():
        raise Problem(f"rows: label {column.name} holds what is no number, expected numbers ({file}: gates.label)")
    return np.asarray(column, dtype="float64")


def metrics(contract: Contract, label: np.ndarray, answer: np.ndarray) -> dict[str, float]:
    """What became of `label` (n,) by `answer` (n,) or (n, classes), and the count of rows.

    Area under the ROC curve (one class against the rest, averaged, if there are more than two) and log-loss in nats; of
    a regression the mean squared and the mean absolute error.
    """
    from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

    if not contract.classes:
        errors = {"squared_error": mean_squared_error, "absolute_error": mean_absolute_error}
        return {name: float(error(label, answer)) for name, error in errors.items()} | {"rows": len(label)}
    classes = range(len(contract.classes))
    auc = roc_auc_score(label, answer, multi_class="ovr", labels=classes)
    return {"auc": float(auc), "log_loss": float(log_loss(label, answer, labels=classes)), "rows": len(label)}


def log(model: str, params: Mapping[str, Any], found: Mapping[str, float], digest: str) -> None:
    """Add the run to MLflow: in the clone, or where MLFLOW_TRACKING_URI says."""
    import mlflow

    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///.fledge/mlflow.db"))
    if mlflow.get_experiment_by_name(model) is None:
        mlflow.create_experiment(model, artifact_location=Path(".fledge/mlruns").resolve().as_uri())
    mlflow.set_experiment(model)
    with mlflow.start_run():
        mlflow.log_params(dict(params))
        mlflow.log_metrics(dict(found))
        mlflow.set_tag("artifact", digest)
    say(model, "logged to MLflow")


def say(model: str, what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {model}: {what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
