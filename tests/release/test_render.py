"""What Argo CD would apply: rendered the same by every kustomize, with nothing left unsaid."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fledge import kustomize
from fledge.artifact import keys
from fledge.flags import parse
from fledge.problems import Problem
from fledge.release import Files, render
from tests.conftest import ROOT, Repository
from tests.repository import invented as a_release  # the example's bytes are of no one clone

EXAMPLES = Path(__file__).parent.parent / "rendered"
PROGRAMS = {
    "5.8.1 of .tools": (str(ROOT / ".tools" / "kustomize"), "build", kustomize.STANDALONE),
    "kustomize on PATH": ("kustomize", "build", kustomize.STANDALONE),
    "kubectl on PATH": ("kubectl", "kustomize", kustomize.KUBECTL),
}
AVAILABLE = {
    name: (path, verb)
    for name, (program, verb, oldest) in PROGRAMS.items()
    if (path := shutil.which(program)) and (kustomize._version(path) or (0, 0)) >= oldest
}


def test_there_is_a_kustomize_to_compare() -> None:
    """This machine has at least one kustomize that is new enough; CI has 5.8.1 (`make kustomize`)."""
    assert AVAILABLE


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("program", AVAILABLE)
def test_every_kustomize_renders_the_example(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, program: str, environment: str
) -> None:
    """The example under tests/rendered is, byte for byte, what each kustomize of this machine renders today."""
    monkeypatch.setattr(kustomize, "command", lambda _: AVAILABLE[program])
    repository.fetched_from("s3://example/models")
    rendered = render.render(repository.root, Files(environment, "delays"), a_release("1.0.0"))
    assert rendered == (EXAMPLES / environment / "delays.yaml").read_text()


Objects = list[dict[str, Any]]


@pytest.fixture(params=["staging", "production"])
def rendered(repository: Repository, request: pytest.FixtureRequest) -> Objects:
    """What an environment applies of a release."""
    return render.documents_of(render.render(repository.root, Files(request.param, "delays"), a_release("1.0.0")))


def of_kind(objects: Objects, kind: str) -> Objects:
    """The objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def values(value: Any) -> Iterator[Any]:
    """A value and all that is in it."""
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from values(one)


def pods(objects: Objects) -> list[dict[str, Any]]:
    """The specs of all pods that the objects ask for: the Rollout's, and those of Jobs in analyses."""
    return [one for one in values(objects) if isinstance(one, dict) and "containers" in one]


def names_of(objects: Objects) -> set[tuple[str, str]]:
    """Kind and name of every object."""
    return {(one["kind"], one["metadata"]["name"]) for one in objects}


def test_every_reference_exists(rendered: Objects) -> None:
    """Prefixes reached every reference: what Rollout, autoscaler and Jobs name is there under that name."""
    [rollout], [scaler] = of_kind(rendered, "Rollout"), of_kind(rendered, "HorizontalPodAutoscaler")
    canary = rollout["spec"]["strategy"]["canary"]
    plugin = canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]
    wanted = {("Service", canary["stableService"]), ("Service", canary["canaryService"])}
    wanted |= {("HTTPRoute", route["name"]) for route in plugin["httpRoutes"]}
    wanted |= {("GRPCRoute", route["name"]) for route in plugin["grpcRoutes"]}
    analyses = [canary["analysis"], *(step["analysis"] for step in canary["steps"] if "analysis" in step)]
    wanted |= {("AnalysisTemplate", one["templateName"]) for analysis in analyses for one in analysis["templates"]}
    wanted |= {("ServiceAccount", pod["serviceAccountName"]) for pod in pods(rendered)}
    wanted |= {(scaler["spec"]["scaleTargetRef"]["kind"], scaler["spec"]["scaleTargetRef"]["name"])}
    assert len(wanted) == 8
    assert wanted <= names_of(rendered)


