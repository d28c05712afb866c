"""Kubernetes' probes, really made."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from fledge.problems import Problem


@dataclass(frozen=True)
class Probe:
    """One probe; `url` is None for a tcpSocket. Times in seconds."""

    port: int
    url: str | None
    initial_delay: float
    period: float
    timeout: float
    failures: int
    successes: int


def probe(spec: Mapping[str, Any], port: Callable[[int | str], int]) -> Probe:
    """Read a probe of a pod spec, defaults as in the Kubernetes API; `port` gives a port's place on 127.0.0.1.

    Raises Problem for a probe that is neither httpGet nor tcpSocket.
    """
    kind = next((kind for kind in ("httpGet", "tcpSocket") if kind in spec), None)
    if kind is None:
        raise Problem(f"probe: found {', '.join(spec)}, expected httpGet or tcpSocket (the rehearsal makes no other)")
    target = port(spec[kind]["port"])
    return Probe(
        port=target,
        url=f"http://127.0.0.1:{target}{spec[kind].get('path', '/')}" if kind == "httpGet" else None,
        initial_delay=spec.get("initialDelaySeconds", 0),
        period=spec.get("periodSeconds", 10),
        timeout=spec.get("timeoutSeconds", 1),
        failures=spec.get("failureThreshold", 3),
        successes=spec.get("successThreshold", 1),
    )


async def succeeds(probe: Probe) -> bool:
    """Make the probe once, on a connection of its own as a kubelet does; HTTP 200 to 399 is success."""
    try:
        async with asyncio.timeout(probe.timeout):
            return await _http(probe.url) if probe.url else await _tcp(probe.port)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False


async def outcomes(probe: Probe) -> AsyncIterator[bool]:
    """Yield True or False whenever the last probes agree often enough for the threshold."""
    await asyncio.sleep(probe.initial_delay)
    streak, last = 0, None
    while True:
        success = await succeeds(probe)
        streak, last = (streak + 1 if success == last else 1), success
        if streak >= (probe.successes if success else probe.failures):
            yield success
        await asyncio.sleep(probe.period)


async def _http(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return 200 <= response.status < 400


async def _tcp(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True
