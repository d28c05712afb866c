"""SavedModels run by the bare session."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.artifact import savedmodel
from tests.serving import examples


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example models."""
    return examples.build(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def half(saved_models: Path) -> Iterator[savedmodel.Model]:
    """y = x / 2 + 2, declared for [None, 1]."""
    model = savedmodel.load(saved_models / "half" / "1")
    yield model
    model.close()


@pytest.fixture(scope="module")
def kinds(saved_models: Path) -> Iterator[savedmodel.Model]:
    """A signature for each trait."""
    model = savedmodel.load(saved_models / "kinds" / "1")
    yield model
    model.close()


@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (3, 1), (0, 1)])
def test_declared_shapes_are_not_checked(half: savedmodel.Model, shape: tuple[int, ...]) -> None:
    """Any shape that the graph can compute is answered, whatever the signature declares."""
    x = np.full(shape, 3, np.float32)
    assert np.array_equal(half.run("serving_default", {"x": x})["y"], x / 2 + 2)


def test_answers_are_tensorflows(saved_models: Path) -> None:
    """Tables, NaN and softmax answer as `tf.saved_model.load` does."""
    reference = json.loads((saved_models / "reference.json").read_text())
    model = savedmodel.load(saved_models / "risk" / "1")
    inputs = {"origin": np.array(examples.ORIGINS, object), "temp": np.array(examples.TEMPERATURES, np.float32)}
    answers = model.run("serving_default", inputs)
    model.close()
    np.testing.assert_allclose(answers["probabilities"], reference["probabilities"], rtol=1e-6)
    assert [name.decode() for name in answers["class"]] == reference["class"]


def test_bound_inputs_are_answered_as_if_they_were_given(saved_models: Path) -> None:
    """With its inputs in the graph a signature is run with none, and answers the same: strings, NaN and tables too."""
    inputs = {"origin": np.array(examples.ORIGINS, object), "temp": np.array(examples.TEMPERATURES, np.float32)}
    path = saved_models / "risk" / "1"
    given, bound = savedmodel.load(path), savedmodel.load(path, bound=("serving_default", inputs))
    expected, found = given.run("serving_default", inputs), bound.run("serving_default", {})
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        assert np.array_equal(found[name], values)
    for model in (given, bound):
        model.close()


def test_every_output_is_an_array(kinds: savedmodel.Model) -> None:
    """Scalars come as arrays without dimensions, a scalar string too."""
    inputs: dict[str, Any] = {"i": 1, "n": 2, "u": 3, "flag": True, "blob": b"x\0"}
    dtypes = {"i": np.int32, "n": np.int64, "u": np.uint8, "flag": bool, "blob": object}
    arrays = {name: np.array(value, dtypes[name]) for name, value in inputs.items()}
    answers = kinds.run("many", arrays)
    assert all(isinstance(value, np.ndarray) and value.shape == () for value in answers.values())
    assert answers["blob_bytes"].tolist() == b"x\0"


def test_outputs_can_be_chosen(kinds: savedmodel.Model) -> None:
    """Only the outputs asked for are returned; a name that the signature lacks is a KeyError."""
    x = np.ones(2, np.float32)
    assert set(kinds.run("unequal", {"x": x})) == {"y", "z"}
    assert set(kinds.run("unequal", {"x": x}, ["z"])) == {"z"}
    with pytest.raises(KeyError, match="nothing"):
        kinds.run("unequal", {"x": x}, ["nothing"])
    with pytest.raises(KeyError, match="nothing"):
        kinds.run("unequal", {"nothing": x})


def test_errors_are_tensorflows_own(kinds: savedmodel.Model) -> None:
    """Code and message come through as the runtime gave them, without Python's additions."""
    with pytest.raises(savedmodel.Error) as caught:
        kinds.run("serving_default", {"x": np.ones(1)})
    assert caught.value.error_code == 3
    assert caught.value.message == "Expects arg[0] to be float but double is provided"
    with pytest.raises(savedmodel.Error) as caught:
        kinds.run("serving_default", {})
    assert caught.value.error_code == 3
    assert caught.value.message.startswith("You must feed a value for placeholder tensor 'serving_default_x'")


def test_a_run_can_time_out(kinds: savedmodel.Model) -> None:
    """A run longer than its time is DEADLINE_EXCEEDED, and the next run is answered."""
    with pytest.raises(savedmodel.Error) as caught:
        kinds.run("count", {"n": np.array([10**12])}, timeout_ms=100)
    assert caught.value.error_code == 4
    assert kinds.run("count", {"n": np.array([8])}, timeout_ms=10_000)["total"].tolist() == [21]


def test_variables_are_the_checkpoints(half: savedmodel.Model, kinds: savedmodel.Model) -> None:
    """Variables come by their path from the saved object; a model without any has none."""
    assert {name: value.tolist() for name, value in half.variables().items()} == {"a": 0.5, "b": 2.0}
    assert kinds.variables() == {}


def test_variables_of_a_damaged_checkpoint_are_an_error(saved_models: Path, tmp_path: Path) -> None:
    """A shard that was cut is DATA_LOSS, where the reader itself raises what Python raises for a list."""
    shutil.copytree(saved_models / "half" / "1", tmp_path / "1")
    (tmp_path / "1" / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(savedmodel.Error) as caught:
        savedmodel.variables(tmp_path / "1")
    assert (caught.value.error_code, caught.value.message) == (15, "Read less bytes than requested")


def test_tables_hold_what_an_answer_looks_up(saved_models: Path) -> None:
    """A table of strings is read from the session, however it was filled; a model without one has none."""
    risk, kinds = (savedmodel.load(saved_models / name / "1") for name in ("risk", "kinds"))
    (table,) = risk.tables().values()
    assert (table, kinds.tables()) == ({"EWR": 1.0, "JFK": -1.0}, {})


def _truncated(model: Path) -> None:
    file = model / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-1])


BROKEN = {
    "no model": (lambda model: (model / "saved_model.pb").unlink(), 5, "Could not find SavedModel .pb or .pbtxt at supplied export directory path: "),
    "half a file": (_truncated, 15, "Can't parse "),
    "no weights": (lambda model: shutil.rmtree(model / "variables"), 3, "not a valid checkpoint: "),
    "half the weights": (lambda model: (model / "variables" / "variables.data-00000-of-00001").write_bytes(b""), 11, "Read less bytes than requested"),
}  # fmt: skip


@pytest.mark.parametrize(("breaking", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_refused(saved_models: Path, tmp_path: Path, breaking: Any, code: int, words: str) -> None:
    """A missing or cut file is an error of the code that fits, naming the file."""
    copy = tmp_path / "1"
    shutil.copytree(saved_models / "half" / "1", copy)
    breaking(copy)
    with pytest.raises(savedmodel.Error) as caught:
        savedmodel.load(copy)
    assert (caught.value.error_code, words in caught.value.message) == (code, True), caught.value.message


def test_tags_must_match(saved_models: Path) -> None:
    """A model saved for other tags is NOT_FOUND."""
    with pytest.raises(savedmodel.Error) as caught:
        savedmodel.load(saved_models / "half" / "1", tags=["serve", "tpu"])
    assert caught.value.error_code == 5
    assert "Could not find meta graph def matching supplied tags: { serve tpu }" in caught.value.message
