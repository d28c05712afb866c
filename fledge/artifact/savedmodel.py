"""A SavedModel run as TensorFlow Serving runs it: by the session, without a check of the declared shapes.

Needs neither `import tensorflow` nor eager execution, see `fledge.artifact.bare`. It stands on private names of TensorFlow
(`loader_impl`, `_call_tf_sessionrun`), which `tests/test_savedmodel.py` holds for the version of the lock.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fledge.artifact import bare, graph  # bare stands in for tensorflow before anything of it is imported

# isort: split
import numpy as np
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.client.session import Session
from tensorflow.python.framework import constant_op, ops, tensor_shape
from tensorflow.python.framework.errors_impl import DataLossError, InvalidArgumentError, OpError
from tensorflow.python.ops import gen_lookup_ops
from tensorflow.python.ops import gen_resource_variable_ops as resource
from tensorflow.python.saved_model import loader_impl
from tensorflow.python.training import py_checkpoint_reader

Error = OpError
"""What loading and running raise: `error_code` and `message` are TensorFlow's own."""

_KEY_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


class Model:
    """A loaded SavedModel. `run` may be called by many threads at once. `signatures` are those of the file, all."""

    def __init__(self, path: Path, session: Session, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        self.path = path
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = dict(meta_graph.signature_def)
        self.graph = meta_graph
        self._session = session
        self._inputs = {name: self._endpoints(signature.inputs) for name, signature in self.signatures.items()}
        self._outputs = {name: self._endpoints(signature.outputs) for name, signature in self.signatures.items()}
        session._extend_graph()  # `_call_tf_sessionrun` leaves it to its caller

    def _endpoints(self, tensors: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, Any]:
        # An init op is listed among the signatures: the name of an operation, without a colon.
        graph = self._session.graph
        named = {name: tensor.name for name, tensor in tensors.items() if ":" in tensor.name}
        return {name: graph.get_tensor_by_name(tensor)._as_tf_output() for name, tensor in named.items()}

    def run(
        self,
        signature: str,
        inputs: Mapping[str, bare.Array],
        outputs: Collection[str] | None = None,
        timeout_ms: int | None = None,
    ) -> dict[str, bare.Array]:
        """Return the named outputs (all of them by default) of one run; strings are object arrays of bytes.

        Arrays must have the dtype of the input; shapes are the graph's own business. Raise KeyError for a name that
        the signature lacks, and `Error` with TensorFlow's code and message for all that happens in the graph.
        """
        endpoints = self._outputs[signature]
        names = list(endpoints if outputs is None else outputs)
        feeds = {self._inputs[signature][name]: value for name, value in inputs.items()}
        with _run_options(timeout_ms) as options:
            fetches = [endpoints[name] for name in names]
            values = self._session._call_tf_sessionrun(options, feeds, fetches, [], None)
        return {name: _array(value) for name, value in zip(names, values, strict=True)}

    def variables(self) -> dict[str, bare.Array]:
        """Return the variables as they lie in the checkpoint, by their path from the saved object."""
        return variables(self.path)

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return what the lookup tables of strings hold that an answer goes through: value by key, by the table's name.

        Asks the session, so that it does not matter how a table was filled: from the graph, a file, the checkpoint.
        """
        return {name: self._content(name) for name in graph.tables(self.graph)}

    def _content(self, table: str) -> dict[str, Any]:
        with self._session.graph.as_default():
            op = self._session.graph.get_operation_by_name(table)
            kinds = op.get_attr("key_dtype"), op.get_attr("value_dtype")
            keys, values = self._session.run(gen_lookup_ops.lookup_table_export_v2(op.outputs[0], *kinds))
        keys, values = keys.ravel().tolist(), [np.squeeze(value).tolist() for value in values]
        once = {key for key, count in Counter(keys).items() if count == 1}
        # A dense table shows its empty places too, all with the same key.
        return {key.decode(errors="replace"): value for key, value in zip(keys, values, strict=True) if key in once}

    def close(self) -> None:
        """Free the session. A run in another thread is cancelled."""
        self._session.close()


def _array(value: Any) -> bare.Array:
    # A scalar comes as numpy's own scalar, a scalar string as bytes.
    return np.asarray(value, object if isinstance(value, bytes) else None)


@contextmanager
def _run_options(timeout_ms: int | None) -> Iterator[Any]:
    if timeout_ms is None:
        yield None
        return
    options = config_pb2.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
    buffer = pywrap_tf_session.TF_NewBufferFromString(options)
    try:
        yield buffer
    finally:
        pywrap_tf_session.TF_DeleteBuffer(buffer)


def load(
    path: Path,
    *,
    intra_op_threads: int = 1,
    inter_op_threads: int = 1,
    tags: Sequence[str] = ("serve",),
    bound: tuple[str, Mapping[str, bare.Array]] | None = None,
) -> Model:
    """Load the SavedModel in a folder; 0 threads lets TensorFlow choose. Raise `Error` for what is no SavedModel.

    TensorFlow makes its pools once: the threads of the first model that a process loads are those of all. `bound` is a
    signature with a value for each of its inputs, put into the graph: a run of it is then given none, and costs Python
    next to nothing.
    """
    declared = graph.read(path, tags)
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads, inter_op_parallelism_threads=inter_op_threads
    )
    with ops.Graph().as_default() as empty:
        session = Session(graph=empty, config=config)
        try:
            values = _placed(declared.signature_def[bound[0]], bound[1], session) if bound else None
            meta_graph = loader_impl.SavedModelLoader(str(path)).load(session, list(tags), input_map=values)
            return Model(path, session, meta_graph)
        except ValueError as problem:  # from Python's part of loading: no checkpoint, a graph that does not fit
            session.close()
            raise InvalidArgumentError(None, None, str(problem)) from None
        except BaseException:
            session.close()
            raise


def _placed(
    signature: meta_graph_pb2.SignatureDef, values: Mapping[str, bare.Array], session: Session
) -> dict[str, Any]:
    """Variables of the session by the names of the inputs that they stand for.

    No constants: TensorFlow works out what follows from those once, and knows how many rows they are.
    """
    placed = {}
    for name, value in values.items():
        start, shape = constant_op.constant(value), tensor_shape.TensorShape([None] * value.ndim)
        variable = resource.var_handle_op(dtype=start.dtype, shape=shape, shared_name=f"bound/{name}")
        session.run(resource.assign_variable_op(variable, start))
        placed[signature.inputs[name].name] = resource.read_variable_op(variable, dtype=start.dtype)
    return placed


def variables(path: Path) -> dict[str, bare.Array]:
    """Return the variables in the checkpoint of a SavedModel folder, which need not load; none if it has none.

    Raise `Error` for a checkpoint that is damaged.
    """
    prefix = path / "variables" / "variables"
    if not prefix.with_suffix(".index").is_file():
        return {}
    try:
        reader = py_checkpoint_reader.NewCheckpointReader(str(prefix))
        keys = [key for key in reader.get_variable_to_shape_map() if key != "_CHECKPOINTABLE_OBJECT_GRAPH"]
        return {key.removesuffix(_KEY_SUFFIX): reader.get_tensor(key) for key in sorted(keys)}
    except (IndexError, RuntimeError, ValueError) as problem:  # what the reader makes of some of TensorFlow's codes
        raise DataLossError(None, None, str(problem)) from None
