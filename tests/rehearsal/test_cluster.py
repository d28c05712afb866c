"""fledge.rehearsal.cluster with rendered manifests, and a node, a gateway and a judge that do as they are told."""

import asyncio
import functools
import operator
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fledge.problems import Problem
from fledge.rehearsal import measure
from fledge.rehearsal.analysis import Measurement
from fledge.rehearsal.cluster import Cluster
from fledge.rehearsal.node import FAULT, Pod
from fledge.rehearsal.objects import HASH, template_hash
from fledge.rehearsal.rewrite import Place
from tests.conftest import Repository
from tests.rehearsal.waiting import until

Objects = list[dict[str, Any]]
JUDGE = {"pass": "Successful", "fail": "Failed", "inconclusive": "Inconclusive"}


class Stage:
    """A cluster between a fake node, whose pods are ready at once unless `unready`, and a fake gateway."""

    def __init__(self, faults: Mapping[tuple[str, str], float] | None = None) -> None:
        self.names: dict[str, str] = {}
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.pods: list[Pod] = []
        self.unready = False
        self.refusals = 0
        self.verdict = "inconclusive"
        self.routed: tuple[Any, Any, Any] = ([], [], {})
        self.weights: list[tuple[int, int]] = []
        self.cluster = Cluster(self, lambda event, facts: self.events.append((event, facts)), faults)

    def create(self, manifest: Mapping[str, Any]) -> Pod:
        port = 20_000 + 2 * len(self.pods)
        pod = Pod(manifest, Path(), Place({8500: port, 8501: port + 1}), "Running", not self.unready)
        self.pods.append(pod)
        self.cluster.changed(pod)
        return pod

    def delete(self, pod: Pod) -> None:
        pod.ready = False
        pod.deleted.set()
        pod.gone.set()
        self.cluster.changed(pod)

    def become_ready(self) -> None:
        for pod in self.pods:
            pod.ready = True
            self.cluster.changed(pod)

    async def apply(self, routes: Any, services: Any, endpoints: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Problem("gateway: Envoy did not follow")
        self.routed = (routes, services, endpoints)
        for route in routes:
            refs = route["spec"]["rules"][0]["backendRefs"]
            weights = tuple(ref["weight"] for ref in refs)
            if not self.weights or self.weights[-1] != weights:
                self.weights.append(weights)

    async def measured(self, metric: Mapping[str, Any], *_: object) -> Measurement:
        return Measurement(JUDGE[self.verdict], {"verdict": self.verdict}, "so it says")  # type: ignore[arg-type]

    def told(self, event: str) -> list[Mapping[str, Any]]:
        return [facts for kind, facts in self.events if kind == event]

    def serving(self, service: str) -> set[str]:
        """The hashes of the pods behind a Service."""
        ports = {port for _, port in self.routed[2]["production", service, "grpc"]}
        return {pod.labels[HASH] for pod in self.pods if pod.port("grpc") in ports}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.cluster.run(self))  # type: ignore[arg-type]
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


Render = Callable[[str], Objects]


@pytest.fixture
def render(repository: Repository) -> Render:
    """Render a version for production; the judge is asked every 20 ms, and aborted pods go at once."""

    def rendered(version: str) -> Objects:
        repository.place(version, "production")
        text = (repository.root / "manifests/rendered/production/delays.yaml").read_text()
        objects = list(YAML(typ="safe").load_all(text))
        for item in objects:
            if item["metadata"]["name"] == "delays-judge":
                item["spec"]["metrics"][0]["interval"] = "20ms"
            if item["kind"] == "Rollout":
                [strategy] = item["spec"]["strategy"].values()
                strategy["abortScaleDownDelaySeconds"] = 1
        return objects

    return rendered


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose judge answers what the stage's verdict is."""
    made = Stage()
    monkeypatch.setattr(measure, "measured", made.measured)
    return made


def digest(objects: Objects) -> str:
    """The pod-template hash of a rendered Rollout."""
    return next(template_hash(item["spec"]["template"]) for item in objects if item["kind"] == "Rollout")


def test_first_delivery(stage: Stage, render: Render) -> None:
    """A first delivery has no canary, gets everyone, and is completed only when its pods are ready."""
    objects = render("1.0.0")

    async def scene() -> None:
        stage.unready = True
        async with stage.running():
            stage.cluster.apply("delays", objects, "c0ffee")
            await until(lambda: len(stage.pods) == 2)
            await until(lambda: stage.routed[0])
            assert not stage.told("completed")
            assert stage.serving("delays-stable") == set()
            stage.become_ready()
            await until(lambda: stage.told("completed"))
            await until(lambda: stage.serving("delays-stable") == {digest(objects)})

    asyncio.run(scene())
    (completed,) = stage.told("completed")
    assert (completed["first"], completed["version"], completed["model"]) == (True, "1.0.0", "delays")
    assert stage.weights == [(100, 0)]
    assert not stage.told("verdict")


