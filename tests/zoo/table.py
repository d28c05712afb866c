"""The operating table: a copy of the champion, its protos and variables in memory, to be changed and written back."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fledge.gates import process
from fledge.gates.process import Pair
from tests.zoo import flow as tf

Array = NDArray[Any]
PREFIX = Path("variables") / "variables"
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # the checkpoint's own map from objects to keys, kept as it is
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


class Table:
    """One mutant in the making: `folder` gets what differs from the pair of the champion with itself.

    `saved` is the SavedModel's proto and `variables` its checkpoint, by the variables' names ("dense/kernel"), or their paths where several have one name: an edit
    changes them in place. What is in `last` changes the artifact's files when all else is written.
    """

    def __init__(self, pair: Pair, folder: Path) -> None:
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        self.folder, self.path, self.model_dir = folder, folder / "saved_model", pair.model_dir
        self.data = {"rows": process.rows(pair), "training": process.training(pair)}
        self.last: list[Callable[[Path], object]] = []
        shutil.copytree(pair.candidate, self.path)
        self.saved = SavedModel.FromString((self.path / "saved_model.pb").read_bytes())
        (self.meta,) = self.saved.meta_graphs
        self.keys = _keys(self.meta.object_graph_def)
        reader = tf.train.load_checkpoint(str(self.path / PREFIX))
        self.variables: dict[str, Array] = {name: reader.get_tensor(key) for name, key in self.keys.items()}
        self.objects: bytes = reader.get_tensor(OBJECTS)

    @property
    def graph(self) -> Any:
        """The GraphDef that a server runs."""
        return self.meta.graph_def

    @property
    def signature(self) -> Any:
        """The SignatureDef that clients ask."""
        return self.meta.signature_def["serving_default"]

    def node(self, name: str) -> Any:
        """The node of that name in the graph itself."""
        return next(node for node in self.graph.node if node.name == name)

    def constants(self) -> list[Any]:
        """Every Const node, in the graph and in its functions."""
        functions = [node for function in self.graph.library.function for node in function.node_def]
        return [node for node in [*self.graph.node, *functions] if node.op == "Const"]

    def write(self) -> None:
        """The proto and the checkpoint, with a fingerprint that is theirs."""
        from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

        (self.path / "saved_model.pb").write_bytes(self.saved.SerializeToString(deterministic=True))
        values = {self.keys.get(name, name): value for name, value in self.variables.items()} | {OBJECTS: self.objects}
        shutil.rmtree(self.path / PREFIX.parent)
        tf.raw_ops.SaveV2(
            prefix=str(self.path / PREFIX),
            tensor_names=sorted(values),
            shape_and_slices=[""] * len(values),
            tensors=[tf.constant(values[name]) for name in sorted(values)],
        )
        (self.path / "fingerprint.pb").write_bytes(fingerprinting.CreateFingerprintDef(str(self.path)))


def constant(node: Any) -> Array:
    """The value of a Const node."""
    value: Array = tf.make_ndarray(node.attr["value"].tensor)
    return value


def set_constant(node: Any, value: Array) -> None:
    """Give a Const node another value of the same dtype."""
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=node.attr["dtype"].type))
    shapes = node.attr["_output_shapes"].list.shape
    for shape in shapes:
        shape.CopyFrom(node.attr["value"].tensor.tensor_shape)


def _keys(objects: Any) -> dict[str, str]:
    """Each variable's name, or its path from the root of the saved objects, and what the checkpoint calls it."""
    paths: dict[int, str] = {0: ""}
    pending = [0]
    while pending:
        parent = pending.pop(0)
        for child in objects.nodes[parent].children:
            if child.node_id not in paths:
                paths[child.node_id] = f"{paths[parent]}/{child.local_name}".lstrip("/")
                pending.append(child.node_id)
    found = {paths[index]: node.variable.name for index, node in enumerate(objects.nodes) if node.HasField("variable")}
    count = Counter(found.values())
    return {name if count[name] == 1 else path: path + SUFFIX for path, name in found.items()}


def quantised(value: Array, bits: int) -> Array:
    """`value` in 2^bits even steps between its ends, as a symmetric quantiser of weights leaves it."""
    step = np.abs(value).max() / (2 ** (bits - 1) - 1)
    steps: Array = (np.round(value / step) * step).astype(value.dtype)
    return steps
