"""Tests of pipelines.train and dvc.yaml: a model of another kind goes through the real `dvc repro`."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from fledge.artifact import bare, contract, savedmodel, vectors
from fledge.hashing import dvc_directory
from fledge.project import read_yaml
from tests.workspace import an_owner_of_colours, run

# isort: split
# After fledge.artifact.savedmodel, which stands in for TensorFlow.
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose one model, of three classes, is trained by `dvc repro`."""
    root = an_owner_of_colours(tmp_path_factory.mktemp("trained"))
    run(root, "pipelines.ingest")
    added = run(root, "dvc", "add", "--quiet", "data")
    assert added.returncode == 0, added.stderr
    done = run(root, "dvc", "repro")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def owner(tmp_path: Path) -> Path:
    """A repository without data, not trained."""
    return an_owner_of_colours(tmp_path)


def stale(root: Path) -> bool:
    """Whether the real DVC would train again."""
    done = run(root, "dvc", "status", "--json", "train@colours")
    assert done.returncode == 0, done.stderr
    return bool(json.loads(done.stdout))


def test_another_kind_of_model_goes_the_same_way(root: Path) -> None:
    """Three classes and other inputs need no line in pipelines/ or dvc.yaml: the artifact keeps its contract."""
    folder = root / "models" / "colours"
    promised, model = contract.load(folder / "contract.yaml"), savedmodel.load(folder / "saved_model")
    signature = model.signatures["serving_default"]
    assert sorted(signature.inputs) == ["word", "x", "y"]
    assert all([d.size for d in tensor.tensor_shape.dim] == [-1] for tensor in signature.inputs.values())
    for rows in (0, 1, 5):
        inputs = promised.arrays({"x": [1.0] * rows, "y": [2.0] * rows, "word": ["b"] * rows})
        assert promised.faults(model.run("serving_default", inputs), rows) == []


def test_the_lock_names_the_artifact(root: Path) -> None:
    """dvc.lock holds our own hash of the artifact, and no empty folder that DVC would lose."""
    artifact = root / "models" / "colours" / "saved_model"
    outs = {out["path"]: out["md5"] for out in read_yaml(root / "dvc.lock")["stages"]["train@colours"]["outs"]}
    assert outs["models/colours/saved_model"] == dvc_directory(artifact)[0]
    assert all(any(folder.iterdir()) for folder in artifact.rglob("*") if folder.is_dir())


def test_warm_up_is_the_golden_requests(root: Path) -> None:
    """The warm-up file is a TFRecord of one PredictionLog per golden request, for the contract's signature."""
    file = root / "models" / "colours" / "saved_model" / "assets.extra" / "tf_serving_warmup_requests"
    content = file.read_bytes()
    # TFRecord: length (8 bytes), its checksum (4), the record, its checksum (4).
    (length,) = struct.unpack("<Q", content[:8])
    assert len(content) == 8 + 4 + length + 4, "one golden request, one record"
    request = PredictionLog.FromString(content[12 : 12 + length]).predict_log.request
    assert request.model_spec.signature_name == "serving_default"
    sent = {name: bare.make_ndarray(tensor).tolist() for name, tensor in request.inputs.items()}
    assert sent == {"x": [1.0], "y": [2.0], "word": [b"a"]}, "what requests.jsonl holds"


def test_golden_vectors_are_rows_and_what_the_network_answered(root: Path) -> None:
    """The artifact keeps 256 rows of the months that measure it, first and last among them, with answers that it repeats."""
    import pandas as pd

    artifact, rows = root / "models/colours/saved_model", pd.read_parquet(root / "data/colours/2020-02.parquet")
    promised = contract.load(root / "models" / "colours" / "contract.yaml")
    found = vectors.read(artifact / vectors.FILE, promised)
    assert found is not None
    inputs, outputs = found
    kept = vectors.chosen(len(rows))
    assert (len(kept), kept[0], kept[-1]) == (256, 0, 299)
    assert inputs["x"].tolist() == rows["x"][kept].tolist()
    assert inputs["word"].tolist() == rows["word"][kept].tolist()
    answers = savedmodel.load(artifact).run("serving_default", inputs)
    np.testing.assert_allclose(answers["probabilities"], outputs["probabilities"], rtol=0, atol=1e-6)


