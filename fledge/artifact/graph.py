"""What a SavedModel's graph says of itself, read without running it: signatures, operations, constants, its maker."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fledge.artifact import bare  # stands in for tensorflow before anything of it is imported

# isort: split
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import dtypes
from tensorflow.python.framework.errors_impl import DataLossError, NotFoundError

TABLES = {"HashTableV2", "MutableHashTableV2", "MutableDenseHashTableV2"}
INIT, INITIAL = "__saved_model_init_op", ("saved_model_main_op", "legacy_init_op")  # TensorFlow 2; 1
MATRIX = 2  # the least dimensions of what holds weights


def read(path: Path, tags: Sequence[str] = ("serve",)) -> MetaGraphDef:
    """The graph of a SavedModel folder, without loading it. Raises TensorFlow's own errors for what is no SavedModel.

    They say what its C++ loader would say, where its Python one raises OSError and RuntimeError.
    """
    file = path / "saved_model.pb"
    if not file.is_file():
        raise NotFoundError(
            None,
            None,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for accessing it.",
        )
    try:
        found = SavedModel.FromString(file.read_bytes())
    except DecodeError:
        raise DataLossError(None, None, f"Can't parse {file} as binary proto") from None
    fitting = [graph for graph in found.meta_graphs if set(graph.meta_info_def.tags) == set(tags)]
    if not fitting:
        raise NotFoundError(None, None, f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}")
    return fitting[0]


def signatures(graph: MetaGraphDef) -> dict[str, str]:
    """What it offers, flat: "serving_default input temp" -> "float32 [None]". Those of TensorFlow's own are left out."""
    return {
        f"{key} {side} {name}": f"{dtypes.as_dtype(tensor.dtype).name} {_shape(tensor.tensor_shape)}"
        for key, signature in graph.signature_def.items()
        if not key.startswith("__")  # the init op is listed as a signature
        for side, tensors in (("input", signature.inputs), ("output", signature.outputs))
        for name, tensor in tensors.items()
    }


def maker(graph: MetaGraphDef) -> str:
    """The version of TensorFlow that wrote it, "" if it does not say."""
    return str(graph.meta_info_def.tensorflow_version)


def answering(graph: MetaGraphDef) -> set[str]:
    """The kinds of operations that an answer goes through: all that the outputs of any signature need."""
    return _kinds(graph, _behind(graph, _answers(graph)))


def loading(graph: MetaGraphDef) -> set[str]:
    """The kinds of operations that a server runs to load it: what restores variables and fills tables."""
    named = [graph.saver_def.restore_op_name] if graph.saver_def.restore_op_name else []
    for key, signature in graph.signature_def.items():
        named += [tensor.name for tensor in signature.outputs.values()] if key == INIT else []
    for key, collection in graph.collection_def.items():
        named += collection.node_list.value if key in INITIAL else []
    return _kinds(graph, _behind(graph, named))


def tables(graph: MetaGraphDef) -> list[str]:
    """The nodes of the lookup tables of strings that an answer goes through."""
    found = (node for node in _behind(graph, _answers(graph)) if node.op in TABLES)
    return sorted(node.name for node in found if node.attr["key_dtype"].type == types_pb2.DT_STRING)


def constants(graph: MetaGraphDef) -> dict[str, bare.Array]:
    """The float matrices, and what has more dimensions, that are part of the graph: a frozen model's weights."""
    bodies = {"": list(graph.graph_def.node)} | {f"{name}/": body for name, body in _functions(graph).items()}
    found = {
        f"{place}{node.name}": node.attr["value"].tensor
        for place, body in bodies.items()
        for node in body
        if node.op == "Const"
    }
    matrices = {name: tensor for name, tensor in found.items() if len(tensor.tensor_shape.dim) >= MATRIX}
    floating = {name: tensor for name, tensor in matrices.items() if dtypes.as_dtype(tensor.dtype).is_floating}
    return {name: np.asarray(bare.make_ndarray(tensor)) for name, tensor in floating.items()}


def _answers(graph: MetaGraphDef) -> list[str]:
    found = [tensor.name for signature in graph.signature_def.values() for tensor in signature.outputs.values()]
    return [name for name in found if ":" in name]  # without: the init op, which is an operation


def _behind(graph: MetaGraphDef, names: Iterable[str]) -> list[NodeDef]:
    """The nodes outside functions that the named ones need, and they themselves."""
    nodes = {node.name: node for node in graph.graph_def.node}
    todo, seen = {_node(name) for name in names}, set[str]()
    while todo:
        seen |= todo
        todo = {_node(name) for name in {name for node in todo for name in nodes[node].input}} - seen
    return [nodes[name] for name in seen]


def _kinds(graph: MetaGraphDef, todo: list[NodeDef]) -> set[str]:
    """The operations of nodes and of all functions that they may call."""
    functions, called, found = _functions(graph), set[str](), set[str]()
    while todo:
        node = todo.pop()
        found.add(node.op)
        bodies = (set(_calls(node)) & functions.keys()) - called
        called |= bodies
        todo += [inner for body in bodies for inner in functions[body]]
    return found - functions.keys()


def _functions(graph: MetaGraphDef) -> Mapping[str, list[NodeDef]]:
    return {function.signature.name: list(function.node_def) for function in graph.graph_def.library.function}


def _calls(node: NodeDef) -> Iterator[str]:
    """The names of the functions that a node may call: its own operation, or what an attribute names."""
    yield node.op
    for value in node.attr.values():
        yield from _named([value.func, *value.list.func])


def _named(functions: Iterable[Any]) -> Iterator[str]:
    for function in functions:
        yield function.name
        for value in function.attr.values():  # a function given to a function
            yield from _named([value.func, *value.list.func])


def _node(name: str) -> str:
    """The node of a tensor "node:0", of a control input "^node", or of a node."""
    return name.removeprefix("^").partition(":")[0]


def _shape(shape: TensorShapeProto) -> list[int | None] | str:
    return "unknown" if shape.unknown_rank else [None if dim.size < 0 else dim.size for dim in shape.dim]
