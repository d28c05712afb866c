"""The gRPC services."""

from typing import Any

import numpy as np
import pytest

from fledge.artifact import bare
from tests.serving.conftest import Server, predict_request, refused

# isort: split

from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

X = np.array([2, 4], np.float32)


def test_predict_names_who_answered(server: Server) -> None:
    """The answer is in the typed field and names model, version and signature; without a version, the highest."""
    response = server.predict("half", x=X)
    assert list(response.outputs["y"].float_val) == [4, 5]
    assert not response.outputs["y"].tensor_content
    assert [dim.size for dim in response.outputs["y"].tensor_shape.dim] == [2]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half", 2, "serving_default")
    assert list(server.predict("half", version=1, x=X).outputs["y"].float_val) == [3, 4]


def test_a_filter_chooses_outputs(server: Server) -> None:
    """Only the outputs in the filter are returned."""
    request = predict_request("kinds", "unequal", x=X)
    assert set(server.predictions.Predict(request).outputs) == {"y", "z"}
    request.output_filter.append("z")
    assert set(server.predictions.Predict(request).outputs) == {"z"}


def _broken() -> Any:
    request = predict_request("half", x=X)
    request.inputs["x"].tensor_content = b"\0"
    return request


def _filtered(*names: str) -> Any:
    request = predict_request("half", x=X)
    request.output_filter.extend(names)
    return request


def _labelled() -> Any:
    request = predict_request("half", x=X)
    request.model_spec.version_label = "stable"
    return request


