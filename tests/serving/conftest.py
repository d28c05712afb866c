"""One server for all tests that only ask, and what it takes to start another."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import pytest

from fledge.artifact import bare
from tests.serving import examples

# isort: split

from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

CONFIG = """model_config_list {{
  config {{ name: "half" base_path: "{models}/half" model_platform: "tensorflow"
            model_version_policy {{ all {{}} }} }}
  config {{ name: "risk" base_path: "{models}/risk" model_platform: "tensorflow" }}
  config {{ name: "kinds" base_path: "{models}/kinds" model_platform: "tensorflow" }}
}}"""


@dataclass(frozen=True)
class Reply:
    """A REST reply."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The message of a reply that is an error."""
        assert self.status >= 400
        return str(self.json["error"])


@dataclass(frozen=True)
class Server:
    """A running server and how to ask it."""

    process: "subprocess.Popen[str]"
    port: int
    rest_port: int
    channel: grpc.Channel
    log: Path

    @property
    def predictions(self) -> Any:
        """The stub of PredictionService."""
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self) -> Any:
        """The stub of ModelService."""
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def rest(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Ask by REST; a body that is no bytes is sent as JSON."""
        connection = HTTPConnection("127.0.0.1", self.rest_port, timeout=10)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, content, headers or {})
        response = connection.getresponse()
        reply = Reply(response.status, response.headers["content-type"] or "", response.read())
        connection.close()
        return reply

    def predict(self, name: str, signature: str = "", version: int | None = None, **inputs: Any) -> Any:
        """Ask by gRPC with arrays; the response."""
        return self.predictions.Predict(predict_request(name, signature, version, **inputs), timeout=10)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


def predict_request(name: str, signature: str = "", version: int | None = None, **inputs: Any) -> Any:
    """A PredictRequest of arrays."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(bare.make_tensor_proto(value))
    return request


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and message with which a gRPC call fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Whether something listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(truth: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "did not become true"
        time.sleep(0.02)


Start = Callable[..., Server]


def launch(folder: Path, *flags: str, wait: bool = True, program: Sequence[str] = ("-m", "fledge.serving")) -> Server:
    """Start a server; with `wait` return when both ports are open, before that as soon as it runs."""
    port, rest_port = free_port(), free_port()
    command = [sys.executable, *program, f"--port={port}", f"--rest_api_port={rest_port}", *flags]
    log = folder / f"server-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, text=True)
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    if wait:
        until(lambda: process.poll() is not None or (is_open(port) and is_open(rest_port)))
        assert process.poll() is None, log.read_text()
    return Server(process, port, rest_port, channel, log)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example models."""
    return examples.build(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def server(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that all tests may ask and none may change."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "models.config").write_text(CONFIG.format(models=saved_models))
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    running = launch(
        folder,
        f"--model_config_file={folder}/models.config",
        f"--monitoring_config_file={folder}/monitoring.config",
        "--file_system_poll_wait_seconds=0",
        "--max_num_load_retries=0",
        "--rest_api_timeout_in_ms=400",
    )
    until(lambda: running.rest("GET", "/v1/models/half/versions/1/metadata").status == 200)
    yield running
    running.end(signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that starts a server of one's own, with flags; it is killed after the test."""
    running: list[Server] = []

    def begin(*flags: str, **how: Any) -> Server:
        running.append(launch(tmp_path, *flags, **how))
        return running[-1]

    yield begin
    for each in running:
        each.end(signal.SIGKILL)
