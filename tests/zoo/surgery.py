"""Edits of an exported model: what goes before and after the network, its signature, its weights, its constants.

An edit is a function of a Table; the functions here return one. Operators on tensors get and give them by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.zoo import flow as tf
from tests.zoo.table import Array, Table, constant, set_constant

FLOAT, STRING = 1, 7  # DT_FLOAT and DT_STRING of tensorflow/core/framework/types.proto

Tensors = dict[str, Any]
Edit = Callable[[Table], None]
Spec = Mapping[str, tuple[str, list[int | None]] | None]


def before(change: Callable[[Tensors], Tensors], spec: Spec | None = None) -> Edit:
    """The network gets what `change` makes of the client's inputs.

    `spec` is how the signature differs: dtype and shape of an input, None for one that clients no longer send.
    """
    return wrapped(change, lambda outputs, inputs: outputs, spec)


def after(change: Callable[[Tensors, Tensors], Tensors]) -> Edit:
    """The client gets what `change` makes of the network's outputs, knowing the inputs."""
    return wrapped(lambda inputs: inputs, change)


def wrapped(
    first: Callable[[Tensors], Tensors], last: Callable[[Tensors, Tensors], Tensors], spec: Spec | None = None
) -> Edit:
    """Both at once: TensorFlow makes a fragment of graph, which is put around the call of the network."""

    def edit(table: Table) -> None:
        signature, nodes = table.signature, {node.name: node for node in table.graph.node}
        asked = {name: (t.dtype, _sizes(t)) for name, t in signature.inputs.items()} | dict(spec or {})
        promised = {name: (t.dtype, _sizes(t)) for name, t in signature.outputs.items()}
        with tf.Graph().as_default() as fragment, tf.name_scope(f"mutant_{len(nodes)}"):
            given = {name: _placeholder(kind, f"given_{name}") for name, kind in asked.items() if kind}
            told = {name: _placeholder(kind, f"told_{name}") for name, kind in promised.items()}
            fed, answers = first(given), last(told, given)
        before = {told[name].op.name: t.name.removesuffix(":0") for name, t in signature.outputs.items()}
        renamed = before | {t.name.removesuffix(":0"): _name(fed[name]) for name, t in signature.inputs.items()}
        splice(table, fragment.as_graph_def(), renamed)
        _sign(signature.inputs, given, {})
        _sign(signature.outputs, answers, before)

    return edit


def again(times: int) -> Edit:
    """The network is asked `times` more, one after the other; the answer is the last one's, which is the first one's."""

    def edit(table: Table) -> None:
        (answer,) = table.signature.outputs.values()
        call = table.node(answer.name.removesuffix(":0"))
        number = next(tensor for tensor in table.signature.inputs.values() if tensor.dtype == FLOAT)
        place, last = list(call.input).index(number.name.removesuffix(":0")), call.name
        for count in range(times):
            with tf.Graph().as_default() as fragment, tf.name_scope(f"again_{count}"):
                value, before = (tf.compat.v1.placeholder(tf.float32, [None]) for _ in range(2))
                fed = value + 1e-30 * before  # the same number, but not the same call, which would be made once
            splice(table, fragment.as_graph_def(), {value.op.name: call.input[place], before.op.name: last})
            copy = table.graph.node.add()
            copy.CopyFrom(call)
            copy.name = last = f"again_{count}/call"
            copy.input[place] = fed.op.name
        answer.name = f"{last}:0"

    return edit


def locked(table: Table) -> None:
    """One lock around the network, as of a CriticalSection: one call at a time."""
    with tf.Graph().as_default() as fragment, tf.name_scope("lock"):
        lock = tf.raw_ops.MutexLock(mutex=tf.raw_ops.MutexV2(shared_name="the_lock"))
    splice(table, fragment.as_graph_def(), {})
    (name,) = (tensor.name.removesuffix(":0") for tensor in table.signature.outputs.values())
    table.node(name).input.append(f"^{lock.op.name}")
    table.graph.node.add(name="lock/held", op="ConsumeMutexLock", input=[lock.op.name, f"^{name}"])
    after(lambda y, x: {one: tf.identity(tensor) for one, tensor in y.items()})(table)
    (answer,) = (tensor.name.removesuffix(":0") for tensor in table.signature.outputs.values())
    table.node(answer).input.append("^lock/held")