REFUSED = {
    "no spec": (predict_pb2.PredictRequest, "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no name": (lambda: predict_request("", "s", x=X), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "label": (_labelled, "INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
    "model": (lambda: predict_request("m", x=X), "NOT_FOUND", "Servable not found for request: Latest(m)"),
    "version": (lambda: predict_request("half", version=7, x=X), "NOT_FOUND", "Servable not found for request: Specific(half, 7)"),
    "signature": (lambda: predict_request("half", "S", x=X), "FAILED_PRECONDITION", 'Serving signature key "S" not found.'),
    "nothing": (lambda: predict_request("half"), "INVALID_ARGUMENT", "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}."),
    "more": (lambda: predict_request("half", x=X, b=X, a=X), "INVALID_ARGUMENT", "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. Missing but required: {}."),
    "another": (lambda: predict_request("half", a=X), "INVALID_ARGUMENT", "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. Inputs expected to be in the request {a}, or default input alias set: "),
    "tensor": (_broken, "INVALID_ARGUMENT", "tensor parsing error: x"),
    "filter": (lambda: _filtered("z"), "INVALID_ARGUMENT", "output tensor alias not found in signature: z Outputs expected to be in the set {y}."),
    "twice": (lambda: _filtered("y", "y"), "INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    "dtype": (lambda: predict_request("half", x=np.array([1.0])), "INVALID_ARGUMENT", "Expects arg[0] to be float but double is provided"),
}  # fmt: skip


@pytest.mark.parametrize(("request_of", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_predict_refuses(server: Server, request_of: Any, code: str, message: str) -> None:
    """Each mistake has TensorFlow Serving's code and message; the graph's own pass unchanged."""
    assert refused(lambda: server.predictions.Predict(request_of(), timeout=10)) == (code, message)


def test_requests_may_be_short(server: Server) -> None:
    """The last value of a tensor fills its shape, and packed content is read."""
    request = predict_request("half", x=X)
    del request.inputs["x"].float_val[1:]
    assert list(server.predictions.Predict(request).outputs["y"].float_val) == [4, 4]
    request.inputs["x"].tensor_content = X.tobytes()
    assert list(server.predictions.Predict(request).outputs["y"].float_val) == [4, 5]


def test_long_messages_are_cut(server: Server) -> None:
    """An error's text has at most 1024 characters and says that it was cut."""
    code, message = refused(lambda: server.predict("n" * 2000, x=X))
    assert code == "NOT_FOUND"
    assert message == f"Servable not found for request: Latest({'n' * 2000})"[:1024] + "...TRUNCATED"


def test_the_deadline_ends_the_run(server: Server) -> None:
    """A run that would outlast its caller's deadline is given up, and others are answered."""
    request = predict_request("kinds", "count", n=np.array([10**12]))
    assert refused(lambda: server.predictions.Predict(request, timeout=0.3))[0] == "DEADLINE_EXCEEDED"
    assert list(server.predict("half", x=X).outputs["y"].float_val) == [4, 5]


def test_kinds_of_values_come_back(server: Server) -> None:
    """Integers, truth, text and halves return in the fields of their types."""
    inputs = {
        "i": np.array([-1], np.int32),
        "n": np.array([2**40]),
        "u": np.array([255], np.uint8),
        "flag": np.array([True]),
        "blob": np.array([b"\xff"], object),
    }
    outputs = server.predict("kinds", "many", **inputs).outputs
    assert {name: bare.make_ndarray(tensor).tolist() for name, tensor in outputs.items()} == {
        "i_out": [-1],
        "n_out": [2**40],
        "u_out": [255],
        "flag_out": [True],
        "blob_bytes": [b"\xff"],
        "text": [b"\xff!"],
    }
    half = server.predict("kinds", "half", x=X).outputs["y"]
    assert half.dtype == types_pb2.DT_HALF
    assert bare.make_ndarray(half).tolist() == [2, 4]


def test_big_messages_pass(server: Server) -> None:
    """A request above gRPC's usual 4 MB is answered."""
    x = np.arange(2_000_000, dtype=np.float32)
    request = predict_request("kinds", "total", x=x[:1])
    request.inputs["x"].tensor_shape.dim[0].size = x.size
    request.inputs["x"].tensor_content = x.tobytes()
    answered = server.predictions.Predict(request, timeout=10).outputs["y"].float_val[0]
    assert answered == pytest.approx(x.sum(dtype=np.float64), rel=1e-4)


def _status(server: Server, **spec: Any) -> list[tuple[int, int, int]]:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_pb2.ModelSpec(**spec))
    found = server.models.GetModelStatus(request, timeout=10).model_version_status
    return [(version.version, version.state, version.status.error_code) for version in found]


def test_status_lists_versions(server: Server) -> None:
    """All versions are listed, the highest first, or the one asked for; a label is ignored."""
    assert _status(server, name="half") == [(2, 30, 0), (1, 30, 0)]
    assert _status(server, name="half", version={"value": 1}) == [(1, 30, 0)]
    assert _status(server, name="half", version_label="stable") == [(2, 30, 0), (1, 30, 0)]


def test_status_refuses(server: Server) -> None:
    """A status of nothing is NOT_FOUND by name."""
    assert refused(lambda: _status(server, name="m")) == ("NOT_FOUND", "Could not find any versions of model m")
    assert refused(lambda: _status(server, name="half", version={"value": 7})) == (
        "NOT_FOUND",
        "Could not find version 7 of model half",
    )
    empty = get_model_status_pb2.GetModelStatusRequest()
    assert refused(lambda: server.models.GetModelStatus(empty)) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def _metadata(server: Server, *fields: str, **spec: Any) -> Any:
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=fields)
    return server.predictions.GetModelMetadata(request, timeout=10)


def test_metadata_are_the_signatures(server: Server) -> None:
    """Metadata hold every signature with names, dtypes and declared shapes, and the version that answered."""
    response = _metadata(server, "signature_def", name="half")
    assert (response.model_spec.name, response.model_spec.version.value) == ("half", 2)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    x = signatures.signature_def["serving_default"].inputs["x"]
    assert (x.name, x.dtype, [dim.size for dim in x.tensor_shape.dim]) == (
        "serving_default_x:0",
        types_pb2.DT_FLOAT,
        [-1, 1],
    )


def test_metadata_refuse(server: Server) -> None:
    """Only signature_def can be asked, of a version that is AVAILABLE."""
    invalid = "INVALID_ARGUMENT"
    assert refused(lambda: _metadata(server, name="half")) == (
        invalid,
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    assert refused(lambda: _metadata(server, "x", name="half")) == (invalid, "Metadata field x is not supported")
    assert refused(lambda: _metadata(server, "signature_def", name="m")) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(m)",
    )


def test_the_rest_is_unimplemented(server: Server) -> None:
    """Classify and reloading answer UNIMPLEMENTED."""
    classify = classification_pb2.ClassificationRequest()
    assert refused(lambda: server.predictions.Classify(classify))[0] == "UNIMPLEMENTED"
    method = server.channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
    assert refused(lambda: method(b""))[0] == "UNIMPLEMENTED"
