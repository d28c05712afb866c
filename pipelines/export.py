"""Write a model so that the same training gives the same bytes, and with them the same hash.

`keras.Model.export` does not: it orders variables differently from process to process. A bare tf.Module of raw
variables does, except for a random uuid in fingerprint.pb.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from fledge.artifact import vectors
from fledge.artifact.contract import Contract
from fledge.problems import Problem

Inputs = Mapping[str, Sequence[Any]]
Serve = Callable[..., dict[str, tf.Tensor]]
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"  # TensorFlow Serving looks here

# How far file and network may differ; `make train` stops where they differ more. The second is of the answer itself, a
# few of float32's last digits, for answers far above 1.
ABSOLUTE, RELATIVE = 1e-5, 1e-6


def export(
    folder: Path,
    contract: Contract,
    preprocessing: tf.Module,
    core: keras.Model,
    requests: Sequence[Inputs],
    rows: vectors.Arrays,
) -> np.ndarray:
    """Replace `folder` by a SavedModel with the contract's signature, warmed up by `requests`; its answers to `rows`.

    `rows` holds an array (n,) for each input, the answers are (n, …). Some of the rows and what the network itself
    answers to them stay in the file (`fledge.artifact.vectors`). Raises Problem, and leaves `folder` alone, where file and
    network do not answer the same. Call it once in a process: a second export counts its functions on, and its bytes
    differ.
    """
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        answers = _write(aside, contract, preprocessing, core, requests, rows)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return answers


def _write(
    folder: Path,
    contract: Contract,
    preprocessing: tf.Module,
    core: keras.Model,
    requests: Sequence[Inputs],
    rows: vectors.Arrays,
) -> np.ndarray:
    serve = _serve(contract, preprocessing, core)
    _save(folder, contract, serve, preprocessing, core)
    _fix_fingerprint(folder / "fingerprint.pb")
    _write_warm_up(folder / WARM_UP, contract, requests)
    (folder / "assets").rmdir()  # empty, and DVC does not keep empty folders
    tensors = {name: tf.constant(values) for name, values in rows.items()}
    trained = {name: answer.numpy() for name, answer in serve(**tensors).items()}
    exported = {name: answer.numpy() for name, answer in _served(folder, contract)(**tensors).items()}
    compare(trained, exported)
    kept = vectors.chosen(len(next(iter(rows.values()))))
    text = vectors.dumps(*({name: values[kept] for name, values in part.items()} for part in (rows, trained)))
    (folder / vectors.FILE).write_text(text, encoding="utf-8")
    answers: np.ndarray = next(iter(exported.values()))
    return answers


def _serve(contract: Contract, preprocessing: tf.Module, core: keras.Model) -> Serve:
    (output, described), *_ = contract.outputs.items()

    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = core(preprocessing(inputs), training=False)
        return {output: tf.reshape(tf.cast(answer, described.dtype), [-1, *described.shape])}

    return serve


def _save(folder: Path, contract: Contract, serve: Serve, preprocessing: tf.Module, core: keras.Model) -> None:
    given = {name: tf.TensorSpec([None], i.dtype, name=name) for name, i in contract.inputs.items()}
    module = tf.Module()
    module.preprocessing = preprocessing
    module.weights = [variable.value for variable in core.variables]  # the raw ones: no Keras object among the saved
    signature = tf.function(serve, autograph=False).get_concrete_function(**given)
    tf.saved_model.save(module, str(folder), signatures={contract.signature: signature})


def _served(folder: Path, contract: Contract) -> Serve:
    loaded = tf.saved_model.load(str(folder))
    # The signature alone would let go of the variables and tables that it reads.
    return lambda **inputs: loaded.signatures[contract.signature](**inputs)


def compare(trained: vectors.Arrays, exported: vectors.Arrays) -> None:
    """Raise Problem unless the file answers as the network in memory does: the same numbers, (n, …) by output."""
    for name, expected in trained.items():
        gap = np.abs(exported[name].astype(float) - expected)
        if not np.isfinite(expected).all():
            raise Problem(f"train: the network's {name} is not finite, expected numbers (params.yaml: train)")
        if not (gap <= ABSOLUTE + RELATIVE * np.abs(expected)).all():
            raise Problem(
                f"train: the exported {name} is {gap.max():.2g} from the network's, expected at most {ABSOLUTE:g} "
                "(model.py: what it computes is not all in the graph)"
            )


def _fix_fingerprint(path: Path) -> None:
    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.ClearField("uuid")
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _write_warm_up(path: Path, contract: Contract, requests: Sequence[Inputs]) -> None:
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for inputs in requests:
            log = PredictionLog(predict_log=PredictLog(request=_request(contract, inputs)))
            writer.write(log.SerializeToString(deterministic=True))  # maps have no order of their own


def _request(contract: Contract, inputs: Inputs) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.signature_name = contract.signature
    for name, values in contract.arrays(inputs).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.asarray(values)))
    return request
