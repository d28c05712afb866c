"""Pods → processes: this machine as a Kubernetes node."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fledge.problems import Problem
from fledge.rehearsal import ports
from fledge.rehearsal.container import Container, prepare, run
from fledge.rehearsal.malformed import MALFORMED
from fledge.rehearsal.rewrite import Place

FAULT = "fledge.dev/fault-share"  # an annotation that only the rehearsal's own fault switch writes

# A kubelet's restart delays: 10 s, doubled each time up to 5 min, forgotten after 10 min of running
# (Kubernetes' docs, "Container restart policy").
LONGEST_BACKOFF = 300.0
FORGOTTEN_AFTER = 600.0


@dataclass(eq=False)
class Pod:
    """A pod on this node: `completed` when its containers ended, `gone` when it was deleted and nothing is left."""

    manifest: Mapping[str, Any]
    folder: Path
    place: Place
    phase: str = "Pending"
    ready: bool = False
    restarts: int = 0
    reason: str = ""
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    completed: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.manifest["metadata"].get("labels", {}))

    def port(self, target: int | str) -> int | None:
        """Where a Service's targetPort, a number or a name, is on 127.0.0.1."""
        for container in self.manifest["spec"]["containers"]:
            for port in container.get("ports", ()):
                if target in (port["containerPort"], port.get("name")):
                    return self.place.ports[port["containerPort"]]
        return None


