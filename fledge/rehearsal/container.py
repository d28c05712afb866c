"""One container: started, probed, ended."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.problems import Problem
from fledge.rehearsal import process
from fledge.rehearsal.probes import Probe, outcomes, probe
from fledge.rehearsal.rewrite import Place, command

Ready = Callable[[bool], None]
SHORTEST_GRACE = 2.0  # what a kubelet leaves a container whose preStop used up the grace period (Kubernetes' docs)


@dataclass(frozen=True)
class Container:
    """A container as this machine runs it; `pre_stop` and `grace` in seconds."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    probes: Mapping[str, Probe]
    pre_stop: float
    grace: float


def prepare(spec: Mapping[str, Any], place: Place, grace: float, log: Path, share: float | None = None) -> Container:
    """Return the container that `spec` of a pod means here. Raises Problem for what the rehearsal cannot run."""
    numbers = {key: port["containerPort"] for port in spec.get("ports", ()) for key in _names(port, spec["name"])}

    def found(port: int | str) -> int:
        if str(port) not in numbers:
            ports = ", ".join(numbers) or "none"
            raise Problem(f"{spec['name']}: found a probe of port {port}, expected one of its ports: {ports} (ports)")
        return place.ports[numbers[str(port)]]

    return Container(
        name=spec["name"],
        argv=tuple(command(place, spec, share)),
        env=_temporary(place) | {entry["name"]: entry.get("value", "") for entry in spec.get("env", ())},
        log=log,
        probes={
            kind: probe(spec[f"{kind}Probe"], found)
            for kind in ("startup", "readiness", "liveness")
            if f"{kind}Probe" in spec
        },
        pre_stop=_pre_stop(spec),
        grace=grace,
    )


def _temporary(place: Place) -> dict[str, str]:
    """A container that mounts /tmp has its own here too: no argument says so, but every program heeds TMPDIR."""
    return {"TMPDIR": place.mounts["/tmp"]} if "/tmp" in place.mounts else {}


def _names(port: Mapping[str, Any], container: str) -> list[str]:
    """What a probe may call a port: its number and its name. Raises Problem for a port without a number."""
    if "containerPort" not in port:
        raise Problem(f"{container}: found a port without containerPort, expected its number (ports)")
    return [str(port["containerPort"]), *([port["name"]] if "name" in port else [])]


async def run(container: Container, ending: asyncio.Event, ready: Ready) -> int:
    """Run the container once and return its exit code (a signal's number negative).

    It is terminated when `ending` is set, when its startup probe gives up or its liveness probe fails.
    """
    child = await process.start(container.argv, container.log, container.env)
    waits = [asyncio.create_task(wait) for wait in (child.wait(), ending.wait(), _unhealthy(container, ready))]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in done:
            wait.result()
        ready(False)
        if child.returncode is None:
            await _terminate(container, child)
        return await child.wait()
    finally:
        for wait in waits:
            wait.cancel()
        process.kill(child)
        await child.wait()


async def _unhealthy(container: Container, ready: Ready) -> None:
    """Return when a probe says that the container must be restarted."""
    if "startup" in container.probes:
        async for started in outcomes(container.probes["startup"]):
            if not started:
                return
            break
    if "readiness" not in container.probes:
        ready(True)
    readiness = asyncio.create_task(_readiness(container, ready))
    try:
        await _liveness(container)
    finally:
        readiness.cancel()


async def _readiness(container: Container, ready: Ready) -> None:
    if "readiness" in container.probes:
        async for answer in outcomes(container.probes["readiness"]):
            ready(answer)


async def _liveness(container: Container) -> None:
    if "liveness" not in container.probes:
        await asyncio.Event().wait()
    async for alive in outcomes(container.probes["liveness"]):
        if not alive:
            return


async def _terminate(container: Container, child: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(min(container.pre_stop, container.grace)):
            await child.wait()
    except TimeoutError:
        await process.stop(child, max(container.grace - container.pre_stop, SHORTEST_GRACE))


def _pre_stop(spec: Mapping[str, Any]) -> float:
    hook = spec.get("lifecycle", {}).get("preStop", {})
    if set(hook) - {"sleep"}:
        raise Problem(f"{spec['name']}: found preStop {', '.join(hook)}, expected sleep (the rehearsal has no other)")
    return float(hook.get("sleep", {}).get("seconds", 0))
