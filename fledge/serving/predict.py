"""Predict: the checks of a request against the signature, and one run of the session."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import predict_pb2

from fledge.artifact import bare
from fledge.artifact.savedmodel import Model
from fledge.series import RUNTIME_LATENCY
from fledge.serving.errors import error
from fledge.serving.metrics import Metrics
from fledge.serving.models import Models, Servable

DEFAULT_SIGNATURE = "serving_default"


class Run(Protocol):
    """What runs one request, `fledge.artifact.savedmodel.Model.run` unless `main` is given another; it may raise an `Error`."""

    def __call__(
        self,
        model: Model,
        signature: str,
        inputs: Mapping[str, bare.Array],
        outputs: Collection[str] | None,
        timeout_ms: int | None,
        /,
    ) -> dict[str, bare.Array]: ...


Execute = Callable[[Servable, str, Mapping[str, bare.Array], Collection[str] | None, int | None], dict[str, bare.Array]]


def executor(run: Run, metrics: Metrics) -> Execute:
    """Return a function that runs a request on a servable and measures the time of those that succeed."""

    def execute(
        servable: Servable,
        signature: str,
        inputs: Mapping[str, bare.Array],
        outputs: Collection[str] | None,
        timeout_ms: int | None,
    ) -> dict[str, bare.Array]:
        begun = time.perf_counter()
        answer = run(servable.model, signature, inputs, outputs, timeout_ms)
        elapsed = (time.perf_counter() - begun) * 1e6
        metrics.observe(RUNTIME_LATENCY, elapsed, model_name=servable.name, API="Predict", runtime="TF1")
        return answer

    return execute


def predict(
    request: predict_pb2.PredictRequest, models: Models, execute: Execute, timeout_ms: int | None
) -> predict_pb2.PredictResponse:
    """Answer a request, or raise an `Error` with the code and message that TensorFlow Serving has for it."""
    if not request.HasField("model_spec"):
        raise error("INVALID_ARGUMENT", "Missing ModelSpec")
    with models.use(request.model_spec) as servable:
        return answer(request, servable, execute, timeout_ms)


def answer(
    request: predict_pb2.PredictRequest, servable: Servable, execute: Execute, timeout_ms: int | None
) -> predict_pb2.PredictResponse:
    """Answer a request by a given servable, whatever its `model_spec` names (a warm-up record names any)."""
    key = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.model.signatures.get(key)
    if signature is None:
        raise error("FAILED_PRECONDITION", f'Serving signature key "{key}" not found.')
    _check_inputs(request.inputs, signature)
    outputs = _checked_filter(request.output_filter, signature.outputs)
    sent = {**signature.defaults, **request.inputs}
    inputs = {name: _array(name, sent[name]) for name in signature.inputs}
    values = execute(servable, key, inputs, outputs, timeout_ms)
    return _response(servable, key, values)


def _check_inputs(inputs: Mapping[str, tensor_pb2.TensorProto], signature: SignatureDef) -> None:
    expected, sent = set(signature.inputs), set(inputs)
    missing, extra = sorted(expected - sent), sorted(sent - expected)
    # Fewer than the signature's are enough only where it has defaults.
    if len(sent) > len(expected) or len(sent) < len(expected) - len(signature.defaults):
        raise error(
            "INVALID_ARGUMENT",
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_set(sent)}) != "
            f"len({_set(expected)}). Sent extra: {_set(extra)}. Missing but required: {_set(missing)}.",
        )
    for alias in missing:
        if alias not in signature.defaults:
            feed = signature.inputs[alias].name
            raise error(
                "INVALID_ARGUMENT",
                f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {_set(sent)}, or default input alias set: "
                f"{','.join(sorted(signature.defaults))}",
            )


def _set(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _checked_filter(wanted: Collection[str], known: Collection[str]) -> list[str] | None:
    seen = set()
    for alias in wanted:
        if alias not in known:
            message = f"output tensor alias not found in signature: {alias} Outputs expected to be in the set"
            raise error("INVALID_ARGUMENT", f"{message} {_set(known)}.")
        if alias in seen:
            raise error("INVALID_ARGUMENT", f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(wanted) or None


def _array(alias: str, tensor: tensor_pb2.TensorProto) -> bare.Array:
    try:
        return bare.make_ndarray(tensor)
    except (ValueError, MemoryError):
        raise error("INVALID_ARGUMENT", f"tensor parsing error: {alias}") from None


def _response(servable: Servable, key: str, values: Mapping[str, bare.Array]) -> predict_pb2.PredictResponse:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.number
    response.model_spec.signature_name = key
    for alias, value in values.items():
        response.outputs[alias].CopyFrom(bare.make_tensor_proto(value))
    return response