class Node:
    """Runs pods below `folder` and calls `changed` after every change of a pod.

    Its processes are those of whoever rehearses: a pod's account, security context and resources are not played.

    `names` says where Services that no pod stands for listen (`judge.fledge.svc:8080` → `127.0.0.1:…`);
    `backoff` is the delay in seconds before a second restart.
    """

    def __init__(
        self, folder: Path, names: Mapping[str, str], changed: Callable[[Pod], None], backoff: float = 10.0
    ) -> None:
        self.folder, self.names, self.changed, self.backoff = folder, names, changed, backoff
        self.lives: dict[Pod, asyncio.Task[None]] = {}

    def create(self, manifest: Mapping[str, Any]) -> Pod:
        """Start a pod and return at once."""
        metadata = manifest["metadata"]
        folder = self.folder / f"{metadata['namespace']}_{metadata['name']}"
        pod = Pod(manifest, folder, self._place(manifest["spec"], folder))
        self.lives[pod] = asyncio.create_task(self._live(pod))
        return pod

    def delete(self, pod: Pod) -> None:
        """Take a pod out of service at once and end it in its own time; its logs stay."""
        if not pod.deleted.is_set():
            pod.ready = False
            pod.deleted.set()
            self.changed(pod)

    async def close(self) -> None:
        """Kill everything, as when a machine is switched off."""
        for life in self.lives.values():
            life.cancel()
        await asyncio.gather(*self.lives.values(), return_exceptions=True)

    def _place(self, spec: Mapping[str, Any], folder: Path) -> Place:
        taken = {port for pod in self.lives for port in pod.place.ports.values()}
        found: dict[int, int] = {}
        for container in _containers(spec):
            for port in container.get("ports", ()):
                if "containerPort" in port:  # `prepare` complains
                    found[port["containerPort"]] = ports.free({*taken, *found.values()})
        return Place(found, {}, self.names)

    async def _live(self, pod: Pod) -> None:
        try:
            try:
                pod.phase = await self._phases(pod)
            except* (Problem, OSError, *MALFORMED) as problems:  # it stays in its phase, as for a kubelet
                pod.reason = _reason(problems.exceptions[0])
            pod.completed.set()
            self.changed(pod)
            await pod.deleted.wait()
        finally:
            del self.lives[pod]
            shutil.rmtree(pod.folder / "volumes", ignore_errors=True)
            pod.gone.set()
        self.changed(pod)

    async def _phases(self, pod: Pod) -> str:
        spec = pod.manifest["spec"]
        inits, containers = (self._prepared(pod, spec.get(kind, ())) for kind in ("initContainers", "containers"))
        for container in inits:
            if await self._keep(pod, container, _init_policy(spec), lambda _: None) or pod.deleted.is_set():
                return "Failed"
        pod.phase = "Running"
        self.changed(pod)
        ready = {container.name: False for container in containers}
        async with asyncio.TaskGroup() as group:
            codes = [
                group.create_task(
                    self._keep(pod, container, _policy(spec), self._readiness(pod, ready, container.name))
                )
                for container in containers
            ]
        return "Failed" if any(code.result() for code in codes) else "Succeeded"

    def _prepared(self, pod: Pod, specs: list[Mapping[str, Any]]) -> list[Container]:
        spec = pod.manifest["spec"]
        share = pod.manifest["metadata"].get("annotations", {}).get(FAULT)
        volumes = {volume["name"]: self._volume(pod, volume) for volume in spec.get("volumes", ())}
        return [
            prepare(
                container,
                Place(pod.place.ports, _mounts(container, volumes), self.names),
                spec.get("terminationGracePeriodSeconds", 30),
                pod.folder / "logs" / f"{container['name']}.log",
                None if share is None else float(share),
            )
            for container in specs
        ]

    def _volume(self, pod: Pod, volume: Mapping[str, Any]) -> Path:
        if "emptyDir" not in volume:
            kind = ", ".join(set(volume) - {"name"})
            raise Problem(f"{pod.name}: found volume {volume['name']} of {kind}, expected emptyDir (spec.volumes)")
        folder = pod.folder / "volumes" / str(volume["name"])
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _readiness(self, pod: Pod, ready: dict[str, bool], container: str) -> Callable[[bool], None]:
        def report(answer: bool) -> None:
            ready[container] = answer
            now = all(ready.values()) and not pod.deleted.is_set()
            if now != pod.ready:
                pod.ready = now
                self.changed(pod)

        return report

    async def _keep(self, pod: Pod, container: Container, policy: str, ready: Callable[[bool], None]) -> int:
        """Run a container, again and again as the restart policy says; return the last exit code."""
        async for _ in self._restarts(pod):
            code = await run(container, pod.deleted, ready)
            if pod.deleted.is_set() or policy == "Never" or (policy == "OnFailure" and code == 0):
                break
        return code

    async def _restarts(self, pod: Pod) -> AsyncIterator[None]:
        """Yield for each start that is due: the first two at once, then with growing delays."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            started = clock()
            yield
            failures = 0 if clock() - started > FORGOTTEN_AFTER else failures + 1
            pod.restarts += 1
            self.changed(pod)
            try:
                async with asyncio.timeout(delay(failures, self.backoff)):
                    await pod.deleted.wait()
            except TimeoutError:
                continue
            return


def delay(failures: int, backoff: float) -> float:
    """Seconds to wait before a start after so many failures (1 or more) in a row: none, `backoff`, twice that, …"""
    return 0.0 if failures < 2 else min(backoff * 2.0 ** (failures - 2), LONGEST_BACKOFF)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Problem | OSError) else f"found {error!r}, expected a pod (manifest)"


def _containers(spec: Mapping[str, Any]) -> itertools.chain[Mapping[str, Any]]:
    return itertools.chain(spec.get("initContainers", ()), spec["containers"])


def _mounts(container: Mapping[str, Any], volumes: Mapping[str, Path]) -> dict[str, str]:
    mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}
    if unknown := [name for name in mounts.values() if name not in volumes]:
        names = ", ".join(volumes) or "none"
        raise Problem(f"{container['name']}: found volumeMounts {', '.join(unknown)}, expected of {names} (volumes)")
    return {path: str(volumes[name]) for path, name in mounts.items()}


def _policy(spec: Mapping[str, Any]) -> str:
    return str(spec.get("restartPolicy", "Always"))


def _init_policy(spec: Mapping[str, Any]) -> str:
    """An init container that succeeded is not started again."""
    return "Never" if _policy(spec) == "Never" else "OnFailure"
