"""What a graph says of itself, read without running it."""

from pathlib import Path

import numpy as np
import pytest

from fledge.artifact import bare, graph
from tests.serving import examples

# isort: split
# After fledge.artifact.bare, which stands in for TensorFlow.
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example models."""
    return examples.build(tmp_path_factory.getbasetemp())


@pytest.fixture
def half(saved_models: Path) -> MetaGraphDef:
    """y = x / 2 + 2: two variables, no table."""
    return graph.read(saved_models / "half" / "1")


def test_signatures_are_flat(half: MetaGraphDef) -> None:
    """Each name of a signature is a line with dtype and shape; TensorFlow's own init op is none."""
    assert graph.signatures(half) == {
        "serving_default input x": "float32 [None, 1]",
        "serving_default output y": "float32 [None, 1]",
    }
    half.signature_def["serving_default"].inputs["x"].tensor_shape.unknown_rank = True
    assert graph.signatures(half)["serving_default input x"] == "float32 unknown"


def test_answering_is_what_the_outputs_need(half: MetaGraphDef) -> None:
    """What functions compute is listed, their names and the saver's operations are not."""
    found = graph.answering(half)
    assert {"Placeholder", "Mul", "AddV2", "ReadVariableOp", "VarHandleOp"} <= found
    assert not {"SaveV2", "RestoreV2", "AssignVariableOp"} & found
    assert not [name for name in found if "inference" in name]


def test_loading_is_what_a_server_runs_first(saved_models: Path, half: MetaGraphDef) -> None:
    """Restoring variables and filling tables is loading; saving them is neither, for no server does."""
    assert {"RestoreV2", "AssignVariableOp"} <= graph.loading(half)
    assert "LookupTableImportV2" in graph.loading(graph.read(saved_models / "risk" / "1"))
    assert "SaveV2" not in graph.loading(half) | graph.answering(half)


def test_what_nothing_runs_is_not_listed(half: MetaGraphDef) -> None:
    """A node that neither an answer nor loading needs is dead, as Keras' traces of training are."""
    half.graph_def.node.append(NodeDef(name="left_over", op="RandomUniform"))
    dead = half.graph_def.library.function.add()
    dead.signature.name = "dead"
    dead.node_def.append(NodeDef(name="x", op="WriteFile"))
    assert not {"RandomUniform", "WriteFile"} & (graph.answering(half) | graph.loading(half))


def test_a_function_given_to_an_operation_is_followed(half: MetaGraphDef) -> None:
    """What a loop or a branch calls is part of the answer, and so is what only waits for it."""
    body = half.graph_def.library.function.add()
    body.signature.name = "body"
    body.node_def.append(NodeDef(name="inner", op="PyFunc"))
    loop = NodeDef(name="loop", op="While")
    loop.attr["body"].func.name = "body"
    half.graph_def.node.append(loop)
    output = half.signature_def["serving_default"].outputs["y"].name.partition(":")[0]
    next(node for node in half.graph_def.node if node.name == output).input.append("^loop")
    assert {"While", "PyFunc"} <= graph.answering(half)


def test_an_init_op_of_tensorflow_1_is_loading(half: MetaGraphDef) -> None:
    """Older SavedModels name what runs at loading in a collection."""
    half.graph_def.node.append(NodeDef(name="at_start", op="MatchingFiles"))
    half.collection_def["legacy_init_op"].node_list.value.append("at_start")
    assert "MatchingFiles" in graph.loading(half)


def test_constants_are_frozen_matrices(half: MetaGraphDef) -> None:
    """A float constant of two dimensions or more is a weight; a vector, and whole numbers, are not."""
    for name, value in {
        "frozen": np.ones((2, 3), np.float32),
        "mean": np.ones(3, np.float32),
        "ids": np.eye(2, dtype=int),
    }.items():
        node = NodeDef(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(bare.make_tensor_proto(value))
        half.graph_def.node.append(node)
    assert {name: value.shape for name, value in graph.constants(half).items()} == {"frozen": (2, 3)}


def test_the_maker_is_named(half: MetaGraphDef) -> None:
    """A SavedModel says which TensorFlow wrote it, or nothing."""
    assert graph.maker(half) == "2.20.0"
    half.meta_info_def.tensorflow_version = ""
    assert graph.maker(half) == ""
