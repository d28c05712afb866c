"""The REST API."""

import gzip
import json
import re
import socket
import statistics
import time
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

from tests.serving.conftest import Server, refused

PREDICT = "/v1/models/half:predict"


def test_predict_in_rows_and_columns(server: Server) -> None:
    """Rows give predictions, columns give outputs, in TensorFlow Serving's layout."""
    rows = server.rest("POST", PREDICT, {"instances": [1.0, 2.0, 5.0]})
    assert (rows.status, rows.content_type) == (200, "application/json")
    assert rows.body == b'{\n    "predictions": [3.5, 4.0, 5.5\n    ]\n}'
    columns = server.rest("POST", PREDICT, {"inputs": [1.0, 2.0]})
    assert columns.body == b'{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}'


def test_a_version_can_be_chosen(server: Server) -> None:
    """The path may name a version; names are percent-encoded, the path's words in any case."""
    assert server.rest("POST", "/v1/models/half/versions/1:predict", {"instances": [2]}).json == {"predictions": [3.0]}
    assert server.rest("POST", "/V1/Models/h%61lf:predict", {"instances": [2]}).json == {"predictions": [4.0]}


def test_several_outputs_are_named(server: Server) -> None:
    """Several inputs and outputs are objects by name."""
    row = {"origin": "JFK", "temp": 0.0}
    (answer,) = server.rest("POST", "/v1/models/risk:predict", {"instances": [row]}).json["predictions"]
    assert set(answer) == {"class", "probabilities"}
    assert sum(answer["probabilities"]) == pytest.approx(1)