def test_what_is_not_played_is_said_once(stage: Stage, render: Render) -> None:
    """A Rollout's background analysis needs a Prometheus: that it is not run is told, once and not with every release."""
    first, second = render("1.0.0"), render("1.1.0")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: len(stage.told("applied")) == 2)

    asyncio.run(scene())
    (note,) = stage.told("note")
    assert note["message"].startswith("the guardrail is not run")


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_when_it_is_told(stage: Stage, turns: int) -> None:
    """However few turns of the loop ago something was put on its desk, a cluster that is cancelled ends."""

    async def scene() -> None:
        running = asyncio.create_task(stage.cluster.run(stage))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)  # it waits
        stage.cluster.changed(Pod({}, Path(), Place({})))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        assert running.done()

    asyncio.run(asyncio.wait_for(scene(), 10))


def test_the_autoscaler_sets_the_replicas(stage: Stage, render: Render) -> None:
    """There are as many pods as the autoscaler's fewest, and another number of them needs no new release."""
    objects = render("1.0.0")
    scaler = next(item for item in objects if item["kind"] == "HorizontalPodAutoscaler")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", objects, "c0ffee")
            await until(lambda: stage.told("completed"))
            assert len(stage.pods) == 2
            more = {**scaler, "spec": {**scaler["spec"], "minReplicas": 3}}
            stage.cluster.apply("delays", [more if item is scaler else item for item in objects], "decaf")
            await until(lambda: len(stage.pods) == 3)

    asyncio.run(scene())
    assert {pod.labels[HASH] for pod in stage.pods} == {digest(objects)}
    assert len(stage.told("completed")) == 1


def test_canary_is_promoted(stage: Stage, render: Render) -> None:
    """A canary goes 5, 25 and then everyone, each time only after the judge passed; the old pods stay for a while."""
    first, second = render("1.0.0"), render("1.1.0")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: stage.weights[-1] == (95, 5) and len(stage.told("verdict")) > 3)
            assert stage.serving("delays-stable") == {digest(first)}
            assert stage.serving("delays-canary") == {digest(second)}
            stage.verdict = "pass"
            await until(lambda: len(stage.told("completed")) == 2)
            await until(lambda: stage.weights[-1] == (100, 0))
            assert stage.serving("delays-stable") == {digest(second)}
            assert {pod.labels[HASH] for pod in stage.pods if pod.ready} == {digest(first), digest(second)}

    asyncio.run(scene())
    assert [weights for weights in stage.weights if weights != (0, 100)] == [(100, 0), (95, 5), (75, 25), (100, 0)]
    assert (stage.told("completed")[1]["first"], stage.told("completed")[1]["version"]) == (False, "1.1.0")
    assert not stage.told("aborted")


def test_bad_canary_is_aborted(stage: Stage, render: Render) -> None:
    """When the judge fails, traffic is stable's again, the event names delivery and reason, and the canary's pods go."""
    first, second = render("1.0.0"), render("1.1.0")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: stage.weights[-1] == (95, 5))
            stage.verdict = "fail"
            await until(lambda: stage.told("aborted"))
            await until(lambda: stage.weights[-1] == (100, 0))
            await until(lambda: {pod.labels[HASH] for pod in stage.pods if pod.ready} == {digest(first)})
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("phase")[-1]["phase"] == "Healthy")

    asyncio.run(scene())
    (aborted,) = stage.told("aborted")
    labels = next(item["spec"]["template"]["metadata"]["labels"] for item in second if item["kind"] == "Rollout")
    assert (aborted["version"], aborted["delivery"]) == ("1.1.0", labels["fledge.dev/delivery"])
    assert "failed (1) > failureLimit (0): so it says" in aborted["message"]
    assert len(stage.told("completed")) == 1


def test_blue_green(stage: Stage, render: Render, repository: Repository) -> None:
    """With the component users stay on the old release while the judge looks at the preview, then all go to the new one."""
    environment = repository.root / "manifests/environments/production/kustomization.yaml"
    environment.write_text(environment.read_text() + "components: [../../components/blue-green]\n")
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("traffic: users", "traffic: replay"))
    first, second = render("1.0.0"), render("1.1.0")
    judge = next(item for item in second if item["metadata"]["name"] == "delays-judge")
    judge["spec"]["metrics"] = [
        one for one in judge["spec"]["metrics"] if "job" not in one["provider"]
    ]  # a stage feeds none

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: len(stage.told("verdict")) > 3)
            assert stage.serving("delays-stable") == {digest(first)}
            assert stage.serving("delays-canary") == {digest(second)}
            stage.verdict = "pass"
            await until(lambda: len(stage.told("completed")) == 2)
            assert stage.serving("delays-stable") == {digest(second)}

    asyncio.run(scene())
    assert not stage.told("problem")
    hosts = {route["spec"]["hostnames"][0]: route["spec"]["rules"][0]["backendRefs"] for route in stage.routed[0]}
    assert {host: [(ref["name"], ref["weight"]) for ref in refs] for host, refs in hosts.items()} == {
        "delays.example.com": [("delays-stable", 100)],
        "grpc.delays.example.com": [("delays-stable", 100)],
        "preview.delays.example.com": [("delays-canary", 100)],
        "preview.grpc.delays.example.com": [("delays-canary", 100)],
    }


