"""The gate structural: the artifact is what its contract says, and a stock server runs it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from fledge.artifact.contract import Contract, Input, Output
from fledge.checks import structural
from fledge.checks.structural import Also, File, Operations
from fledge.evidence import Evidence, Verdict
from fledge.gates import process
from fledge.gates.limits import Limit
from fledge.gates.process import Pair
from fledge.project import read_yaml
from tests.gates.test_structural import OPS
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, limits, rows, write_model, write_rows

# isort: split
# After fledge.artifact.savedmodel (tests.gates), which stands in for TensorFlow.
from tensorflow.core.framework.op_def_pb2 import OpList
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.client import pywrap_tf_session

NONE = Also()


def newer(artifact: Path) -> None:
    """Made by a TensorFlow that is not released yet."""
    file = artifact / "saved_model.pb"
    content = SavedModel.FromString(file.read_bytes())
    content.meta_graphs[0].meta_info_def.tensorflow_version = "2.21.0-rc1"
    file.write_bytes(content.SerializeToString(deterministic=True))


def cut(artifact: Path) -> None:
    """Half of the weights are gone."""
    file = artifact / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:10])


def linked(artifact: Path) -> None:
    """A link out of the artifact, and a folder of the system."""
    (artifact / "assets").mkdir(exist_ok=True)
    (artifact / "assets" / "secrets").symlink_to("/etc/hostname")
    (artifact / "assets" / "all").symlink_to("/etc")


def emptied(artifact: Path) -> None:
    """A model file of no content."""
    (artifact / "saved_model.pb").write_bytes(b"\xff")


# what was done to a good model, or which other one it is; the check that must refuse it, and why
REFUSED: dict[str, tuple[Callable[[Path], None] | str, str, str]] = {
    "renamed-output": ("renamed_output", "signature", "output probability is absent, expected float32 \\[None\\]"),
    "stale-vocabulary": ("stale_vocabulary", "vocabulary", "has 'JFK' at 0, expected 'EWR' .contract.yaml: inputs.origin.known"),
    "nan-weight": ("nan_weight", "variables", "weights: 1 of 2 values are not finite"),
    "cut-weights": (cut, "variables", "SavedModel: data loss .Read less bytes than requested., expected one that can be"),
    "calls-python": ("calls_python", "ops", "the op PyFunc .calls back into Python, which a server has not., expected"),
    "draws-lots": ("draws_lots", "ops", "the op RandomUniform .draws lots, so no answer can be repeated"),
    "linked": (linked, "files", "assets/all is no regular file, .*; assets/secrets is no regular file"),
    "newer": (newer, "tensorflow", "made by TensorFlow 2.21.0-rc1, expected at most the server's 2.20"),
    "python-is-not-there": ("calls_python", "served", "grpc: UNKNOWN|grpc: [A-Z_]+ .*PyFunc"),
    "cannot-load": (cut, "served", "server: ended with 255 and said 'OUT_OF_RANGE.*expected the model AVAILABLE"),
    "no-graph": (emptied, "signature", "SavedModel: data loss .Can't parse .*saved_model.pb as binary proto"),
}  # fmt: skip
CHECKS = {"signature", "vocabulary", "variables", "ops", "files", "tensorflow", "served"}
LACKING = CONTRACT | {"inputs": CONTRACT["inputs"] | {"minutes": {"dtype": "float64"}}}


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The evidence of the named check on each case, and of the whole gate on a good model, under two contracts."""
    root = tmp_path_factory.mktemp("structural")
    file, model = write_rows(root, "tiny", rows()), write_model(root, "tiny", CONTRACT, limits())
    asked: dict[str, tuple[str, Pair]] = {}
    for name, (broken, check, _) in REFUSED.items():
        artifact = root / name
        shutil.copytree(zoo / (broken if isinstance(broken, str) else "good"), artifact)
        if not isinstance(broken, str):
            broken(artifact)
        asked[name] = (f"{process.GATES}/test_structural.py::test_{check}", Pair(model, artifact, None, (file,)))
    lacking = write_model(root, "lacking", LACKING, limits())
    asked |= {"good": ("structural", Pair(model, zoo / "good", None, (file,)))}
    asked |= {
        "lacking": (f"{process.GATES}/test_structural.py::test_signature", Pair(lacking, zoo / "good", None, (file,)))
    }
    return dict(zip(asked, judge(list(asked.values()), root), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_it_must(judged: dict[str, Evidence], name: str) -> None:
    """The named check blocks the broken artifact, for the stated reason, and says what to do."""
    _, check, reason = REFUSED[name]
    found = one(judged[name], f"structural.{check}")
    assert found.verdict is Verdict.BLOCK
    assert re.search(reason, found.reason), found.reason
    assert "\n" not in found.reason
    assert found.remedy


def test_it_passes_a_good_artifact_and_every_check_refuses_somebody(judged: dict[str, Evidence]) -> None:
    """A good model from elsewhere passes each check by being looked at; that it cannot warm up is told."""
    found = {check.name: check for check in judged["good"].checks}
    assert found.keys() == CHECKS == {check for _, check, _ in REFUSED.values()}
    assert judged["good"].blocking == []
    assert all(check.n for check in found.values())
    assert {name for name, check in found.items() if check.verdict is not Verdict.PASS} == {"served"}
    assert found["served"].reason.startswith("answered, but brings no warm-up requests (assets.extra/")


def test_an_input_that_the_model_lacks_is_named(judged: dict[str, Evidence]) -> None:
    """A contract that names an input of its own blocks, by the input's name."""
    line = "serving_default input minutes is absent, expected float64 [None] (contract.yaml)"
    assert [check.reason for check in judged["lacking"].blocking] == [line]


def contract(classes: list[str], shape: tuple[int, ...] = (), **inputs: Input) -> Contract:
    """A contract with these classes and inputs, and one output of that shape."""
    outputs = {"p": Output(dtype="float32", shape=shape)}
    return Contract(signature="serving_default", inputs=inputs, outputs=outputs, classes=classes)


TWO = ["no", "yes"]
OFFERED = {"serving_default input x": "float32 [None]", "serving_default output p": "float32 [None]"}
SIGNATURES: dict[str, tuple[dict[str, str], str]] = {
    # what a SavedModel offers beside, or instead of, what was promised
    "as-promised": ({}, ""),
    "another-dtype": ({"serving_default input x": "float64 [None]"}, "input x is float64 [None], expected float32 [None]"),
    "another-rank": ({"serving_default input x": "float32 [None, 1]"}, "input x is float32 [None, 1], expected"),
    "one-input-more": ({"serving_default input y": "float32 [None]"}, "input y is float32 [None], expected absent"),
    "one-signature-more": ({"serve input x": "float32 [None]"}, "serve input x is float32 [None], expected absent"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_exactly_the_promised_one(name: str) -> None:
    """Another dtype, rank, input or signature is refused; a whole signature more may be accepted by its name."""
    beside, reason = SIGNATURES[name]
    found = structural.signature(OFFERED | beside, contract(TWO, x=Input(dtype="float32")), NONE)
    assert (found.verdict is Verdict.PASS) == (not reason)
    assert reason in found.reason
    accepted = structural.signature(OFFERED | beside, contract(TWO, x=Input(dtype="float32")), Also(also=("serve",)))
    assert (accepted.verdict is Verdict.PASS) == (name in ("as-promised", "one-signature-more"))


def test_a_signature_that_is_missing_is_named() -> None:
    """Without the promised signature every name of it is absent."""
    found = structural.signature({}, contract(TWO, x=Input(dtype="float32")), NONE)
    assert found.reason.count("is absent, expected float32 [None]") == 2


@pytest.mark.parametrize(
    ("classes", "shape", "fits"),
    [
        (2, (), True),
        (2, (2,), True),
        (3, (3,), True),
        (0, (), True),
        (3, (2,), False),
        (3, (), False),
        (0, (3,), False),
    ],
)
def test_an_output_has_a_chance_for_each_class(classes: int, shape: tuple[int, ...], fits: bool) -> None:
    """One for each class, or one for the second of two; a model without classes answers one number."""
    promised = contract([str(number) for number in range(classes)], shape, x=Input(dtype="float32"))
    offered = OFFERED | {"serving_default output p": f"float32 {[None, *shape]}"}
    found = structural.signature(offered, promised, NONE)
    assert (found.verdict is Verdict.PASS) == fits
    assert fits or f"output p has the shape {list(shape)} for {classes} classes" in found.reason


WEIGHTS: dict[str, tuple[np.ndarray, str]] = {
    "trained": (np.eye(2, dtype=np.float32), ""),
    "a-bias-of-zeros": (np.zeros(64, np.float32), ""),
    "one-weight": (np.zeros((1, 1), np.float32), ""),
    "a-counter": (np.zeros((2, 2), np.int64), ""),
    "words": (np.array([["a", "a"]], object), ""),
    "constant": (np.full((8, 4), 0.5, np.float32), "w is constant: all 32 values are 0.5, expected a matrix that was trained"),
    "infinite": (np.array([0, np.inf], np.float32), "w: 1 of 2 values are not finite, expected none"),
    "a-half-type": (np.array([[0, np.nan]], ml_dtypes.bfloat16), "w: 1 of 2 values are not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_finite_and_no_matrix_is_one_value(name: str) -> None:
    """Of any float type; biases, single weights, whole numbers and words may be constant, and what the owner names."""
    value, reason = WEIGHTS[name]
    more = {"kernel": np.eye(3, dtype=np.float32)}
    found = structural.variables({"w": value} | more, {}, NONE)
    assert (found.verdict is Verdict.PASS) == (not reason)
    assert reason in found.reason
    assert structural.variables({"w": WEIGHTS["constant"][0]}, {}, Also(also=("w",))).verdict is Verdict.PASS


def test_frozen_weights_are_finite_too() -> None:
    """A constant of the graph that is not finite is refused; one that is constant is not; no weights at all are told."""
    frozen = {"mean": np.ones((2, 2), np.float32)}
    assert structural.variables({}, frozen, NONE).verdict is Verdict.PASS
    assert structural.variables({}, {"w": frozen["mean"] * np.nan}, NONE).reason.startswith("w: 4 of 4 values are not")
    assert structural.variables({}, {}, NONE).reason == "the model has no weights"


KNOWN = Operations(
    answering={"adds": ["AddV2"]}, loading={"fills variables": ["RestoreV2"]}, refused={"prints": ["PrintV2"]}
)
GRAPHS: dict[str, tuple[set[str], set[str], str]] = {
    # what an answer goes through, what loading runs
    "good": ({"AddV2"}, {"RestoreV2", "AddV2"}, ""),
    "refused": ({"AddV2", "PrintV2"}, set(), "the graph holds the op PrintV2 (prints), expected those of"),
    "refused-at-start": ({"AddV2"}, {"PrintV2"}, "the graph holds the op PrintV2 (prints)"),
    "unheard-of": ({"PluginAdd"}, set(), "the graph holds the op PluginAdd (not known)"),
    "reads-weights-again": ({"RestoreV2"}, {"RestoreV2"}, "the op RestoreV2 (fills variables, where it may not)"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_operations_are_on_the_list(name: str) -> None:
    """What is not on the list is refused, with the reason where one is known; so is loading in the middle of an answer."""
    answering, loading, reason = GRAPHS[name]
    found = structural.ops(answering, loading, KNOWN, NONE)
    assert (found.verdict is Verdict.PASS) == (not reason)
    assert reason in found.reason
    assert structural.ops(answering, loading, KNOWN, Also(also=tuple(answering | loading))).verdict is Verdict.PASS


def test_the_list_of_operations_is_of_operations() -> None:
    """Each is one that this TensorFlow has, and stands in one place; those with a state are of tables, loops and weights."""
    registered = {op.name: op.is_stateful for op in OpList.FromString(_registered()).op}
    known = Operations(**read_yaml(OPS))
    places = [op for part in (known.answering, known.loading, known.refused) for ops in part.values() for op in ops]
    assert sorted(set(places) - registered.keys()) == []
    assert len(places) == len(set(places))
    stateful = {reason for reason, ops in known.answering.items() if any(registered[op] for op in ops)}
    assert {reason.partition(" ")[0] for reason in stateful} == {
        "what",
        "control",
        "lists",
        "reading",
        "looking",
        "saying",
    }


def _registered() -> bytes:
    content: bytes = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    return content


FILES: dict[str, tuple[File, str]] = {
    "model": (File("saved_model.pb", True), ""),
    "shard": (File("variables/variables.data-00001-of-00002", True, b"\x80\x02", b"."), ""),
    "asset": (File("assets/words.txt", True, b"EWR\n", b"\n"), ""),
    "warm-up": (File("assets.extra/tf_serving_warmup_requests", True), ""),
    "stranger": (File("keras_metadata.pb", True), "keras_metadata.pb is no file of a SavedModel"),
    "padding": (File("variables/optimizer.bin", True), "variables/optimizer.bin is no file of a SavedModel"),
    "link": (File("assets/words.txt", False), "assets/words.txt is no regular file"),
    "pickle-by-name": (File("assets/scaler.joblib", True), "assets/scaler.joblib is a pickle, expected data"),
    "pickle-by-content": (File("assets/scaler", True, b"\x80\x04\x95", b"."), "assets/scaler is a pickle"),
    "pickle-in-numpy": (File("assets/a.npy", True, b"\x93NUMPY\x01\x00v\x00{'descr': '|O', ", b"\n"), "assets/a.npy is a pickle"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_are_those_of_a_savedmodel(name: str) -> None:
    """Anything else is refused; a harmless stranger may be accepted by its name, a link or a pickle never."""
    file, reason = FILES[name]
    found = structural.files([file], NONE)
    assert (found.verdict is Verdict.PASS) == (not reason)
    assert reason in found.reason
    accepted = structural.files([file], Also(also=("*",)))
    assert (accepted.verdict is Verdict.PASS) == (not reason or "is no file of" in reason)


@pytest.mark.parametrize(
    ("maker", "verdict"),
    [("2.20.0", "PASS"), ("2.20.7", "PASS"), ("2.9.1", "PASS"), ("1.15.0", "PASS"), ("2.21.0-rc0", "BLOCK"), ("3.0.0", "BLOCK"), ("", "INCONCLUSIVE"), ("unknown", "INCONCLUSIVE")],
)  # fmt: skip
def test_the_maker_is_not_newer_than_the_server(maker: str, verdict: str) -> None:
    """The minor version decides; an artifact that does not say who made it is inconclusive, as the owner's key has it."""
    found = structural.tensorflow(maker, "2.20.0", Limit(inconclusive="warn"))
    assert (found.verdict, found.blocks) == (verdict, verdict == "BLOCK")


def test_a_served_model_answers_well_and_warms_up() -> None:
    """A fault in an answer blocks, warm or not; without warm-up requests it is inconclusive; no row is no answer."""
    assert structural.served(["p is not finite"], False, 32, Limit()).reason == "p is not finite"
    cold = structural.served([], False, 32, Limit())
    assert (cold.verdict, cold.blocks) == (Verdict.INCONCLUSIVE, True)
    assert structural.served([], True, 32, Limit()).verdict is Verdict.PASS
    assert structural.served([], True, 0, Limit()).verdict is Verdict.BLOCK