ERRORS: dict[str, tuple[str, str, Any, int, str]] = {
    "bad JSON before a bad model": ("POST", "/v1/models/m:predict", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    "empty": ("POST", PREDICT, b"", 400, "JSON Parse error: The document is empty"),
    "no object": ("POST", PREDICT, [1], 400, "JSON Value: [1] Is not object"),
    "deep": ("POST", PREDICT, b'{"instances": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}", 400, "JSON Value: lists nested 899 deep, expected at most 64"),
    "deep and quoted": ("POST", PREDICT, b"[" * 900 + b"]" * 900, 400, "[" * 257 + " Is not object"),
    "signature's type": ("POST", "/v1/models/m:predict", {"signature_name": 1}, 400, "JSON Value: {\n    \"signature_name\": 1\n} not formatted correctly. 'signature_name' key must be a string value."),
    "model before signature": ("POST", "/v1/models/m:predict", {"signature_name": "S"}, 404, "Servable not found for request: Latest(m)"),
    "version": ("POST", "/v1/models/half/versions/7:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(half, 7)"),
    "label": ("POST", "/v1/models/half/labels/stable:predict", {"instances": [1]}, 400, "Unrecognized servable version label: stable"),
    "signature": ("POST", PREDICT, {"signature_name": "S"}, 400, 'Serving signature name: "S" not found in signature def'),
    "no key": ("POST", PREDICT, {}, 400, "Missing 'inputs' or 'instances' key"),
    "half": ("POST", "/v1/models/kinds:predict", {"signature_name": "takes_half", "inputs": [1.0]}, 501, "Conversion of JSON Value: 1.0 to type: half"),
    "half out": ("POST", "/v1/models/kinds:predict", {"signature_name": "half", "inputs": [1.0]}, 501, "Failed to write JSON value for tensor type: half"),
    "no rows": ("POST", "/v1/models/kinds:predict", {"signature_name": "total", "instances": [1.0]}, 400, "Tensor name: y has no shape information "),
    "unequal rows": ("POST", "/v1/models/kinds:predict", {"signature_name": "unequal", "instances": [1.0]}, 400, "Tensor name: z has inconsistent batch size: 2 expecting: 1"),
    "timeout": ("POST", "/v1/models/kinds:predict", {"signature_name": "count", "instances": [10**12]}, 504, "Timed out waiting for notification"),
    "query": ("POST", PREDICT + "?x=1", {"instances": [1]}, 400, f"Malformed request: POST {PREDICT}?x=1"),
    "case of the verb": ("POST", "/v1/models/half:PREDICT", {"instances": [1]}, 400, "Malformed request: POST /v1/models/half:PREDICT"),
    "GET of a verb": ("GET", PREDICT, None, 400, f"Malformed request: GET {PREDICT}"),
    "PUT": ("PUT", "/v1/models/half", None, 400, "Malformed request: PUT /v1/models/half"),
    "nothing": ("GET", "/v1/", None, 400, "Malformed request: GET /v1/"),
    "no name": ("GET", "/v1/models", None, 400, "Missing model name in request."),
    "status": ("GET", "/v1/models/m", None, 404, "Could not find any versions of model m"),
    "status with a query": ("GET", "/v1/models/half?x=1", None, 404, "Could not find any versions of model half?x=1"),
    "metadata": ("GET", "/v1/models/half/versions/7/metadata", None, 404, "Servable not found for request: Specific(half, 7)"),
    "gzip": ("POST", PREDICT, b"nonsense", 400, "Failed to uncompress request body"),
    "classify": ("POST", "/v1/models/half:classify", {}, 501, "This server answers predict only"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(server: Server, method: str, path: str, body: Any, status: int, message: str) -> None:
    """Each mistake has TensorFlow Serving's status and message, as pretty JSON."""
    headers = {"content-encoding": "gzip"} if message.startswith("Failed to uncompress") else None
    reply = server.rest(method, path, body, headers)
    assert (reply.status, reply.content_type) == (status, "application/json")
    assert message in reply.error
    assert reply.body == json.dumps({"error": reply.error}, indent=4, ensure_ascii=False).encode()


def test_a_version_beyond_int64_has_no_words(server: Server) -> None:
    """A version above int64 is a 400 with an empty body."""
    reply = server.rest("GET", f"/v1/models/half/versions/{2**63}")
    assert (reply.status, reply.body) == (400, b"")


def test_outside_is_a_page(server: Server) -> None:
    """What is not under /v1/ is a 404 page in HTML."""
    for path in ("/", "/v1", "/v2/models", "/healthz"):
        reply = server.rest("GET", path)
        assert (reply.status, reply.content_type) == (404, "text/html")
        assert b"<H1>Not Found</H1>" in reply.body


def test_options_want_an_origin(server: Server) -> None:
    """OPTIONS is 200 from a browser's origin and 400 from elsewhere, without a body."""
    browser = server.rest("OPTIONS", PREDICT, headers={"origin": "https://example.com"})
    assert (browser.status, browser.body) == (200, b"")
    assert server.rest("OPTIONS", PREDICT).status == 400


def test_zipped_requests_are_read(server: Server) -> None:
    """A gzip body is unpacked."""
    body = gzip.compress(json.dumps({"instances": [1.0]}).encode())
    assert server.rest("POST", PREDICT, body, {"content-encoding": "gzip"}).json == {"predictions": [3.5]}


def test_curl_may_ask_before_it_sends(server: Server) -> None:
    """`Expect: 100-continue` is answered before the body is sent."""
    body = b'{"instances": [1.0]}'
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_status(server: Server) -> None:
    """Status lists every version with all fields, versions as text, one space a level."""
    reply = server.rest("GET", "/v1/models/half")
    ok = {"error_code": "OK", "error_message": ""}
    versions = [{"version": version, "state": "AVAILABLE", "status": ok} for version in ("2", "1")]
    assert reply.json == {"model_version_status": versions}
    assert reply.body.startswith(b'{\n "model_version_status": [\n  {\n   "version": "2"')
    assert server.rest("GET", "/v1/models/half/versions/1").json == {"model_version_status": versions[1:]}


def test_metadata(server: Server) -> None:
    """Metadata hold the signatures with default fields printed, and the version that answered."""
    content = server.rest("GET", "/v1/models/half/metadata").json
    assert content["model_spec"] == {"name": "half", "signature_name": "", "version": "2"}
    signature = content["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dims = [{"size": "-1", "name": ""}, {"size": "1", "name": ""}]
    shape = {"dim": dims, "unknown_rank": False}
    assert signature["inputs"] == {"x": {"name": "serving_default_x:0", "dtype": "DT_FLOAT", "tensor_shape": shape}}
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["defaults"] == {}


def _sample(server: Server, line: str) -> float:
    page = server.rest("GET", "/monitoring/prometheus/metrics")
    assert (page.status, page.content_type) == (200, "text/plain")
    found = re.search(rf"^{re.escape(line)} (.+)$", page.body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0


def _gains(server: Server, act: Any, *lines: str) -> list[float]:
    before = [_sample(server, line) for line in lines]
    act()
    return [_sample(server, line) - value for line, value in zip(lines, before, strict=True)]


def test_metrics_count_requests(server: Server) -> None:
    """Every REST call and every gRPC Predict counts by model and status, names that no one knows too."""

    def ask() -> None:
        server.rest("POST", PREDICT, {"instances": [1.0]})
        server.rest("GET", "/v1/models/half/metadata")
        server.predict("half", x=np.array([1], np.float32))
        refused(lambda: server.predict("half", x=np.array([1], np.int32)))
        server.rest("GET", "/v1/models/unheard")

    series = ['"half",status="OK"', '"half",status="INVALID_ARGUMENT"', '"unheard",status="NOT_FOUND"']
    lines = [f":tensorflow:serving:request_count{{model_name={labels}}}" for labels in series]
    assert _gains(server, ask, *lines) == [3, 1, 1]


def test_metrics_measure_successes(server: Server) -> None:
    """Latency has a series for each API and entry point and leaves out failures; the run is measured for both."""
    request = ":tensorflow:serving:request_latency_count"
    lines = [
        f'{request}{{model_name="half",API="predict",entrypoint="REST"}}',
        f'{request}{{model_name="half",API="",entrypoint="REST"}}',
        ':tensorflow:serving:runtime_latency_count{model_name="half",API="Predict",runtime="TF1"}',
    ]

    def ask() -> None:
        server.rest("POST", PREDICT, {"instances": [1.0]})
        server.rest("POST", PREDICT, {"instances": ["a"]})
        server.rest("GET", "/v1/models/half")

    assert _gains(server, ask, *lines) == [1, 1, 1]


def test_metrics_tell_of_loading(server: Server) -> None:
    """Every version that loaded has counted one attempt."""
    page = server.rest("GET", "/monitoring/prometheus/metrics").body.decode()
    attempts = re.findall(
        r'^:tensorflow:cc:saved_model:load_attempt_count\{.*/(\w+/\d)",status="success"\} 1$', page, re.MULTILINE
    )
    assert sorted(attempts) == ["half/1", "half/2", "kinds/1", "risk/1"]


def test_metrics_have_one_path(server: Server) -> None:
    """The path of the metrics takes no query."""
    reply = server.rest("GET", "/monitoring/prometheus/metrics?x=1")
    assert reply.status == 400
    assert reply.body.startswith(b"Unexpected path: /monitoring/prometheus/metrics?x=1")


def test_replies_do_not_wait_for_acknowledgements(server: Server) -> None:
    """A reply on a kept connection is not held back by Nagle's algorithm, which costs 40 ms."""
    connection = HTTPConnection("127.0.0.1", server.rest_port, timeout=10)
    seconds = []
    for _ in range(21):
        begun = time.perf_counter()
        connection.request("POST", PREDICT, b'{"instances": [1.0]}')
        assert connection.getresponse().read()
        seconds.append(time.perf_counter() - begun)
    connection.close()
    assert statistics.median(seconds) < 0.035