def test_every_selector_selects_the_pods(rendered: Objects) -> None:
    """Labels reached selectors and pods alike: Services, budget and network policy select the Rollout's pods."""
    [rollout] = of_kind(rendered, "Rollout")
    labels = rollout["spec"]["template"]["metadata"]["labels"].items()
    selectors = [service["spec"]["selector"] for service in of_kind(rendered, "Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in of_kind(rendered, "PodDisruptionBudget")]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(rendered, "NetworkPolicy")]
    assert len(selectors) == 4
    for selector in selectors:
        assert selector["app.kubernetes.io/instance"] == "delays"
        assert selector.items() <= labels


def test_the_network_admits_the_jobs(rendered: Objects) -> None:
    """The pods of the Jobs have the label that the network policy asks for, and no other namespace's pod needs it."""
    [policy] = of_kind(rendered, "NetworkPolicy")
    expressions = [
        source["podSelector"]["matchExpressions"]
        for rule in policy["spec"]["ingress"]
        for source in rule["from"]
        if "podSelector" in source and "namespaceSelector" not in source
    ]
    assert expressions == [[{"key": "fledge.dev/job", "operator": "Exists"}]]
    for job in (one["job"] for one in values(rendered) if isinstance(one, dict) and "job" in one):
        assert "fledge.dev/job" in job["spec"]["template"]["metadata"]["labels"]


def test_the_autoscaler_alone_says_how_many(rendered: Objects) -> None:
    """The Rollout has no replicas, which every sync would set back; the fewest are enough for a canary and a drain."""
    [rollout], [scaler] = of_kind(rendered, "Rollout"), of_kind(rendered, "HorizontalPodAutoscaler")
    [budget] = of_kind(rendered, "PodDisruptionBudget")
    assert "replicas" not in rollout["spec"]
    assert scaler["spec"]["minReplicas"] >= rollout["spec"]["strategy"]["canary"]["minPodsPerReplicaSet"]
    assert scaler["spec"]["minReplicas"] > budget["spec"]["maxUnavailable"]


def test_containers_may_do_little(rendered: Objects) -> None:
    """Each pod is what Kubernetes calls restricted, without a token, with a read-only root, limits and bounded volumes."""
    for pod in pods(rendered):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"])
        for container in pod["initContainers"] + pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["limits"]) == {"cpu", "memory"} == set(container["resources"]["requests"])
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_probes_ask_for_the_version(rendered: Objects) -> None:
    """A pod starts and is ready when the release's own version answers: metadata of any other is a 404."""
    [rollout] = of_kind(rendered, "Rollout")
    [serving] = rollout["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert serving[probe]["httpGet"] == {"path": "/v1/models/delays/versions/1000000/metadata", "port": "rest"}


def test_threads_follow_from_the_limit(rendered: Objects) -> None:
    """The server's threads are as many as the CPU that it may use, not as the node has (tensorflow/serving#1618)."""
    [rollout] = of_kind(rendered, "Rollout")
    [serving] = rollout["spec"]["template"]["spec"]["containers"]
    flags, _, unknown = parse(serving["args"])
    assert not unknown
    assert str(flags.tensorflow_intra_op_parallelism) == serving["resources"]["limits"]["cpu"]
    assert flags.rest_api_num_threads >= 2  # 1 deadlocks REST (tensorflow/serving#1576)


def test_no_map_is_empty(rendered: Objects) -> None:
    """`{}` is written nowhere: a Rollout whose last annotation went was refused for it (seen on the real controllers)."""
    assert {} not in list(values(rendered))


def test_built_in_kinds_are_valid(rendered: Objects) -> None:
    """Every object that Kubernetes itself knows, the pods of Rollout and Jobs included, has only fields that it knows."""
    [rollout] = of_kind(rendered, "Rollout")
    template = {"selector": rollout["spec"]["selector"], "template": rollout["spec"]["template"]}
    known = [one for one in rendered if ".k8s.io/" not in one["apiVersion"] and "argoproj.io" not in one["apiVersion"]]
    known += of_kind(rendered, "NetworkPolicy")
    known += [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": rollout["metadata"], "spec": template}]
    for one in values(rendered):
        if isinstance(one, dict) and "job" in one:
            known.append(
                {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": one["job"]["spec"]}
            )
    assert len(known) >= 7
    for one in known:
        kubernetes_validate.validate(one, "1.36", strict=True)


def blue_green(repository: Repository, environment: str) -> Objects:
    """What an environment that opts in to blue-green applies of a release."""
    owned = repository.root / "manifests" / "environments" / environment / "kustomization.yaml"
    owned.write_text(owned.read_text() + "components: [../../components/blue-green]\n")
    return render.documents_of(render.render(repository.root, Files(environment, "delays"), a_release("1.0.0")))


def test_blue_green_is_one_line_of_an_environment(repository: Repository) -> None:
    """The strategy is blue-green and nothing of the canary's is left; the pods, and so the delivery, are the same."""
    before = render.rollout_of(render.render(repository.root, Files("staging", "delays"), a_release("1.0.0")))
    objects = blue_green(repository, "staging")
    [rollout] = of_kind(objects, "Rollout")
    [strategy] = rollout["spec"]["strategy"].values()
    assert list(rollout["spec"]["strategy"]) == ["blueGreen"]
    assert rollout["spec"]["template"] == before["spec"]["template"]
    wanted = {("Service", strategy["activeService"]), ("Service", strategy["previewService"])}
    for name in ("prePromotionAnalysis", "postPromotionAnalysis"):
        wanted |= {("AnalysisTemplate", one["templateName"]) for one in strategy[name]["templates"]}
    assert wanted == {("Service", "delays-stable"), ("Service", "delays-canary")} | {
        ("AnalysisTemplate", "delays-judge"),
        ("AnalysisTemplate", "delays-guardrail"),
    }
    assert wanted <= names_of(objects)
    assert {} not in list(values(objects))


def test_only_the_analysis_asks_a_preview(repository: Repository) -> None:
    """Users' hostnames lead to the active Service alone; the preview has its own, and those are what the Job feeds."""
    objects = blue_green(repository, "staging")
    asked = {
        route["spec"]["hostnames"][0]: [ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]]
        for route in of_kind(objects, "HTTPRoute") + of_kind(objects, "GRPCRoute")
    }
    assert asked == {
        "delays.staging.example.com": ["delays-stable"],
        "grpc.delays.staging.example.com": ["delays-stable"],
        "preview.delays.staging.example.com": ["delays-canary"],
        "preview.grpc.delays.staging.example.com": ["delays-canary"],
    }
    [replay] = [
        one for one in values(objects) if isinstance(one, dict) and one.get("name") == "replay" and "args" in one
    ]
    hosts = {word.partition("=")[2] for word in replay["args"] if word.startswith(("--rest-host", "--grpc-host"))}
    assert hosts == {host for host in asked if host.startswith("preview.")}


def test_a_guardrail_after_the_switch_ends(repository: Repository) -> None:
    """The old pods can go only when the analysis after the switch is over: it looks a number of times."""
    objects = blue_green(repository, "staging")
    [guardrail] = [one for one in of_kind(objects, "AnalysisTemplate") if one["metadata"]["name"] == "delays-guardrail"]
    assert all(metric["count"] > 0 for metric in guardrail["spec"]["metrics"])


def test_a_preview_that_nobody_feeds_is_refused(repository: Repository) -> None:
    """Blue-green in an environment with `traffic: users` would wait for ever; it does not render."""
    with pytest.raises(Problem, match=r"name=replay"):
        blue_green(repository, "production")


def keys_given(repository: Repository) -> str:
    """What the pod's init container is told of keys."""
    rollout = render.rollout_of(render.render(repository.root, Files("staging", "delays"), a_release("1.0.0")))
    [fetch] = rollout["spec"]["template"]["spec"]["initContainers"]
    [argument] = [word for word in fetch["args"] if word.startswith("--key=")]
    return str(argument).removeprefix("--key=")


def test_the_pod_knows_the_owners_keys(repository: Repository) -> None:
    """Each public key of signing.pub is an argument of `fetch`, in the file's order; without the file there is none."""
    assert keys_given(repository) == ""
    made = [ec.generate_private_key(ec.SECP256R1()).public_key() for _ in range(2)]
    pem = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in made]
    der = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in made]
    (repository.root / keys.PUBLIC).parent.mkdir(exist_ok=True)
    (repository.root / keys.PUBLIC).write_bytes(b"".join(pem))
    assert [base64.b64decode(key) for key in keys_given(repository).split(",")] == der


def test_the_pod_uses_no_configmap_and_no_secret(repository: Repository) -> None:
    """A rollback never meets a pruned ConfigMap (argo-rollouts#2669)."""
    template = render.rollout_of(render.render(repository.root, Files("production", "delays"), a_release("1.0.0")))
    text = str(template["spec"]["template"]).lower()
    assert "configmap" not in text
    assert "secret" not in text


def test_the_weight_comes_before_match_traffic(repository: Repository) -> None:
    """In the order seen on the real controller: setWeight first, or the canary is scaled to 0 and loads twice."""
    rollout = render.rollout_of(render.render(repository.root, Files("production", "delays"), a_release("1.0.0")))
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    matching = next(i for i, step in enumerate(steps) if step.get("setCanaryScale", {}).get("matchTrafficWeight"))
    assert any("setWeight" in step for step in steps[:matching])


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("tensorflow/serving:2.20.0", {"newName": "tensorflow/serving", "newTag": "2.20.0"}),
        ("registry:5000/a/b", {"newName": "registry:5000/a/b"}),
        ("registry:5000/a/b:1", {"newName": "registry:5000/a/b", "newTag": "1"}),
        ("a/b:1@sha256:00", {"newName": "a/b", "digest": "sha256:00"}),
    ],
)
def test_image_references_are_taken_apart(reference: str, parts: dict[str, str]) -> None:
    """A whole image reference becomes kustomize's name, tag and digest."""
    assert render._image("x", reference) == {"name": "x", **parts}


def test_no_kustomize_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where kustomize is nowhere to be had, one line says what would do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    kustomize.command.cache_clear()
    with pytest.raises(Problem, match=r"kustomize: found none, expected kustomize ≥ 5.8 or kubectl"):
        kustomize.command(tmp_path)
    kustomize.command.cache_clear()
