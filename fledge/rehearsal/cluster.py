"""The cluster in memory: objects as applied, moved by `fledge.rollout`, followed by pods and routes."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fledge.problems import Problem
from fledge.rehearsal import analysis, measure
from fledge.rehearsal.analysis import Measurement
from fledge.rehearsal.node import FAULT, Node, Pod
from fledge.rehearsal.objects import HASH, Endpoints, Object, endpoints, pod_of, selecting, template_hash, weighted
from fledge.rollout import Analysed, Applied, Available, Clock, Notify, StartAnalysis, Status, transition
from fledge.rollout import Event as Change

TICK = 0.2  # seconds between looks at the clock while nothing else happens

Emit = Callable[[str, Mapping[str, Any]], None]
Faults = Mapping[tuple[str, str], float]


class Gateway(Protocol):
    """What the cluster needs of the gateway."""

    async def apply(self, routes: Sequence[Object], services: Sequence[Object], endpoints: Endpoints) -> None: ...


@dataclass
class Model:
    """One Application: its objects by kind and name, and where its Rollout is."""

    name: str
    objects: Mapping[tuple[str, str], Object]
    spec: Object | None = None
    status: Status | None = None
    templates: dict[str, Object] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    analyses: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    completed: int = 0

    @property
    def rollout(self) -> Object:
        return next(item for (kind, _), item in self.objects.items() if kind == "Rollout")

    def kinds(self, *kinds: str) -> list[Object]:
        return [item for (kind, _), item in self.objects.items() if kind in kinds]

    def release(self, digest: str | None) -> dict[str, str]:
        """What a pod template's labels say: delivery and version."""
        labels = self.templates.get(digest or "", {}).get("metadata", {}).get("labels", {})
        return {key: labels.get(f"fledge.dev/{key}", "") for key in ("delivery", "version")}


