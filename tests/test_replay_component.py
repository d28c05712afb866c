"""The component `replay`: an analysis in an environment without users is fed by a Job of its own."""

import shutil
from typing import Any

import pytest
from ruamel.yaml import YAML

from fledge import kustomize
from fledge.rehearsal.analysis import metrics
from fledge.release import dump
from tests.conftest import ROOT

LOCAL = {"config.kubernetes.io/local-config": "true"}
RELEASE = {
    "version": "1.2.3",
    "number": 1002003,
    "artifact": {"md5": "a" * 32 + ".dir", "sha256": "b" * 64},
    "data": {"md5": "d" * 32 + ".dir"},
}
PLACE = {
    "model": "m",
    "environment": "staging",
    "remote": "s3://bucket/key=with/equals",
    "keys": "",
    "errorRatio": "0.01",
    "rows": "m/2013-07.parquet",
    "gateway": "envoy.gateway.svc:80",
    "hostnames": {"rest": "m.example.com", "grpc": "grpc.m.example.com"},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The AnalysisTemplate as an environment with the component renders it."""
    folder = tmp_path_factory.mktemp("overlay")
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    overlay = folder / "overlay"
    overlay.mkdir()
    for kind, spec in (("Release", RELEASE), ("Place", PLACE)):
        document = {"apiVersion": "fledge.dev/v1", "kind": kind, "metadata": {"name": "m", "annotations": LOCAL}}
        (overlay / f"{kind.lower()}.yaml").write_text(dump({**document, "spec": spec}))
    components = ["components/release", "components/replay", "environments/staging"]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../manifests/base", "release.yaml", "place.yaml"],
        "components": [f"../manifests/{part}" for part in components],
        "namePrefix": "m-",
        "images": [
            {"name": name, "newName": f"ghcr.io/example/{name}", "newTag": "0.1.0"}
            for name in ("fledge", "fledge-replay")
        ],
    }
    (overlay / "kustomization.yaml").write_text(dump(kustomization))
    documents = YAML(typ="safe").load_all(kustomize.build(overlay, ROOT))
    return next(document for document in documents if document["metadata"]["name"] == "m-judge")


def pod(template: dict[str, Any], name: str = "replay") -> dict[str, Any]:
    """The pod of the Job metric."""
    (metric,) = [metric for metric in template["spec"]["metrics"] if metric["name"] == name]
    spec: dict[str, Any] = metric["provider"]["job"]["spec"]["template"]["spec"]
    return spec


def test_the_verdict_stays(template: dict[str, Any]) -> None:
    """The judge's metric is still there, first and unchanged; the Job is a second one."""
    base = YAML(typ="safe").load(ROOT / "manifests" / "base" / "judge.yaml")
    verdict, replay = template["spec"]["metrics"]
    assert verdict == base["spec"]["metrics"][0]
    assert replay["name"] == "replay"


def test_it_fetches_one_file_by_its_hash(template: dict[str, Any]) -> None:
    """The rows come from the remote, out of the data that the release was trained on."""
    (fetch,) = pod(template)["initContainers"]
    assert [*fetch["command"], *fetch["args"]] == [
        *("python", "-m", "fledge.fetch"),
        "--remote=s3://bucket/key=with/equals",
        f"--artifact={'d' * 32}.dir",
        "--only=m/2013-07.parquet",
        "--to=/rows",
    ]


def test_it_replays_until_the_judge_has_decided(template: dict[str, Any]) -> None:
    """The rows go through the gateway's hostnames, and the question is word for word the one that the analysis asks."""
    (replay,) = pod(template)["containers"]
    verdict = template["spec"]["metrics"][0]
    assert [*replay["command"], *replay["args"]] == [
        *("python", "-m", "fledge.client.replay"),
        "--rows=/rows/m/2013-07.parquet",
        "--model=m",
        "--address=envoy.gateway.svc:80",
        "--rest-host=m.example.com",
        "--grpc-host=grpc.m.example.com",
        "--rate=100",
        "--until",
        verdict["provider"]["web"]["url"],
    ]


def test_arguments_of_the_analysis_reach_the_job(template: dict[str, Any]) -> None:
    """Filled in as Argo Rollouts does, metric and Job ask about the same canary."""
    values = {"stable-hash": "aaa", "canary-hash": "bbb", "weight": "5"}
    verdict, replay = metrics("judge", template, values)
    (container,) = replay["provider"]["job"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == verdict["provider"]["web"]["url"]
    assert "environment=staging&model=m&stable=aaa&canary=bbb&weight=5&error-ratio=0.01" in container["args"][-1]


def test_the_owners_images_and_a_shared_folder(template: dict[str, Any]) -> None:
    """Both containers run the owner's images, tag included, of which one alone is large, and see the same rows."""
    spec = pod(template)
    containers = [*spec["initContainers"], *spec["containers"]]
    assert [one["image"] for one in containers] == [
        f"ghcr.io/example/{name}:0.1.0" for name in ("fledge", "fledge-replay")
    ]
    assert [container["volumeMounts"] for container in containers] == [
        [{"name": "rows", "mountPath": "/rows"}, {"name": "tmp", "mountPath": "/tmp"}]
    ] * 2
    assert {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume} == {"rows", "tmp"}


def test_the_job_runs_once(template: dict[str, Any]) -> None:
    """A Job that fails is not tried again: a retry would turn red into green."""
    job = template["spec"]["metrics"][1]["provider"]["job"]["spec"]
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"
