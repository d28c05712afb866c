"""The server as a process: when it opens, when it refuses to start, how it changes versions and how it ends."""

import os
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from fledge.serving.__main__ import main
from tests.serving.conftest import Server, Start, is_open, predict_request, until

# isort: split

from tensorflow.python.lib.io.tf_record import TFRecordWriter
from tensorflow_serving.apis import prediction_log_pb2

X = np.array([2], np.float32)
FailingStart = Callable[..., str]
NO_RETRY = "--max_num_load_retries=0"


@pytest.fixture
def base(saved_models: Path, tmp_path: Path) -> Path:
    """A base path of one's own with version 1."""
    shutil.copytree(saved_models / "half" / "1", tmp_path / "half" / "1")
    return tmp_path / "half"


def of(base: Path, *flags: str) -> list[str]:
    """The flags that serve a base path as the model half."""
    return ["--model_name=half", f"--model_base_path={base}", NO_RETRY, *flags]


def warm_up_with(version: Path, signature: str) -> None:
    """Give a version a warm-up file of one request for a signature."""
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request("another", signature, 99, x=X))
    (version / "assets.extra").mkdir()
    with TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString(deterministic=True))


def processor_seconds(server: Server) -> float:
    """What the process has used of a processor so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_start_is_short(base: Path, start: Start) -> None:
    """A server has answered before it has used four seconds of a processor, unknown flags notwithstanding."""
    server = start(*of(base, "--no_such_flag=1"))
    assert server.rest("GET", "/v1/models/half/versions/1/metadata").status == 200
    assert processor_seconds(server) < 4
    assert "unknown argument: --no_such_flag=1\nusage: " in server.log.read_text()


def test_ports_open_when_a_version_is_whole(base: Path, start: Start) -> None:
    """Ports stay closed while there is no version; one appears by rename, a later one takes over without a failure."""
    (base / "1").rename(base / "1.partial")
    server = start(*of(base, "--file_system_poll_wait_seconds=1"), wait=False)
    until(lambda: "No versions of servable half found under base path" in server.log.read_text())
    assert not is_open(server.port)
    assert not is_open(server.rest_port)
    (base / "1.partial").rename(base / "1")
    until(lambda: is_open(server.port) and is_open(server.rest_port))
    assert server.predict("half", x=X).model_spec.version.value == 1
    shutil.copytree(base / "1", base / "2.partial")
    (base / "2.partial").rename(base / "2")
    answered = []
    until(lambda: answered.append(server.predict("half", x=X).model_spec.version.value) or answered[-1] == 2)
    assert answered == sorted(answered)
    states = server.rest("GET", "/v1/models/half").json["model_version_status"]
    assert [(state["version"], state["status"]["error_code"]) for state in states] == [("2", "OK"), ("1", "OK")]
    until(lambda: server.rest("GET", "/v1/models/half/versions/1").json["model_version_status"][0]["state"] == "END")


def test_warm_up_comes_before_the_first_request(base: Path, start: Start, tmp_path: Path) -> None:
    """The warm-up file is replayed, whatever model it names, before the ports open."""
    warm_up_with(base / "1", "serving_default")
    (tmp_path / "monitoring.config").write_text('prometheus_config { enable: true path: "/metrics" }')
    server = start(*of(base, f"--monitoring_config_file={tmp_path}/monitoring.config"))
    page = server.rest("GET", "/metrics").body.decode()
    assert f':tensorflow:serving:model_warmup_records_read{{model_path="{base}/1",status="OK"}} 1' in page
    assert ':tensorflow:serving:runtime_latency_count{model_name="half",API="Predict",runtime="TF1"} 1' in page
    assert ":tensorflow:serving:request_count" not in page


REQUEST_THAT_WAITS = """
import sys, time, uuid
from pathlib import Path
from fledge.artifact.savedmodel import Model
from fledge.serving.__main__ import main

folder = Path(sys.argv[1])

def run(*call):
    (folder / f"begun-{uuid.uuid4()}").touch()
    while not (folder / "go on").exists():
        time.sleep(0.01)
    return Model.run(*call)

