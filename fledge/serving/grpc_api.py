"""The gRPC half: PredictionService and ModelService. What is not written here answers UNIMPLEMENTED."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from fledge.artifact.savedmodel import Error
from fledge.flags import Flags
from fledge.series import REQUEST_COUNT, REQUEST_LATENCY
from fledge.serving import describe
from fledge.serving.errors import code_name, error
from fledge.serving.metrics import Metrics
from fledge.serving.models import Models
from fledge.serving.predict import Execute, predict

LONGEST_MESSAGE = 1024
YEAR_S = 365 * 24 * 3600
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Handler = Callable[[Any, grpc.ServicerContext], Any]


def start(flags: Flags, models: Models, execute: Execute, metrics: Metrics) -> grpc.Server:
    """Open the port and the socket of the flags and answer on them. Raise INVALID_ARGUMENT if one is taken."""
    server = grpc.server(ThreadPoolExecutor(flags.grpc_max_threads, "grpc"), options=_options(flags))
    server.add_generic_rpc_handlers(_services(models, execute, metrics))
    addresses = [f"0.0.0.0:{flags.port}"] if flags.port else []
    addresses += [f"unix:{flags.grpc_socket_path}"] if flags.grpc_socket_path else []
    try:
        for address in addresses:
            server.add_insecure_port(address)
    except RuntimeError as problem:
        raise error("INVALID_ARGUMENT", f"Failed to BuildAndStart gRPC server: {problem}") from None
    server.start()
    return server


def _options(flags: Flags) -> list[tuple[str, Any]]:
    """Return the limits of TensorFlow Serving, one owner per port, and the arguments of `--grpc_channel_arguments`."""
    pairs = [item.partition("=") for item in flags.grpc_channel_arguments.split(",") if item]
    return [
        ("grpc.max_receive_message_length", 2**31 - 1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
        *((key, int(value) if value.lstrip("-").isdigit() else value) for key, _, value in pairs),
    ]


def _services(models: Models, execute: Execute, metrics: Metrics) -> tuple[grpc.GenericRpcHandler, ...]:
    def get_model_status(request: get_model_status_pb2.GetModelStatusRequest, _: grpc.ServicerContext) -> Any:
        if not request.HasField("model_spec"):
            raise error("INVALID_ARGUMENT", "Missing ModelSpec")
        return describe.status(request.model_spec, models)

    def get_model_metadata(request: get_model_metadata_pb2.GetModelMetadataRequest, _: grpc.ServicerContext) -> Any:
        return describe.metadata(request, models)

    def run(request: predict_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        return predict(request, models, execute, _timeout_ms(context))

    predictions = {
        "Predict": _method(_counted(run, metrics), predict_pb2.PredictRequest),
        "GetModelMetadata": _method(get_model_metadata, get_model_metadata_pb2.GetModelMetadataRequest),
    }
    models_methods = {"GetModelStatus": _method(get_model_status, get_model_status_pb2.GetModelStatusRequest)}
    return (
        _service("PredictionService", predictions),
        _service("ModelService", models_methods),
    )


def _service(name: str, methods: Mapping[str, grpc.RpcMethodHandler]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods)


def _method(handler: Handler, request_type: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        _aborting(handler),
        request_deserializer=request_type.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _aborting(handler: Handler) -> Handler:
    """Turn an `Error` into the status of the call, its text cut as TensorFlow Serving cuts it."""

    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(request, context)
        except Error as failure:
            message = failure.message
            short = message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + "...TRUNCATED"
            context.abort(_CODES[failure.error_code], short)

    return handle


def _counted(handler: Handler, metrics: Metrics) -> Handler:
    """Count each Predict by model and status, and measure those that succeed."""

    def handle(request: predict_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        begun = time.perf_counter()
        name = request.model_spec.name
        try:
            response = handler(request, context)
        except Error as failure:
            metrics.count(REQUEST_COUNT, model_name=name, status=code_name(failure))
            raise
        elapsed = (time.perf_counter() - begun) * 1e6
        metrics.count(REQUEST_COUNT, model_name=name, status="OK")
        metrics.observe(REQUEST_LATENCY, elapsed, model_name=name, API="Predict", entrypoint="GRPC")
        return response

    return handle


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    """Return what is left of the caller's deadline, at least a millisecond: 0 would mean none.

    A caller without a deadline has centuries left in some versions of grpc, which no timeout holds.
    """
    remaining = context.time_remaining()
    return None if remaining is None or remaining > YEAR_S else max(1, int(remaining * 1000))