def test_two_trainings_leave_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """A second training in a fresh process gives the artifact that the first one gave, byte for byte."""
    again = an_owner_of_colours(tmp_path)
    shutil.copytree(root / "data", again / "data")
    done = run(again, "pipelines.train", "--model", "colours")
    assert done.returncode == 0, done.stderr
    first, second = (dvc_directory(each / "models/colours/saved_model") for each in (root, again))
    assert first == second


@pytest.mark.parametrize(
    ("was", "put", "line"),
    [
        (
            'tf.cast(values["word"] == "a", tf.float32)',
            'tf.cast(values["word"] == "a", tf.float32) + (3.0 if tf.inside_function() else 0.0)',
            "train: the exported probabilities is 0.",
        ),
        ("tf.stack([", 'tf.stack([float("nan") * ', "train: the network's probabilities is not finite"),
    ],
    ids=["another answer", "no answer"],
)
def test_an_export_that_answers_otherwise_is_refused(owner: Path, was: str, put: str, line: str) -> None:
    """A file that does not answer as the network in memory did is no artifact: one line, and nothing is left behind."""
    code = owner / "models" / "colours" / "model.py"
    code.write_text(code.read_text().replace(was, put))
    run(owner, "pipelines.ingest")
    done = run(owner, "pipelines.train", "--model", "colours")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line)
    assert not [file for file in (owner / "models" / "colours").iterdir() if "saved_model" in file.name]


REGRESSION = {
    "data.py": [("i % 3, i // 50", "i % 3 * 10.0, i // 50")],
    "model.py": [('Dense(3, "softmax")', "Dense(1)"), ("sparse_categorical_crossentropy", "mse")],
    "contract.yaml": [("shape: [3], range: [0, 1]", "shape: []"), ("[red, green, blue]", "[]")],
    "params.yaml": [("task: multiclass, metrics: [log_loss]", "task: regression, metrics: [squared_error]")],
}


def test_a_regression_is_trained_and_measured(owner: Path) -> None:
    """A model without classes has errors for metrics; its label is a number."""
    folder = owner / "models" / "colours"
    for name, changes in REGRESSION.items():
        text = (folder / name).read_text()
        for was, put in changes:
            assert was in text
            text = text.replace(was, put)
        (folder / name).write_text(text)
    run(owner, "pipelines.ingest")
    done = run(owner, "pipelines.train", "--model", "colours")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "metrics.json").read_text())
    assert found.keys() == {"squared_error", "absolute_error", "rows"}
    assert 0 < found["absolute_error"] ** 2 < found["squared_error"], "by Jensen's inequality"


def test_metrics_are_those_of_the_artifact(root: Path) -> None:
    """metrics.json holds the log-loss that the exported file itself gets on the later month."""
    import pandas as pd

    folder = root / "models" / "colours"
    promised, rows = contract.load(folder / "contract.yaml"), pd.read_parquet(root / "data/colours/2020-02.parquet")
    inputs = promised.arrays({name: rows[name].to_numpy() for name in promised.inputs})
    answer = savedmodel.load(folder / "saved_model").run("serving_default", inputs)["probabilities"]
    found = json.loads((folder / "metrics.json").read_text())
    assert found["rows"] == len(rows)
    assert 0 < found["auc"] < 1
    expected = -np.log(answer[np.arange(len(rows)), rows["colour"]]).mean()
    assert found["log_loss"] == pytest.approx(expected, abs=1e-6)


def test_the_run_is_logged_in_the_clone(root: Path) -> None:
    """MLflow's database is inside the clone and holds the run with its parameters and the artifact's hash."""
    import sqlite3

    with sqlite3.connect(root / ".fledge" / "mlflow.db") as database:
        assert database.execute("select value from params where key = 'seed'").fetchall() == [("1",)]
        ((tag,),) = database.execute("select value from tags where key = 'artifact'").fetchall()
    assert tag == dvc_directory(root / "models" / "colours" / "saved_model")[0]
    assert not (root / "mlruns").exists()


