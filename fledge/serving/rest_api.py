"""The REST half: predict, status and metadata of models, and the page of metrics."""

import asyncio
import json
import re
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from tensorflow_serving.apis import model_pb2

from fledge.artifact.savedmodel import Error
from fledge.client.status import HTTP
from fledge.series import REQUEST_COUNT, REQUEST_LATENCY
from fledge.serving import describe, rest_json, rest_request, rest_response
from fledge.serving.errors import code_name, error
from fledge.serving.metrics import Metrics
from fledge.serving.models import Models
from fledge.serving.predict import DEFAULT_SIGNATURE, Execute

_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_FLAGS = re.IGNORECASE | re.ASCII
POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", _FLAGS)
GET = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<verb>metadata))?", _FLAGS)

NOT_FOUND_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
LARGEST_UNZIPPED = 100 * 2**20


@dataclass(frozen=True)
class Api:
    """What the REST half needs to answer."""

    models: Models
    execute: Execute
    metrics: Metrics
    metrics_path: str | None
    timeout_ms: int


def app(api: Api, threads: Executor) -> ASGIApp:
    """Return the ASGI application; each request is answered in a thread of its own."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(
            threads, answer, api, request.method, _target(scope), request.headers, body
        )
        await response(scope, receive, send)

    return call


def _target(scope: Scope) -> str:
    """Return the path as sent, not yet decoded, with the query: TensorFlow Serving matches on both."""
    path: str = scope["raw_path"].decode("latin-1")
    query: str = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def answer(api: Api, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Answer one request. Total: every target and body has a reply."""
    path = target.partition("?")[0]
    if api.metrics_path is not None and path == api.metrics_path:
        return _metrics_page(api, target)
    if not path.lower().startswith("/v1/"):
        return Response(NOT_FOUND_PAGE, 404, headers={"content-type": "text/html"})
    if method == "OPTIONS":
        return Response(status_code=200 if re.search("https?://", headers.get("origin", "")) else 400)
    return _measured(api, method, target, headers, body)


def _metrics_page(api: Api, target: str) -> Response:
    if target != api.metrics_path:
        return Response(f"Unexpected path: {target}. Should be {api.metrics_path}", 400)
    return Response(api.metrics.text(), headers={"content-type": "text/plain"})


def _measured(api: Api, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Answer a request under /v1/, count it, and measure it if it succeeds."""
    begun = time.perf_counter()
    found = _ROUTES[method].fullmatch(target) if method in _ROUTES else None
    name = unquote(found["name"] or "") if found else ""
    verb = (found["verb"] or "") if found else ""
    if found and int(found["version"] or 0) >= 2**63:
        return _json(b"", 400)
    try:
        if found is None or verb not in _REPLIES:
            raise error("INVALID_ARGUMENT", f"Malformed request: {method} {target}")
        content = _REPLIES[verb](api, _spec(name, found), _unzipped(headers, body))
    except Error as failure:
        api.metrics.count(REQUEST_COUNT, model_name=name, status=code_name(failure))
        return _json(rest_json.error_body(failure.message), HTTP.get(code_name(failure), 500))
    elapsed = (time.perf_counter() - begun) * 1e6
    api.metrics.count(REQUEST_COUNT, model_name=name, status="OK")
    api.metrics.observe(REQUEST_LATENCY, elapsed, model_name=name, API=verb, entrypoint="REST")
    return _json(content, 200)


def _json(content: bytes, status: int) -> Response:
    return Response(content, status, media_type="application/json")


def _spec(name: str, found: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=name)
    if found["version"]:
        spec.version.value = int(found["version"])
    if found["label"]:
        spec.version_label = unquote(found["label"])
    return spec


def _unzipped(headers: Mapping[str, str], body: bytes) -> bytes:
    if "gzip" not in headers.get("content-encoding", ""):
        return body
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, LARGEST_UNZIPPED)
    except zlib.error as problem:
        raise error("INVALID_ARGUMENT", f"Failed to uncompress request body: {problem}") from None
    if not unpacker.eof:
        raise error("INVALID_ARGUMENT", "Failed to uncompress request body: truncated, or larger than 100 MB")
    return plain


def _predict(api: Api, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
    request = rest_json.parse(body)
    if not isinstance(request, dict):
        raise error("INVALID_ARGUMENT", f"JSON Value: {rest_json.dump(request)} Is not object")
    key = request.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(key, str):
        message = "not formatted correctly. 'signature_name' key must be a string value."
        raise error("INVALID_ARGUMENT", f"JSON Value: {rest_json.dump(request)} {message}")
    key = key or DEFAULT_SIGNATURE
    with api.models.use(spec) as servable:
        signature = servable.model.signatures.get(key)
        if signature is None:
            message = f'Serving signature name: "{key}" not found in signature def'
            raise error("INVALID_ARGUMENT", message)
        inputs, row_format = rest_request.read(request, signature.inputs)
        outputs = api.execute(servable, key, inputs, None, api.timeout_ms)
    return rest_response.write(outputs, row_format=row_format)


def _status(api: Api, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
    _check_name(spec)
    response = describe.status(spec, api.models)
    return json_format.MessageToJson(response, indent=1, **_AS_STORED).encode() + b"\n"


def _metadata(api: Api, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
    _check_name(spec)
    number, signatures = describe.signatures(spec, api.models)
    answered = {"name": spec.name, "signature_name": "", "version": str(number)}
    found = json_format.MessageToDict(signatures, **_AS_STORED)
    content = {"model_spec": answered, "metadata": {"signature_def": found}}
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _check_name(spec: model_pb2.ModelSpec) -> None:
    if not spec.name:
        raise error("INVALID_ARGUMENT", "Missing model name in request.")


def _unimplemented(api: Api, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
    raise error("UNIMPLEMENTED", "This server answers predict only, neither classify nor regress")


_AS_STORED: dict[str, Any] = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
_ROUTES = {"POST": POST, "GET": GET}
_REPLIES: dict[str, Callable[[Api, model_pb2.ModelSpec, bytes], bytes]] = {
    "predict": _predict,
    "classify": _unimplemented,
    "regress": _unimplemented,
    "metadata": _metadata,
    "": _status,
}