class Cluster:
    """Everything happens one after the other in `run`; whatever else is called only puts a note on its desk.

    `emit` gets what happened, by kind: applied, pod, phase, weights, analysis, verdict, aborted, completed.
    """

    def __init__(self, gateway: Gateway, emit: Emit, faults: Faults | None = None) -> None:
        self.gateway, self.emit, self.faults = gateway, emit, faults or {}
        self.node: Node | None = None
        self.models: dict[str, Model] = {}
        self._desk: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._routed: Any = None

    def apply(self, name: str, objects: Sequence[Object], commit: str) -> None:
        """Make `objects` (one Application, one model) what the cluster holds of it."""
        self._desk.put_nowait(lambda: self._apply(name, objects, commit))

    def changed(self, pod: Pod) -> None:
        """Note that a pod is not what it was: the node's callback."""
        self._desk.put_nowait(lambda: self._pod(pod))

    async def run(self, node: Node) -> None:
        """Move all Rollouts until cancelled."""
        self.node = node
        try:
            while True:
                await self._next()
                for model in self.models.values():
                    if model.status:
                        self._move(model, Clock(_now()))
                await self._route()
        finally:
            for model in self.models.values():
                for task in model.analyses.values():
                    task.cancel()

    async def _next(self) -> None:
        """Do what lies on the desk, or nothing if that stays empty for a tick."""
        with contextlib.suppress(TimeoutError):
            note = await asyncio.wait_for(self._desk.get(), TICK)
            try:
                note()
            except Problem as problem:
                self.emit("problem", {"message": str(problem)})

    def _apply(self, name: str, objects: Sequence[Object], commit: str) -> None:
        known = {(item["kind"], item["metadata"]["name"]): item for item in objects}
        if sum(kind == "Rollout" for kind, _ in known) != 1:
            raise Problem(f"{name}: found {', '.join(kind for kind, _ in known) or 'nothing'}, expected one Rollout")
        model = self.models.setdefault(name, Model(name, known))
        model.objects = known
        spec = model.rollout["spec"]
        digest = template_hash(spec["template"])
        model.templates[digest] = spec["template"]
        self.emit("applied", {"model": name, "commit": commit, "hash": digest, **model.release(digest)})
        if spec != model.spec:
            self._move(model, Applied(spec, digest, _now()))
            model.spec = spec

    def _pod(self, pod: Pod) -> None:
        model, digest = self._owner(pod)
        if model is None:
            return
        if pod.gone.is_set():
            model.pods.remove(pod)
        phase = "Terminating" if pod.deleted.is_set() else pod.phase
        state = {"phase": phase, "ready": pod.ready, "restarts": pod.restarts, "reason": pod.reason}
        if not pod.gone.is_set():
            self.emit("pod", {"model": model.name, "pod": pod.name, **model.release(digest), **state})
        self._move(model, Available(digest, sum(p.ready for p in model.pods if p.labels[HASH] == digest), _now()))

    def _owner(self, pod: Pod) -> tuple[Model | None, str]:
        owner = next((model for model in self.models.values() if pod in model.pods), None)
        return owner, pod.labels.get(HASH, "")

    def _move(self, model: Model, change: Change) -> None:
        before = model.status
        model.status, actions = transition(model.spec, before, change)
        if model.status == before and not actions:
            return
        self._tell(model, before, model.status)
        self._scale(model, model.status)
        for action in actions:
            self._act(model, action)

    def _tell(self, model: Model, before: Status | None, after: Status) -> None:
        if before is None or before.phase != after.phase or before.message != after.message:
            self.emit("phase", {"model": model.name, "phase": after.phase, "message": after.message})
        if before is None or before.weights != after.weights:
            stable, canary = after.weights
            self.emit("weights", {"model": model.name, "stable": stable, "canary": canary})

    def _scale(self, model: Model, status: Status) -> None:
        """Pods follow ReplicaSets; of too many, those that are not ready go first, then the youngest."""
        assert self.node
        desired = {replicas.hash: replicas.desired for replicas in status.replica_sets}
        for digest in {*desired, *(pod.labels[HASH] for pod in model.pods)}:
            live = [p for p in model.pods if p.labels[HASH] == digest and not p.deleted.is_set()]
            wanted = desired.get(digest, 0)
            for _ in range(wanted - len(live)):
                model.pods.append(self.node.create(self._manifest(model, digest)))
            for surplus in sorted(live, key=lambda p: not p.ready)[max(wanted, 0) :]:
                self.node.delete(surplus)

    def _manifest(self, model: Model, digest: str) -> Object:
        share = self.faults.get((model.name, model.release(digest)["version"]))
        annotations = {} if share is None else {FAULT: str(share)}
        name = f"{model.rollout['metadata']['name']}-{digest}-{next(self._numbers)}"
        return pod_of(model.rollout, model.templates[digest], name, digest, annotations)

    def _act(self, model: Model, action: Any) -> None:
        assert model.status
        if isinstance(action, StartAnalysis):
            model.analyses[action.step] = asyncio.create_task(self._analyse(model, action))
        elif isinstance(action, Notify):
            message = {"model": model.name, "hash": action.hash, **model.release(action.hash)}
            if action.trigger == "on-rollout-aborted":
                self.emit("aborted", {**message, "reason": model.status.message})
            else:
                model.completed += 1
                self.emit("completed", {**message, "first": model.completed == 1})
        elif task := model.analyses.pop(action.step, None):
            task.cancel()

    async def _analyse(self, model: Model, action: StartAnalysis) -> None:
        namespace = model.rollout["metadata"]["namespace"]
        node = self.node
        assert node

        async def look(metric: Mapping[str, Any]) -> Measurement:
            if "web" in metric["provider"]:
                return await measure.web(metric, node.names)
            if "job" in metric["provider"]:
                return await measure.job(metric, namespace, node)
            found = ", ".join(metric["provider"])
            raise Problem(f"{metric['name']}: found provider {found}, expected web or job (AnalysisTemplate)")

        def report(metric: str, seen: Measurement) -> None:
            told = {"model": model.name, "step": action.step, "metric": metric, "outcome": seen.outcome}
            self.emit("verdict", {**told, "value": seen.value, "message": seen.message})

        try:
            wanted = [model.objects["AnalysisTemplate", name] for name in action.templates]
            metrics = [metric for template in wanted for metric in analysis.metrics(template, action.args)]
            outcome, message = await analysis.run(metrics, look, report)
        except KeyError as missing:
            outcome, message = "Error", f"{model.name}: no AnalysisTemplate {missing}, expected one (Rollout: steps)"
        except Problem as problem:
            outcome, message = "Error", str(problem)
        self.emit("analysis", {"model": model.name, "step": action.step, "outcome": outcome, "message": message})
        self._desk.put_nowait(lambda: self._move(model, Analysed(action.step, outcome, message, _now())))

    async def _route(self) -> None:
        """Services, routes and endpoints follow every Rollout's status."""
        routes, services = [], []
        for model in self.models.values():
            canary = model.rollout["spec"]["strategy"]["canary"]
            names = (canary["stableService"], canary["canaryService"])
            status = model.status or Status()
            routes += [
                weighted(r, dict(zip(names, status.weights, strict=True)))
                for r in model.kinds("HTTPRoute", "GRPCRoute")
            ]
            selected = dict(zip(names, status.selectors, strict=True))
            services += [selecting(s, selected.get(s["metadata"]["name"])) for s in model.kinds("Service")]
        pods = [pod for model in self.models.values() for pod in model.pods]
        wanted = (routes, services, endpoints(services, pods))
        if wanted != self._routed:
            await self.gateway.apply(*wanted)
            self._routed = wanted


def _now() -> float:
    return asyncio.get_running_loop().time()
