"""A SavedModel run as TensorFlow Serving runs it: by the session, without a check of the declared shapes.

Needs neither `import tensorflow` nor eager execution, see `fledge.bare`. It stands on private names of TensorFlow
(`loader_impl`, `_call_tf_sessionrun`), which `tests/test_savedmodel.py` holds for the version of the lock.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fledge import bare  # stands in for tensorflow before anything of it is imported

# isort: split
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.client.session import Session
from tensorflow.python.framework import ops
from tensorflow.python.framework.errors_impl import DataLossError, InvalidArgumentError, NotFoundError, OpError
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
        self._graph = meta_graph.graph_def
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
        prefix = self.path / "variables" / "variables"
        if not prefix.with_suffix(".index").is_file():
            return {}
        reader = py_checkpoint_reader.NewCheckpointReader(str(prefix))
        keys = [key for key in reader.get_variable_to_shape_map() if key != "_CHECKPOINTABLE_OBJECT_GRAPH"]
        return {key.removesuffix(_KEY_SUFFIX): reader.get_tensor(key) for key in sorted(keys)}

    def ops(self) -> set[str]:
        """Return the kinds of operations in the graph and in the functions that it brings."""
        functions = {node.op for function in self._graph.library.function for node in function.node_def}
        own = {function.signature.name for function in self._graph.library.function}
        return ({node.op for node in self._graph.node} | functions) - own

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
    path: Path, *, intra_op_threads: int = 1, inter_op_threads: int = 1, tags: Sequence[str] = ("serve",)
) -> Model:
    """Load the SavedModel in a folder; 0 threads lets TensorFlow choose. Raise `Error` for what is no SavedModel.

    TensorFlow makes its pools once: the threads of the first model that a process loads are those of all.
    """
    _check(path, tags)
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=intra_op_threads, inter_op_parallelism_threads=inter_op_threads
    )
    graph = ops.Graph()
    with graph.as_default():
        session = Session(graph=graph, config=config)
        try:
            meta_graph = loader_impl.SavedModelLoader(str(path)).load(session, list(tags))
            return Model(path, session, meta_graph)
        except ValueError as problem:  # from Python's part of loading: no checkpoint, a graph that does not fit
            session.close()
            raise InvalidArgumentError(None, None, str(problem)) from None
        except BaseException:
            session.close()
            raise


def _check(path: Path, tags: Sequence[str]) -> None:
    """Say what TensorFlow's C++ loader would say, where its Python one raises OSError and RuntimeError."""
    file = path / "saved_model.pb"
    if not file.is_file():
        raise NotFoundError(
            None,
            None,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for accessing it.",
        )
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except DecodeError:
        raise DataLossError(None, None, f"Can't parse {file} as binary proto") from None
    if not any(set(graph.meta_info_def.tags) == set(tags) for graph in saved_model.meta_graphs):
        raise NotFoundError(None, None, f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}")
