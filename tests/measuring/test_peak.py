"""Asking a server as often as at its peak."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from fledge.artifact import bare
from fledge.measuring import peak

# isort: split
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.conftest import free_port

ROWS = {"x": np.arange(5, dtype=np.float32)}


class Picky(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """Answers with the row itself, but for row 3, which it refuses."""

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        asked = bare.make_ndarray(request.inputs["x"])
        if asked.tolist() == [3]:
            context.abort(grpc.StatusCode.INTERNAL, "not this one")
        response = predict_pb2.PredictResponse()
        response.outputs["y"].CopyFrom(bare.make_tensor_proto(asked))
        return response


@pytest.fixture
def address() -> Iterator[str]:
    """Where a picky server answers."""
    server = grpc.server(ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Picky(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_rows_are_sent_one_by_one_and_begin_again(address: str) -> None:
    """Every fifth of the requests is the row that is refused, and each request has a time."""
    found = peak.asked(address, "any", ROWS, 100, 0.5)
    assert 5 <= len(found.ms) <= 60
    assert len(found.failed) == (len(found.ms) + 1) // 5
    assert set(found.failed) == {"INTERNAL"}
    assert (found.ms > 0).all()
    assert (found.rate, found.seconds) == (100, 0.5)


def test_a_server_that_is_not_there_fails_every_request() -> None:
    """Nothing that was sent is forgotten because nobody answered it."""
    found = peak.asked(f"127.0.0.1:{free_port()}", "any", ROWS, 50, 0.2)
    assert len(found.failed) == len(found.ms) > 0
    assert set(found.failed) == {"UNAVAILABLE"}