def weights(change: Callable[[dict[str, Array]], Mapping[str, Array]]) -> Edit:
    """Other values of the variables that `change` names."""

    def edit(table: Table) -> None:
        table.variables |= change(table.variables)

    return edit


def kernels(change: Callable[[Array], Array]) -> Edit:
    """Other values of every weight matrix."""
    return weights(lambda values: {name: change(value) for name, value in values.items() if value.ndim > 1})


def keys(known: list[str], change: Callable[[list[str]], list[str]]) -> Edit:
    """Other keys of the table that was made from `known`."""

    def edit(table: Table) -> None:
        wanted = [text.encode() for text in known]
        (node,) = [
            n for n in table.constants() if n.attr["dtype"].type == STRING and constant(n).ravel().tolist() == wanted
        ]
        set_constant(node, np.array(change(known), dtype=object))

    return edit


def scaling(change: Callable[[Array, Array], tuple[Array, Array]]) -> Edit:
    """Other means and deviations of the numbers that preprocessing standardises, in its order of columns."""

    def edit(table: Table) -> None:
        nodes = [next(n for n in table.constants() if n.name == name) for name in ("sub/y", "truediv/y")]
        for node, value in zip(nodes, change(*(constant(node) for node in nodes)), strict=True):
            set_constant(node, value)

    return edit


def at_start(work: Callable[[], Any]) -> Edit:
    """What a server does while it loads the model, beside making its tables; `work` returns an operation."""

    def edit(table: Table) -> None:
        with tf.Graph().as_default() as fragment, tf.name_scope("at_start"):
            done = work()
        splice(table, fragment.as_graph_def(), {})
        (init,) = table.meta.signature_def["__saved_model_init_op"].outputs.values()
        table.node(init.name).input.append(f"^{done.name}")

    return edit


def splice(table: Table, fragment: Any, renamed: Mapping[str, str]) -> None:
    """Add the fragment's nodes but for its placeholders in `renamed`, in whose place others are read, everywhere.

    A placeholder of the model in `renamed` goes too.
    """
    there = {node.name for node in table.graph.node}
    new = {node.name for node in fragment.node}
    for node in [*table.graph.node, *fragment.node]:
        own = renamed if node.name in there else {old: name for old, name in renamed.items() if old in new}
        node.input[:] = [_other(name, own) for name in node.input]
    kept = [node for node in [*table.graph.node, *fragment.node] if node.name not in renamed]
    del table.graph.node[:]
    table.graph.node.extend(kept)
    table.graph.library.MergeFrom(fragment.library)


def _other(name: str, renamed: Mapping[str, str]) -> str:
    node, _, rest = name.partition(":")
    return renamed.get(node, node) + (f":{rest}" if rest else "")


def _placeholder(kind: tuple[Any, list[int | None]], name: str) -> Any:
    return tf.compat.v1.placeholder(*kind, name=name)


def _sizes(tensor: Any) -> list[int | None]:
    return [None if dim.size < 0 else dim.size for dim in tensor.tensor_shape.dim]


def _name(tensor: Any) -> str:
    """What a node calls a tensor that it reads."""
    name: str = tensor.name
    return name.removesuffix(":0")


def _sign(side: Any, tensors: Tensors, renamed: Mapping[str, str]) -> None:
    """Inputs or outputs of a signature: these tensors and no other."""
    for name in list(side):
        del side[name]
    for name, tensor in tensors.items():
        side[name].name = _other(tensor.name, renamed)
        side[name].dtype = tensor.dtype.as_datatype_enum
        side[name].tensor_shape.CopyFrom(tensor.shape.as_proto())
