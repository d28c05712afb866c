"""From a release to what Argo CD applies: one file for each (environment, model), rendered by kustomize."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fledge import atomic, git, kustomize, project, release
from fledge.artifact import keys
from fledge.problems import Problem
from fledge.project import Project
from fledge.release import LOCAL, Files, Release

DELIVERY, VERSION = "fledge.dev/delivery", "fledge.dev/version"
GATEWAY = "models.gateway.svc:80"  # where the gateway answers inside the cluster
HEADER = "# Rendered by `make render`; Argo CD applies this file. Edit its sources, not this.\n"


def render(root: Path, files: Files, wanted: Release) -> str:
    """The YAML of a release in an environment. The same sources give the same bytes.

    The kustomization is derived, never committed: base, then the release's facts, then the environment.
    """
    owner = project.load(root)
    scratch = root / ".fledge"
    scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch, prefix="render-"))
    try:
        place = _place(root, owner, files)
        (folder / "release.yaml").write_text(release.to_text(files.model, wanted))
        # JSON is YAML, and written in no time; nobody reads these two.
        (folder / "place.yaml").write_text(json.dumps(place))
        (folder / "kustomization.yaml").write_text(json.dumps(_kustomization(root, owner, files)))
        return stamped(kustomize.build(folder, root))
    finally:
        shutil.rmtree(folder)


def sources(models: Iterable[str]) -> list[str]:
    """All that `render` reads beside the release, for these models; some of it need not be there."""
    parts = [f"manifests/{name}" for name in ("base", "components", "environments")]
    return ["project.yaml", ".dvc/config", str(keys.PUBLIC), *parts, *(f"models/{one}/params.yaml" for one in models)]


def contents(files: Files, wanted: Release, rendered: str) -> dict[Path, str]:
    """The two files of one (environment, model): release.yaml and what it renders to."""
    return {files.release: release.to_text(files.model, wanted), files.rendered: rendered}


def held(root: Path, files: Files, commit: str) -> dict[Path, str]:
    """The two files as `commit` holds them. Raises Problem where it lacks one."""
    found = {path: git.show(root, commit, path) for path in (files.release, files.rendered)}
    if absent := [path for path, text in found.items() if text is None]:
        raise Problem(
            *(f"{files.who}: no {path} found at {commit}, expected what the healthy tag holds" for path in absent)
        )
    return {path: text for path, text in found.items() if text is not None}


def write(root: Path, files: Files, wanted: Release) -> list[Path]:
    """Write release.yaml and the rendered file of one (environment, model); the paths written."""
    return _written(root, contents(files, wanted, render(root, files, wanted)))


def restore(root: Path, files: Files, commit: str) -> list[Path]:
    """Write release.yaml and the rendered file as `commit` holds them, nothing else; the paths written."""
    return _written(root, held(root, files, commit))


def _written(root: Path, texts: dict[Path, str]) -> list[Path]:
    for path, text in texts.items():
        atomic.write(root / path, text)
    return list(texts)


def stamped(manifests: str) -> str:
    """The manifests with the delivery written into the pod template, kustomize's bytes otherwise untouched."""
    delivery = delivery_of(rollout_of(manifests)["spec"]["template"])
    return HEADER + manifests.replace(f'{DELIVERY}: ""', f'{DELIVERY}: "{delivery}"')


def delivery_of(template: dict[str, Any]) -> str:
    """The first 12 hex digits of the sha256 of a pod template's canonical JSON, without this label itself."""
    plain = json.loads(json.dumps(template))
    plain["metadata"]["labels"].pop(DELIVERY, None)
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def documents_of(manifests: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(manifests))


def rollout_of(manifests: str) -> dict[str, Any]:
    """The one Rollout among rendered manifests."""
    for document in documents_of(manifests):
        if document["kind"] == "Rollout":
            return document
    raise Problem("render: no Rollout found, expected one in every rendered file (manifests/rendered/)")


def delivered(manifests: str, file: Path | str = "manifests/rendered/") -> tuple[str, str]:
    """(delivery, version) as the rendered pod template's labels say, which occur nowhere else in the file.

    Raises Problem for a `file` that has none; what `render` has just made always has them.
    """
    found = [re.search(rf'^ +{label}: "?([^"\n]+)"?$', manifests, re.MULTILINE) for label in (DELIVERY, VERSION)]
    if not all(found):
        raise Problem(f"render: no {DELIVERY} and {VERSION} found, expected both as labels ({file})")
    delivery, version = (match[1] for match in found if match)
    return delivery, version


def _place(root: Path, owner: Project, files: Files) -> dict[str, Any]:
    """Where a release goes, as a local document that kustomize copies from."""
    environment = owner.environment(files.environment)
    return {
        "apiVersion": "fledge.dev/v1",
        "kind": "Place",
        "metadata": {"name": files.model, "annotations": LOCAL},
        "spec": {
            "model": files.model,
            "environment": files.environment,
            "remote": project.shared_remote(root),
            "keys": ",".join(keys.public(root)),
            "errorRatio": str(project.error_ratio(root, files.model)),
            "rows": f"{files.model}/{project.replayed(root, files.model)}.parquet",
            "gateway": GATEWAY,
            "hostnames": environment.hostnames(files.model),
        },
    }


def _kustomization(root: Path, owner: Project, files: Files) -> dict[str, Any]:
    base = "../../manifests"
    fed = [f"{base}/components/replay"] if owner.environment(files.environment).traffic == "replay" else []
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{base}/base", "release.yaml", "place.yaml"],
        "components": [f"{base}/components/release", *fed, f"{base}/environments/{files.environment}"],
        "namespace": files.environment,
        "namePrefix": f"{files.model}-",
        "labels": [{"pairs": {"app.kubernetes.io/instance": files.model}, "includeSelectors": True}],
        "images": [
            _image("tensorflow-serving", owner.images.serving),
            _image("fledge", owner.images.fledge),
            _image("fledge-replay", owner.images.replay),
        ],
    }


def _image(name: str, reference: str) -> dict[str, str]:
    """A whole image reference in kustomize's parts: name, tag and digest."""
    rest, _, digest = reference.partition("@")
    # A colon after the last slash starts the tag; one before it is a registry's port.
    repository, colon, tag = rest.rpartition(":")
    named = colon and "/" not in tag
    image = {"name": name, "newName": repository if named else rest}
    if digest:
        return image | {"digest": digest}
    return image | ({"newTag": tag} if named else {})
