"""Tiny upstream servers and a client for tests of the gateway and of what counts at it. No TensorFlow."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp
import grpc
from aiohttp import web

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
HOSTS = {"rest": "m.example.com", "grpc": "grpc.m.example.com"}


def route(kind: str, weights: tuple[int, int], namespace: str = "production") -> dict[str, Any]:
    """The HTTPRoute or GRPCRoute of model `m`, with the weights of stable and canary."""
    api, port = ("rest", 8501) if kind == "HTTPRoute" else ("grpc", 8500)
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": "/v1/models"}}
    if kind == "GRPCRoute":
        match = {"method": {"service": "tensorflow.serving.PredictionService"}}
    refs = [{"name": f"m-{r}", "port": port, "weight": w} for r, w in zip(("stable", "canary"), weights, strict=True)]
    return {
        "kind": kind,
        "metadata": {"name": f"m-{api}", "namespace": namespace},
        "spec": {"hostnames": [HOSTS[api]], "rules": [{"matches": [match], "backendRefs": refs}]},
    }


def routes(stable: int, canary: int) -> list[dict[str, Any]]:
    """The HTTPRoute and the GRPCRoute of model `m`."""
    return [route(kind, (stable, canary)) for kind in ("HTTPRoute", "GRPCRoute")]


def service(name: str, namespace: str = "production") -> dict[str, Any]:
    """A Service with the two ports of a model."""
    ports = [
        {"name": "grpc", "port": 8500, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"},
        {"name": "rest", "port": 8501, "targetPort": "rest"},
    ]
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": ports}}


SERVICES = [service("m-stable"), service("m-canary")]


def endpoints(**pods: "Pod | None") -> dict[tuple[str, str, str], list[tuple[str, int]]]:
    """Addresses by (namespace, Service, port name), one pod for each role."""
    return {
        ("production", f"m-{role}", api): [("127.0.0.1", port)] if pod and (port := getattr(pod, api)) else []
        for role, pod in pods.items()
        for api in ("rest", "grpc")
    }


@dataclass
class Pod:
    """Answers with its name after `delay` seconds, or as the request's body says: a status, `hang`, `reset`.

    With `model`, a function of method (`REST`, `Predict`, …) and body, it answers what that returns.
    """

    name: str
    delay: float = 0.0
    pre_stop: float = 0.0
    fails: str = ""
    model: Callable[[str, bytes], bytes] | None = None
    rest: int = 0
    grpc: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.rest = self._runner.addresses[0][1]
        self._grpc = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        methods = {
            method: grpc.unary_unary_rpc_method_handler(partial(self._call, method))
            for method in ("Predict", "GetModelMetadata")
        }
        self._grpc.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", methods)]
        )
        self.grpc = self._grpc.add_insecure_port("127.0.0.1:0")
        await self._grpc.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None):
        # preStop: gRPC's server cancels requests that it has not yet read when it is told to stop.
        await asyncio.sleep(0 if kind else self.pre_stop)
        await self._grpc.stop(grace=0 if kind else 1)
        await self._runner.cleanup()

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        if self.model:
            return web.Response(body=self.model("REST", await request.read()))
        how = await request.text() or self.fails
        await asyncio.sleep(30 if how == "hang" else self.delay)
        if how == "reset":
            assert request.transport
            request.transport.abort()
        status = int(how) if re.fullmatch(r"\d{3}", how) else 200
        return web.Response(status=status, text=self.name)

    async def _call(self, method: str, request: bytes, context: Any) -> bytes:
        if self.model:
            return self.model(method, request)
        how = request.decode() or self.fails
        await asyncio.sleep(30 if how == "hang" else self.delay)
        if how in grpc.StatusCode.__members__:
            await context.abort(grpc.StatusCode[how], how)
        return self.name.encode()


@dataclass
class Client:
    """A REST and a gRPC client of the gateway, one connection each; `answers` counts what came back."""

    address: tuple[str, int]
    answers: Counter[str] = field(default_factory=Counter)

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(base_url="http://{}:{}".format(*self.address))
        authority = ("grpc.default_authority", HOSTS["grpc"])
        self.channel = grpc.aio.insecure_channel("{}:{}".format(*self.address), options=[authority])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.channel.close()

    async def rest(
        self, how: str = "", path: str = "/v1/models/m:predict", method: str = "POST", timeout: float = 20
    ) -> str:
        """The name of the pod that answered, or the failure's status."""
        headers, limit = {"Host": HOSTS["rest"]}, aiohttp.ClientTimeout(total=timeout)
        try:
            async with self.session.request(method, path, data=how, headers=headers, timeout=limit) as answer:
                found = await answer.text() if answer.ok else str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            found = type(error).__name__
        self.answers[found] += 1
        return found

    async def grpc(self, how: str = "", method: str = PREDICT, timeout: float = 10) -> str:
        """The name of the pod that answered, or the failure's status."""
        try:
            found = (await self.channel.unary_unary(method)(how.encode(), timeout=timeout)).decode()
        except grpc.aio.AioRpcError as error:
            found = error.code().name
        self.answers[found] += 1
        return found
