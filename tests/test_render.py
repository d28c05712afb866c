"""What Argo CD would apply: rendered the same by every kustomize, with nothing left unsaid."""

import shutil
from pathlib import Path

import pytest

from fledge import kustomize, render
from fledge.problems import Problem
from fledge.release import Files
from tests.conftest import ROOT, Repository, a_release

EXAMPLES = Path(__file__).parent / "rendered"
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
    rendered = render.render(repository.root, Files(environment, "delays"), a_release("1.0.0"))
    assert rendered == (EXAMPLES / environment / "delays.yaml").read_text()


def test_every_reference_of_the_rollout_exists(repository: Repository) -> None:
    """Prefixes reached every reference: Services, routes and analysis templates that the Rollout names are there."""
    documents = render.documents_of(render.render(repository.root, Files("production", "delays"), a_release("1.0.0")))
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    [rollout] = [one for one in documents if one["kind"] == "Rollout"]
    canary = rollout["spec"]["strategy"]["canary"]
    plugin = canary["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]
    wanted = {("Service", canary["stableService"]), ("Service", canary["canaryService"])}
    wanted |= {("HTTPRoute", route["name"]) for route in plugin["httpRoutes"]}
    wanted |= {("GRPCRoute", route["name"]) for route in plugin["grpcRoutes"]}
    wanted |= {
        ("AnalysisTemplate", template["templateName"])
        for step in canary["steps"]
        for template in step.get("analysis", {}).get("templates", [])
    }
    assert wanted <= names


def test_every_service_selects_the_pods(repository: Repository) -> None:
    """Labels reached selectors and pods alike: each Service selects the Rollout's pods."""
    documents = render.documents_of(render.render(repository.root, Files("production", "delays"), a_release("1.0.0")))
    [rollout] = [one for one in documents if one["kind"] == "Rollout"]
    labels = rollout["spec"]["template"]["metadata"]["labels"].items()
    for service in (one for one in documents if one["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= labels


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
