"""The strictest model that keeps a contract: a SavedModel without variables, written in milliseconds.

It refuses every value that its contract does not promise to read, and its answers reach both ends of what the contract
allows. So an old client gets the worst from it that the new contract lets happen.
"""

from pathlib import Path
from typing import Any

import fledge.artifact.bare  # noqa: F401  stands in for tensorflow before anything of it is imported

# isort: split
import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import constant_op, ops
from tensorflow.python.ops import array_ops, array_ops_stack, clip_ops, gen_logging_ops, math_ops

from fledge.artifact.contract import Contract, Input, Output

FAR = 1e6  # from here on the answers of an output without a range
HALF = 0.5


def write(contract: Contract, folder: Path) -> None:
    """Write the model of `contract` into a new folder."""
    with ops.Graph().as_default() as graph:
        fed = {name: array_ops.placeholder(one.dtype, [None], name) for name, one in contract.inputs.items()}
        allowed = array_ops_stack.stack([_allowed(one, fed[name]) for name, one in contract.inputs.items()])
        refusal = gen_logging_ops._assert(math_ops.reduce_all(allowed), ["a value that nothing promises to read"])
        with graph.control_dependencies([refusal]):
            parts = [_part(one, fed[name]) for name, one in contract.inputs.items()]
        score = math_ops.add_n(parts) / float(len(parts))
        answers = {name: _answer(one, score) for name, one in contract.outputs.items()}
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(_saved(graph, contract.signature, fed, answers).SerializeToString())


def _saved(graph: Any, key: str, fed: dict[str, Any], answers: dict[str, Any]) -> Any:
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.CopyFrom(graph.as_graph_def())
    signature = meta.signature_def[key]
    for place, tensors in ((signature.inputs, fed), (signature.outputs, answers)):
        for name, tensor in tensors.items():
            kind, shape = tensor.dtype.as_datatype_enum, tensor.shape.as_proto()
            place[name].CopyFrom(meta_graph_pb2.TensorInfo(name=tensor.name, dtype=kind, tensor_shape=shape))
    return saved


def _allowed(column: Input, fed: Any) -> Any:
    """Which values of `fed` (n,) the contract promises to read."""
    if column.dtype == "bool" or (column.known and column.unknown is not None):
        return array_ops.ones_like(fed, "bool")
    found = [_is_missing(column, fed)]
    if column.known:
        found.append(math_ops.reduce_any(_are(column, fed, column.known), axis=1))
    if column.range:
        low, high = (constant_op.constant(column.array([end])[0]) for end in column.range)
        found.append(math_ops.logical_and(math_ops.greater_equal(fed, low), math_ops.less_equal(fed, high)))
    return math_ops.reduce_any(array_ops_stack.stack(found), axis=0)


def _is_missing(column: Input, fed: Any) -> Any:
    if column.missing is None:
        return array_ops.zeros_like(fed, "bool")
    if column.dtype != "string" and np.isnan(column.array([column.missing])[0]):
        return math_ops.not_equal(fed, fed)  # as nothing else is
    return math_ops.reduce_any(_are(column, fed, [column.missing]), axis=1)


def _are(column: Input, fed: Any, values: list[Any]) -> Any:
    """Whether each of `fed` (n,) is each of `values` (m): (n, m)."""
    return math_ops.equal(array_ops.expand_dims(fed, 1), constant_op.constant(column.array(values), column.dtype))


def _part(column: Input, fed: Any) -> Any:
    """The part (n,) of the score, 0 to 1, that an input has. Without a promise of `monotone` it falls and rises."""
    if column.range is None or column.dtype == "string":
        return _place(column, fed)
    low, high = column.range
    share = clip_ops.clip_by_value((math_ops.cast(fed, "float32") - low) / (high - low), 0.0, 1.0)
    share = array_ops.where_v2(_is_missing(column, fed), HALF, share)
    if column.monotone is None:
        return math_ops.abs(2 * share - 1)
    return share if column.monotone == "up" else 1 - share


def _place(column: Input, fed: Any) -> Any:
    """Where a value stands among the known ones, 0 to 1; the middle for any other."""
    if not column.known:
        return HALF * array_ops.ones_like(fed, "float32")
    places = np.linspace(-HALF, HALF, len(column.known), dtype="float32")
    return HALF + math_ops.reduce_sum(math_ops.cast(_are(column, fed, column.known), "float32") * places, axis=1)


def _answer(output: Output, score: Any) -> Any:
    """A number between the ends of the range, or the chances of some classes, from a score (n,) of 0 to 1."""
    if output.shape:
        (count,) = output.shape
        rest = [array_ops.zeros_like(score)] * (count - 2)
        return math_ops.cast(array_ops_stack.stack([score, 1 - score, *rest], axis=1), output.dtype)
    low, high = output.range or (FAR, 2 * FAR)
    return math_ops.cast(low + score * (high - low), output.dtype)
