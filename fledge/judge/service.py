"""The judge over HTTP, for the `web` provider of Argo Rollouts.

`GET /v1/verdict?environment=&model=&stable=&canary=&weight=&error-ratio=` answers 200 with a verdict, 400 with a line
about the query, 503 while the source of counts does not answer (an error of the measurement, never a verdict). `GET /healthz`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Protocol

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from fledge.judge.evalues import Judgement
from fledge.judge.memory import Canary
from fledge.problems import Problem

NAMES = ("environment", "model", "stable", "canary")


class Source(Protocol):
    """Where counts come from: fledge.judge.envoy or fledge.judge.prometheus."""

    name: str
    url: str

    async def look(self, session: aiohttp.ClientSession, who: Canary, weight: int, error_ratio: float) -> Judgement:
        """Judge by what is counted now. Raises aiohttp.ClientError or TimeoutError."""

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Do what is to be done between looks; cancelled at the end."""


def question(query: Mapping[str, str]) -> tuple[Canary, int, float]:
    """(who, weight in percent, error ratio) of a query. Raises Problem, a line for each parameter that is wrong."""
    weight, ratio = _number(query.get("weight")), _number(query.get("error-ratio"))
    lines = [
        f"judge: {name} is {query.get(name) or 'missing'}, expected a name (query)"
        for name in NAMES
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", query.get(name, ""))  # as Kubernetes' labels
    ]
    if not (0 < weight <= 100 and weight == int(weight)):
        lines.append(f"judge: weight is {query.get('weight')}, expected a whole percentage from 1 to 100 (query)")
    if not 0 < ratio < 1:
        lines.append(f"judge: error-ratio is {query.get('error-ratio')}, expected a number between 0 and 1 (query)")
    if lines:
        raise Problem(*lines)
    return Canary(*(query[name] for name in NAMES)), int(weight), ratio


def app(source: Source) -> Starlette:
    """The judge by the counts of this source."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            app.state.session = session
            following = asyncio.create_task(source.follow(session))
            yield
            following.cancel()

    async def verdict(request: Request) -> JSONResponse:
        try:
            who, weight, error_ratio = question(request.query_params)
        except Problem as problem:
            return JSONResponse({"error": "; ".join(problem.lines)}, status_code=400)
        try:
            found = await source.look(request.app.state.session, who, weight, error_ratio)
        except (aiohttp.ClientError, TimeoutError) as error:
            told = f"judge: {source.name} does not answer: {error!r} ({source.url})"
            return JSONResponse({"error": told}, status_code=503)
        return JSONResponse(asdict(found))

    async def healthz(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/v1/verdict", verdict), Route("/healthz", healthz)], lifespan=lifespan)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
