"""The judge over HTTP, for the `web` provider of Argo Rollouts.

`GET /v1/verdict?environment=&model=&stable=&canary=&weight=&error-ratio=` answers 200 with a verdict, 400 with a line
about the query, 503 while Envoy does not answer (an error of the measurement, never a verdict). `GET /healthz`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from fledge.judge import counts
from fledge.judge.memory import PERIOD, Canary, Memory
from fledge.problems import Problem

LOG = logging.getLogger(__name__)
NAMES = ("environment", "model", "stable", "canary")


def question(query: Mapping[str, str]) -> tuple[Canary, int, float]:
    """(who, weight in percent, error ratio) of a query. Raises Problem, a line for each parameter that is wrong."""
    weight, ratio = _number(query.get("weight")), _number(query.get("error-ratio"))
    lines = [f"judge: {name} is missing, expected a name (query)" for name in NAMES if not query.get(name)]
    if not (0 < weight <= 100 and weight == int(weight)):
        lines.append(f"judge: weight is {query.get('weight')}, expected a whole percentage from 1 to 100 (query)")
    if not 0 < ratio < 1:
        lines.append(f"judge: error-ratio is {query.get('error-ratio')}, expected a number between 0 and 1 (query)")
    if lines:
        raise Problem(*lines)
    return Canary(*(query[name] for name in NAMES)), int(weight), ratio


def app(envoy: str, period: float = PERIOD) -> Starlette:
    """The judge of the Envoy whose admin interface is at the URL `envoy`."""
    memory = Memory()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            app.state.session = session
            sampling = asyncio.create_task(_sample(memory, session, envoy, period))
            yield
            sampling.cancel()

    async def verdict(request: Request) -> JSONResponse:
        try:
            who, weight, error_ratio = question(request.query_params)
        except Problem as problem:
            return JSONResponse({"error": "; ".join(problem.lines)}, status_code=400)
        try:
            memory.notice(await counts.read(request.app.state.session, envoy))
        except (aiohttp.ClientError, TimeoutError) as error:
            return JSONResponse({"error": f"judge: Envoy does not answer: {error!r} ({envoy})"}, status_code=503)
        return JSONResponse(asdict(memory.look(who, weight, error_ratio, time.monotonic())))

    async def healthz(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/v1/verdict", verdict), Route("/healthz", healthz)], lifespan=lifespan)


async def _sample(memory: Memory, session: aiohttp.ClientSession, envoy: str, period: float) -> None:
    while True:
        try:
            memory.sample(await counts.read(session, envoy))
        except (aiohttp.ClientError, TimeoutError):
            pass  # the next look says so
        except Exception:  # a judge without samples would go on with less than it should know
            LOG.exception("judge: found no counters in Envoy's answer, expected them (%s)", envoy)
        await asyncio.sleep(period)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
