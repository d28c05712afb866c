"""One environment on this machine: gateway, judge, delivery and cluster, until it is cancelled."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from fledge import atomic
from fledge.problems import Problem
from fledge.rehearsal import delivery, ports, process
from fledge.rehearsal.cluster import Cluster, Faults
from fledge.rehearsal.gateway import Address, Gateway
from fledge.rehearsal.node import Node
from fledge.rehearsal.objects import HASH

# Services that manifests name and no pod of a rehearsal stands for.
JUDGE, GATEWAY = "judge.fledge.svc:8080", "models.gateway.svc:80"
JUDGE_STARTS = 30.0  # seconds at most

OnEvent = Callable[[dict[str, Any]], None]


async def rehearse(
    environment: str, remote: str, branch: str, folder: Path, on_event: OnEvent, faults: Faults | None = None
) -> None:
    """Run what `branch` of the git `remote` renders for `environment`, until cancelled; then nothing is left running.

    `on_event` gets every event: `event` (started, applied, pod, phase, weights, verdict, analysis, aborted, completed,
    note or problem), `time` (unix), `environment`, `message`, and where there is one `model`, `version`, `delivery`.
    `completed` says whether it was the `first` delivery, which had no canary. `folder` keeps logs and `state.json`.
    `faults` is the share of predictions that fail, by (model, version). Raises Problem if gateway or judge do not start.
    """

    def emit(event: str, facts: Mapping[str, Any]) -> None:
        atomic.write(folder / "state.json", json.dumps(_state(environment, gateway, judge, cluster), indent=2))
        on_event({"event": event, "time": time.time(), "environment": environment, **facts})

    gateway, judge = Gateway(), ("127.0.0.1", ports.free())
    cluster = Cluster(gateway, emit, faults)
    folder = folder.resolve()
    _clear(folder)
    await gateway.start(folder / "gateway")
    try:
        judging = await _start_judge(judge, gateway, folder)
        node = Node(folder / "pods", {JUDGE: _text(judge), GATEWAY: _text(gateway.address)}, cluster.changed)
        try:
            emit("started", {"message": f"gateway at {_text(gateway.address)}, following {branch} of {remote}"})
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(cluster.run(node))
                mirror = folder / "mirror.git"
                tasks.create_task(delivery.follow(remote, branch, environment, mirror, cluster.apply, emit))
        finally:
            await node.close()
            await process.stop(judging, 5)
    finally:
        await gateway.stop()
        _clear(folder)


def _clear(folder: Path) -> None:
    """Remove what is true of a running rehearsal only: its state, and the volumes of its pods."""
    (folder / "state.json").unlink(missing_ok=True)
    for volumes in folder.glob("pods/*/volumes"):
        shutil.rmtree(volumes)


async def _start_judge(judge: Address, gateway: Gateway, folder: Path) -> asyncio.subprocess.Process:
    """Start the judge of this gateway and wait until it answers."""
    words = [f"--port={judge[1]}", f"--envoy=http://{_text(gateway.admin)}"]
    started = await process.start([sys.executable, "-m", "fledge.judge", *words], folder / "judge.log")
    try:
        async with asyncio.timeout(JUDGE_STARTS), aiohttp.ClientSession() as session:
            while not await _healthy(session, f"http://{_text(judge)}/healthz"):
                if started.returncode is not None:
                    raise Problem(f"judge: ended with {started.returncode}, expected it to run ({folder}/judge.log)")
                await asyncio.sleep(0.05)
    except BaseException as error:
        process.kill(started)
        if isinstance(error, TimeoutError):
            raise Problem(f"judge: no answer in {JUDGE_STARTS:g} s, expected one ({folder}/judge.log)") from None
        raise
    return started


async def _healthy(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _state(environment: str, gateway: Gateway, judge: Address, cluster: Cluster) -> dict[str, Any]:
    """What other processes need to know: addresses, and for each model what is stable and which pods there are."""
    return {
        "environment": environment,
        "gateway": gateway.address,
        "admin": gateway.admin,
        "judge": judge,
        "models": {
            app.name: {"stable": status.stable, "current": status.current, "weights": status.weights}
            for app in cluster.applications.values()
            if (status := app.status)
        },
        "pods": [
            {
                "name": pod.name,
                "model": app.name,
                "hash": pod.labels[HASH],
                **app.release(pod.labels[HASH]),
                "ready": pod.ready,
                "folder": str(pod.folder),
                "artifacts": artifacts(pod.folder),
            }
            for app in cluster.applications.values()
            for pod in app.pods
        ],
    }


def artifacts(pod: Path) -> list[str]:
    """The SavedModels that a pod has fetched, each the folder `<volume>/<model>/<number>`.

    Fetching makes other folders beside them and renames them at any moment: those are never looked into.
    """
    return sorted(str(found.parent) for found in pod.glob("volumes/*/*/[0-9]*/saved_model.pb"))


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
