"""A client of one served model, by REST and by gRPC, through the gateway's hostnames."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import grpc
import numpy as np
from numpy.typing import NDArray

from fledge.artifact import bare  # before the messages, so that they come without TensorFlow

# isort: split
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

Inputs = Mapping[str, NDArray[Any]]
TIMEOUT = 20.0  # s, longer than the gateway's, so that it is the gateway that gives up


@dataclass(frozen=True)
class Signature:
    """`serving_default` as the server describes it: numpy dtypes of the inputs (object for strings), outputs' names."""

    inputs: dict[str, np.dtype[Any]]
    outputs: tuple[str, ...]
    version: int


@dataclass(frozen=True)
class Answer:
    """`status` is gRPC's name (`OK`, `UNAVAILABLE`, …), or HTTP's number, or the exception's name without an answer.

    `outputs` and `version` are None for failures, of which `message` is what the server said; REST says no version.
    """

    ok: bool
    status: str
    version: int | None = None
    outputs: dict[str, NDArray[Any]] | None = None
    message: str = ""


class Client:
    """`async with Client("host:port", rest_host, grpc_host, model) as client`: one gRPC channel, pooled REST."""

    def __init__(self, address: str, rest_host: str, grpc_host: str, model: str) -> None:
        self._address, self._rest_host, self._grpc_host, self._model = address, rest_host, grpc_host, model

    async def __aenter__(self) -> Self:
        options = [("grpc.default_authority", self._grpc_host), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.aio.insecure_channel(self._address, options=options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=TIMEOUT)
        )
        self._url = f"http://{self._address}/v1/models/{self._model}:predict"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._channel.close()

    async def signature(self) -> Signature:
        """Ask for the newest version's signature. Raises grpc.aio.AioRpcError."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self._model
        answer = await self._stub.GetModelMetadata(request, timeout=TIMEOUT)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        found = signatures.signature_def["serving_default"]
        inputs = {name: bare.numpy_dtype(tensor.dtype) for name, tensor in found.inputs.items()}
        return Signature(inputs, tuple(sorted(found.outputs)), int(answer.model_spec.version.value))

    async def grpc(self, inputs: Inputs, *, decode: bool = True) -> Answer:
        """Predict by gRPC; without `decode` the outputs are left out."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(bare.make_tensor_proto(values))
        try:
            answer = await self._stub.Predict(request, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            return Answer(False, error.code().name, message=error.details() or "")
        outputs = {name: bare.make_ndarray(tensor) for name, tensor in answer.outputs.items()} if decode else None
        return Answer(True, "OK", int(answer.model_spec.version.value), outputs)

    async def rest(self, inputs: Inputs, outputs: tuple[str, ...] = (), *, decode: bool = True) -> Answer:
        """Predict by REST; `outputs` are the signature's names, for a lone output comes without its own."""
        body = json.dumps(_body(inputs))  # NaN goes bare, as TensorFlow Serving reads it
        try:
            async with self._session.post(self._url, data=body, headers={"Host": self._rest_host}) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(False, type(error).__name__, message=str(error))
        if answer.status != 200:
            return Answer(False, str(answer.status), message=_error(text))
        return Answer(True, str(answer.status), outputs=_columns(text, outputs) if decode else None)


def _body(inputs: Inputs) -> dict[str, Any]:
    """In rows, where an input too many is refused; in columns what rows cannot say: no row, or lengths that differ."""
    columns = {
        name: [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
        for name, values in inputs.items()
    }
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        return {"inputs": columns}
    return {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def _error(text: str) -> str:
    """What TensorFlow Serving says in JSON; a gateway's own words come as they are."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        return text


def _columns(text: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    found = json.loads(text)
    if "outputs" in found:
        columns = found["outputs"] if isinstance(found["outputs"], dict) else {names[0]: found["outputs"]}
    else:
        rows = [row if isinstance(row, dict) else {names[0]: row} for row in found["predictions"]]
        columns = {name: [row[name] for row in rows] for name in names}
    return {name: np.asarray(values) for name, values in columns.items()}