raise SystemExit(main(sys.argv[2:], run))
"""


def test_sigterm_drains(saved_models: Path, tmp_path: Path, start: Start) -> None:
    """On SIGTERM requests under way by gRPC and REST are answered, no connection is taken, and the exit code is 0.

    They run by the function that `main` is given.
    """
    server = start(*of(saved_models / "half"), program=("-c", REQUEST_THAT_WAITS, str(tmp_path)))
    with ThreadPoolExecutor() as threads:
        by_grpc = threads.submit(server.predict, "half", x=X)
        by_rest = threads.submit(server.rest, "POST", "/v1/models/half:predict", {"instances": [2.0]})
        until(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
        server.process.terminate()
        until(lambda: not is_open(server.rest_port))
        assert not by_grpc.done()
        assert not by_rest.done()
        (tmp_path / "go on").touch()
        assert list(by_grpc.result().outputs["y"].float_val) == [4]
        assert by_rest.result().json == {"predictions": [4.0]}
    assert server.process.wait(timeout=20) == 0


def test_a_server_that_waits_can_be_ended(tmp_path: Path, start: Start) -> None:
    """SIGTERM ends a server whose base path is missing, too."""
    server = start(*of(tmp_path / "nowhere"), wait=False)
    until(lambda: "Could not find base path" in server.log.read_text())
    assert server.end() == 0


def test_grpc_may_be_all_there_is(base: Path, start: Start, tmp_path: Path) -> None:
    """Without a REST port, and on a UNIX socket, gRPC is served and drained."""
    server = start(*of(base, f"--grpc_socket_path={tmp_path}/socket", "--rest_api_port=0"), wait=False)
    until(lambda: (tmp_path / "socket").exists())
    assert list(server.predict("half", x=X).outputs["y"].float_val) == [3]
    with grpc.insecure_channel(f"unix:{tmp_path}/socket") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        assert call(predict_request("half", x=X).SerializeToString(), timeout=10)
    assert not is_open(server.rest_port)
    assert server.end() == 0


@pytest.fixture
def failing_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> FailingStart:
    """A function that runs a server which is to end at once: the last line of its output, after the exit code 255."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("fledge.serving.__main__._answer", lambda *_: pytest.fail("it started"))

    def run(*flags: str) -> str:
        assert main(flags) == 255
        return capsys.readouterr().out.splitlines()[-1]

    return run


def test_a_taken_port_is_refused(server: Server, base: Path, failing_start: FailingStart) -> None:
    """A second server on a port of the first does not start, be it gRPC's or REST's."""
    message = failing_start(*of(base, f"--port={server.port}"))
    assert message.startswith("Failed to start server. Error: INVALID_ARGUMENT: Failed to BuildAndStart gRPC server: ")
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = failing_start(*of(base, f"--rest_api_port={port}"))
    assert (
        message
        == f"Failed to start server. Error: INVALID_ARGUMENT: Failed to start HTTP Server at localhost:{port}: Address already in use"
    )


def _no_graph(version: Path) -> str:
    (version / "saved_model.pb").write_bytes(b"\xff")
    return f"DATA_LOSS: Can't parse {version}/saved_model.pb as binary proto"


def _stale_warm_up(version: Path) -> str:
    warm_up_with(version, "gone")
    return 'FAILED_PRECONDITION: Serving signature key "gone" not found.'


@pytest.mark.parametrize("breaking", [_no_graph, _stale_warm_up])
def test_a_broken_model_ends_the_start(
    base: Path, failing_start: FailingStart, breaking: Callable[[Path], str]
) -> None:
    """A model that does not load, or whose warm-up fails, ends the process with its name and the reason."""
    reason = breaking(base / "1")
    failure = f"{{{{{{name: half version: 1}} due to error: {reason}}}, }}"
    assert (
        failing_start(*of(base))
        == f"Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {failure}"
    )


def test_warm_up_must_be_records(base: Path, failing_start: FailingStart) -> None:
    """A warm-up file of another format is DATA_LOSS and says which format is meant."""
    (base / "1" / "assets.extra").mkdir()
    (base / "1" / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"this is a text and no record")
    message = failing_start(*of(base))
    assert "due to error: DATA_LOSS: " in message
    assert message.endswith("Please verify your warmup data is in TFRecord format.}, }")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port=0"], "INVALID_ARGUMENT: At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."),
        ([], "INVALID_ARGUMENT: Both server_options.model_base_path and server_options.model_config_file are empty!"),
        (["--enable_batching"], "UNIMPLEMENTED: fledge.serving cannot heed --enable_batching"),
        (["--tensorflow_session_parallelism=1", "--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"], "INVALID_ARGUMENT: Set either tensorflow_session_parallelism or the intra- and inter-op parallelism, not all three"),
    ],
)  # fmt: skip
def test_flags_that_cannot_be_served(failing_start: FailingStart, flags: list[str], message: str) -> None:
    """What the flags ask for in vain is said before anything is loaded."""
    assert failing_start(*flags) == f"Failed to start server. Error: {message}"


def test_usage_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad value and --help print the usage and end with 255, --version prints two lines and ends with 0."""
    assert main(["--port=x"]) == 255
    assert capsys.readouterr().out.startswith("Couldn't interpret value x for flag port.\nusage: ")
    assert main(["--help"]) == 255
    assert capsys.readouterr().out.startswith("usage: ")
    assert main(["--version"]) == 0
    version = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in version] == ["TensorFlow ModelServer", "TensorFlow Library"]