def test_superseded_analysis_is_stopped(stage: Stage, render: Render) -> None:
    """Going back in the middle of a canary ends its analysis: the judge is not asked any more."""
    first, second = render("1.0.0"), render("1.1.0")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: stage.told("verdict"))
            (analysis,) = stage.cluster.applications["delays"].analyses.values()
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("phase")[-1]["phase"] == "Healthy" and stage.weights[-1] == (100, 0))
            await until(analysis.cancelled)
            assert stage.cluster.applications["delays"].analyses == {}

    asyncio.run(scene())
    assert not stage.told("aborted")


def test_fault_switch(render: Render) -> None:
    """The fault reaches the pods of its version and no other, and stands in no manifest."""
    first, second = render("1.0.0"), render("1.1.0")
    stage = Stage({("delays", "1.1.0"): 0.2})

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: len(stage.pods) == 4)

    asyncio.run(scene())
    shares = {pod.labels[HASH]: pod.manifest["metadata"]["annotations"].get(FAULT) for pod in stage.pods}
    assert shares == {digest(first): None, digest(second): "0.2"}
    assert FAULT not in str(second)


def test_routes_are_tried_again(stage: Stage, render: Render) -> None:
    """Routes that the gateway did not take are tried until it does, and the trouble is told once."""
    objects = render("1.0.0")
    stage.refusals = 3

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", objects, "c0ffee")
            await until(lambda: stage.told("completed"))
            await until(lambda: stage.routed[0] and stage.serving("delays-stable") == {digest(objects)})

    asyncio.run(scene())
    assert [problem["message"] for problem in stage.told("problem")] == ["gateway: Envoy did not follow"]


def test_a_malformed_template_aborts(stage: Stage, render: Render) -> None:
    """An analysis that cannot be made is an Error that aborts the canary; the rollout does not wait for ever."""
    first, second = render("1.0.0"), render("1.1.0")
    del next(item for item in second if item["metadata"]["name"] == "delays-judge")["spec"]["metrics"]

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: stage.told("aborted"))

    asyncio.run(scene())
    assert "found KeyError('metrics'), expected what Argo Rollouts can evaluate" in stage.told("aborted")[0]["message"]


def without(*path: Any) -> Callable[[dict[str, Any]], Any]:
    """Take a part out of a Rollout."""
    return lambda rollout: functools.reduce(operator.getitem, path[:-1], rollout).pop(path[-1])


@pytest.mark.parametrize(
    ("broken", "reason"),
    {
        "no template": (without("spec", "template"), "found KeyError('template'), expected a whole Rollout"),
        "no containers": (without("spec", "template", "spec", "containers"), "found KeyError('containers')"),
        "no Service": (without("spec", "strategy", "canary", "canaryService"), "found KeyError('canaryService')"),
        "no spec": (lambda rollout: rollout.update(spec=None), "found TypeError("),
        "no such step": (
            lambda rollout: rollout["spec"]["strategy"]["canary"]["steps"].append({"experiment": {}}),
            "rollout: experiment, expected one of setWeight",
        ),
    }.values(),
    ids=["no template", "no containers", "no Service", "no spec", "no such step"],
)
def test_a_broken_rollout_changes_nothing(
    stage: Stage, render: Render, broken: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    """A Rollout that cannot be played is a problem that is told; the Application stays as it was, and moves on."""
    first, second, third = render("1.0.0"), render("1.1.0"), render("1.2.0")
    broken(next(item for item in second if item["kind"] == "Rollout"))

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("other", second, "decaf")
            stage.cluster.apply("delays", first, "c0ffee")
            await until(lambda: stage.told("completed"))
            before = stage.cluster.applications["delays"].objects
            stage.cluster.apply("delays", second, "decaf")
            await until(lambda: len(stage.told("problem")) == 2)
            assert list(stage.cluster.applications) == ["delays"]
            assert stage.cluster.applications["delays"].objects is before
            stage.cluster.apply("delays", third, "c0ffee")
            await until(lambda: stage.weights[-1] == (95, 5))

    asyncio.run(scene())
    assert all(reason in problem["message"] for problem in stage.told("problem"))


def test_a_broken_file_changes_nothing(stage: Stage, render: Render) -> None:
    """A file without a Rollout is a problem that is told; what serves goes on serving."""
    objects = render("1.0.0")

    async def scene() -> None:
        async with stage.running():
            stage.cluster.apply("delays", objects, "c0ffee")
            await until(lambda: stage.told("completed"))
            stage.cluster.apply("delays", [item for item in objects if item["kind"] != "Rollout"], "decaf")
            await until(lambda: stage.told("problem"))
            await until(lambda: stage.serving("delays-stable") == {digest(objects)})

    asyncio.run(scene())
    assert "expected exactly one Rollout" in stage.told("problem")[0]["message"]
    assert not any(pod.deleted.is_set() for pod in stage.pods)
