"""Write a model so that the same training gives the same bytes, and with them the same hash.

`keras.Model.export` does not: it orders variables differently from process to process. A bare tf.Module of raw
variables does, except for a random uuid in fingerprint.pb.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from fledge.contract import Contract

Inputs = Mapping[str, Sequence[Any]]
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"  # TensorFlow Serving looks here


def export(
    folder: Path, contract: Contract, preprocessing: tf.Module, core: keras.Model, requests: Sequence[Inputs]
) -> None:
    """Replace `folder` by a SavedModel with the contract's signature, warmed up by `requests`.

    Call it once in a process: a second export counts its functions on, and its bytes differ.
    """
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    _save(aside, contract, preprocessing, core)
    _fix_fingerprint(aside / "fingerprint.pb")
    _write_warm_up(aside / WARM_UP, contract, requests)
    (aside / "assets").rmdir()  # empty, and DVC does not keep empty folders
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def _save(folder: Path, contract: Contract, preprocessing: tf.Module, core: keras.Model) -> None:
    (output, described), *_ = contract.outputs.items()

    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = core(preprocessing(inputs), training=False)
        return {output: tf.reshape(tf.cast(answer, described.dtype), [-1, *described.shape])}

    given = {name: tf.TensorSpec([None], i.dtype, name=name) for name, i in contract.inputs.items()}
    module = tf.Module()
    module.preprocessing = preprocessing
    module.weights = [variable.value for variable in core.variables]  # the raw ones: no Keras object among the saved
    signature = tf.function(serve, autograph=False).get_concrete_function(**given)
    tf.saved_model.save(module, str(folder), signatures={contract.signature: signature})


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