def test_a_limit_trains_nothing_and_a_parameter_does(root: Path) -> None:
    """Changing a gate's limit leaves the stage up to date; changing the recipe makes it stale."""
    params = root / "models" / "colours" / "params.yaml"
    before = params.read_text()
    assert not stale(root)
    params.write_text(before.replace("limit: 1.0", "limit: 2.0"))
    assert not stale(root)
    params.write_text(before.replace("seed: 1", "seed: 2"))
    assert stale(root)
    params.write_text(before)


@pytest.mark.parametrize(
    ("was", "put", "line"),
    [
        ("seed: 1, ", "", "key is missing, expected a value (models/colours/params.yaml: train.seed)"),
        ("months: [2020-01]", "months: []", "(models/colours/params.yaml: train.months)"),
    ],
)
def test_mistakes_in_params_are_named(owner: Path, was: str, put: str, line: str) -> None:
    """A recipe that cannot be followed is refused in one line, before anything is trained."""
    params = owner / "models" / "colours" / "params.yaml"
    params.write_text(params.read_text().replace(was, put))
    done = run(owner, "pipelines.train", "--model", "colours")
    assert done.returncode == 1
    (found,) = done.stderr.splitlines()
    assert found.endswith(line)


def test_months_that_are_not_there_are_named(owner: Path) -> None:
    """Every month without a file is named by a line of its own, with what to do."""
    done = run(owner, "pipelines.train", "--model", "colours")
    assert done.returncode == 1
    where = "is not there, expected its rows (models/colours/params.yaml: train.months; make data)"
    assert done.stderr.splitlines() == [f"colours: data/colours/2020-01.parquet {where}"]


@pytest.mark.parametrize(
    ("was", "put", "line"),
    [
        ('"colour", "week"]', '"hue", "week"]', "colours: no column colour in data/colours, expected it (models/colours/params.yaml: gates.label; data.py)"),
        ('"word", "colour"', '"term", "colour"', "colours: no column word in data/colours, expected it (models/colours/contract.yaml: inputs; data.py)"),
        ("i % 3, i // 50", "i % 4, i // 50", "rows: label colour holds 3, expected one of ['red', 'green', 'blue'] (models/colours/params.yaml: gates.label)"),
    ],
    ids=["no label", "no input", "strange label"],
)  # fmt: skip
def test_rows_that_do_not_fit_are_named(owner: Path, was: str, put: str, line: str) -> None:
    """Rows without the label or an input, or with a label of no class, are refused before anything is trained."""
    source = owner / "models" / "colours" / "data.py"
    source.write_text(source.read_text().replace(was, put))
    run(owner, "pipelines.ingest")
    done = run(owner, "pipelines.train", "--model", "colours")
    assert (done.returncode, done.stderr.splitlines()) == (1, [line])
    assert not (owner / "models" / "colours" / "saved_model").exists()


def test_an_unknown_model_is_named(owner: Path) -> None:
    """A model that is not there is refused without a traceback."""
    done = run(owner, "pipelines.train", "--model", "colors")
    assert done.returncode == 1
    assert "models/colors" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("was", "put", "line"),
    [
        ('"golden"', '"edge"', "no golden request found, expected at least one to warm up with"),
        ('"x": [1.0], ', "", "one lacks or adds inputs, expected the contract's"),
        ('"kind": ', '"kin": ', "KeyError('kind'), expected a request in every line"),
        ("}}}", "", "expected a request as a JSON object"),
    ],
)
def test_requests_that_could_not_warm_up_are_refused(owner: Path, was: str, put: str, line: str) -> None:
    """Requests that would keep the server from loading the model are refused in one line, before it is trained."""
    requests = owner / "models" / "colours" / "requests.jsonl"
    requests.write_text(requests.read_text().replace(was, put))
    done = run(owner, "pipelines.train", "--model", "colours")
    assert done.returncode == 1
    (found,) = done.stderr.splitlines()
    assert found.startswith("models/colours/requests.jsonl: ")
    assert line in found
    assert not (owner / "models" / "colours" / "saved_model").exists()
