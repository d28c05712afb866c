"""The cluster in memory: objects as applied, moved by `fledge.rollout`, followed by pods and routes."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fledge.problems import Problem
from fledge.rehearsal import analysis, measure
from fledge.rehearsal.analysis import Measurement
from fledge.rehearsal.application import Application, by_key
from fledge.rehearsal.node import FAULT, Node, Pod
from fledge.rehearsal.objects import HASH, Endpoints, Object, endpoints, pod_of, selecting, template_hash, weighted
from fledge.rollout import (
    Action,
    Analysed,
    Applied,
    Available,
    Clock,
    Event,
    StartAnalysis,
    Status,
    StopAnalysis,
    transition,
)

GUARDED = "the guardrail is not run, neither beside a canary's steps nor after a blue-green switch: no Prometheus here"
TICK = 0.2  # seconds between looks at the clock while nothing else happens

Emit = Callable[[str, Mapping[str, Any]], None]
Faults = Mapping[tuple[str, str], float]


class Gateway(Protocol):
    """What the cluster needs of the gateway."""

    async def apply(self, routes: list[Object], services: list[Object], endpoints: Endpoints) -> None: ...


class Cluster:
    """Everything happens one after the other in `run`; whatever else is called only puts a note on its desk.

    `emit` gets what happened, by kind: applied, pod, phase, weights, verdict, analysis, aborted, completed, note, problem.
    `faults` is the share of predictions that fail, by (model, version).
    """

    def __init__(self, gateway: Gateway, emit: Emit, faults: Faults | None = None) -> None:
        self.gateway, self.emit, self.faults = gateway, emit, faults or {}
        self.node: Node
        self.applications: dict[str, Application] = {}
        self._desk: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._news: list[tuple[str, Mapping[str, Any]]] = []
        self._noted = False
        self._routed: Any = None
        self._unrouted = ""  # why the gateway does not follow

    def apply(self, name: str, objects: Sequence[Object], commit: str) -> None:
        """Make `objects` (one Application, one model) what the cluster holds of it."""
        self._desk.put_nowait(lambda: self._apply(name, objects, commit))

    def changed(self, pod: Pod) -> None:
        """Note that a pod is not what it was: the node's callback."""
        self._desk.put_nowait(lambda: self._pod(pod))

    async def run(self, node: Node) -> None:
        """Move all Rollouts, their pods on `node`, until cancelled."""
        self.node = node
        try:
            while True:
                await self._next()
                await self._route()
                while self._news:  # told once the gateway has followed
                    self.emit(*self._news.pop(0))
        finally:
            for app in self.applications.values():
                for task in app.analyses.values():
                    task.cancel()

    async def _next(self) -> None:
        """Do what lies on the desk, or nothing if that stays empty for a tick; then look at the clock."""
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`, here and elsewhere: Python 3.11's forgets a cancellation that comes with what it waits for.
            async with asyncio.timeout(TICK):
                note = await self._desk.get()
            try:
                note()
            except Problem as problem:
                self.emit("problem", {"message": str(problem)})
        for app in self.applications.values():
            if app.status:
                self._move(app, Clock(_now()))

    def _apply(self, name: str, objects: Sequence[Object], commit: str) -> None:
        found = by_key(name, objects)
        app = self.applications.setdefault(name, Application(name, found))
        app.objects = found
        spec = app.wanted
        digest = template_hash(spec["template"])
        app.templates[digest] = spec["template"]
        self._say(app, "applied", digest, f"{app.title(digest)} as of {commit[:10]}", commit=commit, hash=digest)
        if app.guarded and not self._noted:
            self._noted = True
            self._news.append(("note", {"message": GUARDED}))
        if spec != app.spec:
            self._move(app, Applied(spec, digest, _now()))
            app.spec = spec

    def _pod(self, pod: Pod) -> None:
        app = next((app for app in self.applications.values() if pod in app.pods), None)
        if app is None:  # a Job's
            return
        digest = pod.labels[HASH]
        phase = "Gone" if pod.gone.is_set() else "Terminating" if pod.deleted.is_set() else pod.phase
        if pod.gone.is_set():
            app.pods.remove(pod)
        told = pod.reason or ("ready" if pod.ready else "not ready")
        if pod.restarts:
            told += f", restarted {pod.restarts} times (logs: {pod.folder / 'logs'})"
        self._say(app, "pod", digest, f"{pod.name} {phase}, {told}", pod=pod.name, phase=phase, ready=pod.ready)
        self._move(app, Available(digest, sum(pod.ready for pod in app.live(digest)), _now()))

    def _move(self, app: Application, event: Event) -> None:
        before = app.status
        app.status, actions = transition(app.spec, before, event)
        if app.status == before and not actions:
            return
        self._scale(app, app.status)
        for action in actions:
            self._act(app, action)
        self._tell(app, before or Status(), app.status)

    def _scale(self, app: Application, status: Status) -> None:
        """Pods follow ReplicaSets; of too many, those that are not ready go first, then the youngest."""
        desired = {replicas.hash: replicas.desired for replicas in status.replica_sets}
        for digest in {*desired, *(pod.labels[HASH] for pod in app.pods)}:
            live, wanted = app.live(digest), desired.get(digest, 0)
            for _ in range(wanted - len(live)):
                app.pods.append(self.node.create(self._manifest(app, digest)))
            for surplus in sorted(live, key=lambda pod: not pod.ready)[wanted:]:
                self.node.delete(surplus)

    def _manifest(self, app: Application, digest: str) -> Object:
        share = self.faults.get((app.name, app.release(digest)["version"]))
        annotations = {} if share is None else {FAULT: str(share)}
        name = f"{app.rollout['metadata']['name']}-{digest}-{next(self._numbers)}"
        return pod_of(app.rollout, app.templates[digest], name, digest, annotations)

    def _act(self, app: Application, action: Action) -> None:
        if isinstance(action, StartAnalysis) and action.step == "PostPromotion":
            passed = Analysed(action.step, "Successful", GUARDED, _now())
            self._desk.put_nowait(lambda: self._move(app, passed))
        elif isinstance(action, StartAnalysis):
            app.analyses[action.step] = asyncio.create_task(self._analyse(app, action))
        elif isinstance(action, StopAnalysis):
            if task := app.analyses.pop(action.step, None):
                task.cancel()
        elif action.trigger == "on-rollout-aborted":
            self._say(app, "aborted", action.hash, str(app.status and app.status.message))
        else:
            app.promoted = action.hash  # told when Healthy: a first delivery is stable before it has pods

    def _tell(self, app: Application, before: Status, after: Status) -> None:
        if (before.phase, before.message) != (after.phase, after.message):
            told = f"{after.phase}, {after.message}" if after.message else f"{after.phase}"
            self._say(app, "phase", after.current, told, phase=after.phase)
        if before.weights != after.weights:
            stable, canary = after.weights
            told = f"stable {stable} %, canary {canary} %"
            self._say(app, "weights", after.current, told, stable=stable, canary=canary)
        if app.promoted and app.promoted == after.stable and after.phase == "Healthy":
            told = f"{app.title(after.stable)} serves everyone"
            self._say(app, "completed", after.stable, told, first=not app.delivered)
            app.promoted, app.delivered = None, True

    def _say(self, app: Application, event: str, digest: str | None, message: str, **facts: object) -> None:
        self._news.append((event, {"model": app.name, **app.release(digest), "message": message, **facts}))

    async def _analyse(self, app: Application, action: StartAnalysis) -> None:
        current, namespace = app.current, app.rollout["metadata"]["namespace"]

        def report(metric: str, seen: Measurement) -> None:
            told = f"step {action.step}, {metric}: {seen.outcome}" + (f", {seen.message}" if seen.message else "")
            self._say(app, "verdict", current, told, metric=metric, outcome=seen.outcome, value=seen.value)

        templates = {name: app.objects.get(("AnalysisTemplate", name)) for name in action.templates}
        outcome, message = await analysis.run(
            templates, action.args, lambda metric: measure.measured(metric, namespace, self.node), report
        )
        told = f"step {action.step}: {outcome}" + (f", {message}" if message else "")
        self._say(app, "analysis", current, told, step=action.step, outcome=outcome)
        self._desk.put_nowait(lambda: self._move(app, Analysed(action.step, outcome, message, _now())))

    async def _route(self) -> None:
        """Services, routes and endpoints follow every Rollout's status."""
        routes, services = [], []
        for app in self.applications.values():
            routes += [weighted(route, app.weights) for route in app.kinds("HTTPRoute", "GRPCRoute")]
            services += [selecting(service, app.selected) for service in app.kinds("Service")]
        pods = [pod for app in self.applications.values() for pod in app.pods]
        wanted = (routes, services, endpoints(services, pods))
        if wanted == self._routed:
            return
        try:
            await self.gateway.apply(*wanted)
            self._routed, self._unrouted = wanted, ""
        except Problem as problem:  # said once, tried again at the next tick
            if str(problem) != self._unrouted:
                self._unrouted = str(problem)
                self.emit("problem", {"message": self._unrouted})


def _now() -> float:
    return asyncio.get_running_loop().time()
