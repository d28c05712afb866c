"""fledge.rehearsal.probes against real listeners."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from fledge.problems import Problem
from fledge.rehearsal import ports
from fledge.rehearsal.probes import Probe, outcomes, probe, succeeds

HTTP = {"httpGet": {"path": "/ready", "port": "rest"}}
TCP = {"tcpSocket": {"port": 8500}}


@asynccontextmanager
async def answering(*statuses: int | None) -> AsyncIterator[int]:
    """A server on a port of its own that answers with these statuses in turn (None: never), the last for ever."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        status = left.pop(0) if len(left) > 1 else left[0]
        if status is None:
            await asyncio.Event().wait()
        return web.Response(status=status or 0)

    app = web.Application()
    app.router.add_get("/ready", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    port = ports.free()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


def at(port: int, spec: dict[str, object]) -> Probe:
    """The probe of `spec` on `port`."""
    return probe(spec, lambda _: port)


@pytest.mark.parametrize(("status", "success"), {200: True, 399: True, 400: False, 503: False}.items())
def test_http_status(status: int, success: bool) -> None:
    """An httpGet probe succeeds with 200 to 399 and with nothing else."""

    async def scene() -> bool:
        async with answering(status) as port:
            return await succeeds(at(port, HTTP))

    assert asyncio.run(scene()) is success


def test_http_timeout() -> None:
    """A server that answers too late has failed the probe, after timeoutSeconds and not later."""

    async def scene() -> float:
        async with answering(None) as port:
            before = asyncio.get_running_loop().time()
            assert not await succeeds(at(port, {**HTTP, "timeoutSeconds": 0.2}))
            return asyncio.get_running_loop().time() - before

    assert 0.2 <= asyncio.run(scene()) < 1


def test_tcp() -> None:
    """A tcpSocket probe succeeds exactly while somebody listens."""

    async def scene() -> tuple[bool, bool]:
        async with answering(500) as port:
            open_ = await succeeds(at(port, TCP))
        return open_, await succeeds(at(port, TCP))

    assert asyncio.run(scene()) == (True, False)


def test_thresholds() -> None:
    """An outcome is told once enough probes in a row agree, and at every probe from then on."""

    async def scene() -> list[bool]:
        spec = {**HTTP, "periodSeconds": 0.01, "failureThreshold": 3, "successThreshold": 2}
        found = []
        async with answering(200, 500, 500, 200, 200, 200, 500, 500, 500) as port:
            async for outcome in outcomes(at(port, spec)):
                found.append(outcome)
                if not outcome:
                    break
        return found

    assert asyncio.run(scene()) == [True, True, False]


def test_defaults() -> None:
    """What a manifest leaves out is as the Kubernetes API says."""
    assert probe(TCP, lambda port: int(port) + 1) == Probe(8501, None, 0, 10, 1, 3, 1)


def test_other_probes_are_refused() -> None:
    """A probe that the rehearsal cannot make is named."""
    with pytest.raises(Problem, match="found exec, expected httpGet or tcpSocket"):
        probe({"exec": {"command": ["true"]}}, int)
