"""gRPC, REST and the bare session say the same."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fledge.artifact import bare, savedmodel
from tests.serving.conftest import Server

TEXT = st.sampled_from(["EWR", "JFK", "", "É"]) | st.text(max_size=5)
ROWS = st.lists(st.tuples(TEXT, st.floats(width=32)), min_size=1, max_size=8)
PROPERTY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def risk(saved_models: Path) -> Iterator[savedmodel.Model]:
    """The model that the server serves, in this process."""
    model = savedmodel.load(saved_models / "risk" / "1")
    yield model
    model.close()


def _answers(response: Any) -> dict[str, Any]:
    return {name: bare.make_ndarray(tensor) for name, tensor in response.outputs.items()}


@PROPERTY
@given(ROWS)
def test_three_ways_one_answer(server: Server, risk: savedmodel.Model, rows: list[tuple[str, float]]) -> None:
    """The same rows by gRPC, by REST in rows, by REST in columns and by the session have equal answers."""
    origin, temp = [row[0] for row in rows], [row[1] for row in rows]
    arrays = {"origin": np.array([text.encode() for text in origin], object), "temp": np.array(temp, np.float32)}
    expected = risk.run("serving_default", arrays)
    by_grpc = _answers(server.predict("risk", **arrays))
    assert {name: value.tobytes() for name, value in by_grpc.items() if name != "class"} == {
        "probabilities": expected["probabilities"].tobytes()
    }
    assert by_grpc["class"].tolist() == expected["class"].tolist()
    instances = [{"origin": text, "temp": number} for text, number in rows]
    predictions = server.rest("POST", "/v1/models/risk:predict", {"instances": instances}).json["predictions"]
    outputs = server.rest("POST", "/v1/models/risk:predict", {"inputs": {"origin": origin, "temp": temp}}).json[
        "outputs"
    ]
    for found in (outputs, {name: [row[name] for row in predictions] for name in outputs}):
        assert np.array_equal(np.array(found["probabilities"], np.float32), expected["probabilities"], equal_nan=True)
        assert [text.encode() for text in found["class"]] == expected["class"].tolist()


@PROPERTY
@given(st.lists(st.floats(), min_size=1, max_size=8))
def test_doubles_survive_rest(server: Server, values: list[float]) -> None:
    """A double sent by REST and returned unchanged by the graph is the same double."""
    body = json.dumps({"signature_name": "double", "instances": values}).encode()
    returned = server.rest("POST", "/v1/models/kinds:predict", body).json["predictions"]
    assert np.array_equal(np.array(returned), np.array(values), equal_nan=True)
