"""What every pod must be: named by its bytes, confined and bounded."""

import re
from collections.abc import Iterator
from typing import Any

from fledge.rules.documents import Document, Documents, Pair, at

SOURCE = "manifests/base/rollout.yaml"
EXAMPLE = "https://github.com/example/models"  # project.yaml: repository, as the template ships it
ADDRESSED = re.compile(r"@sha256:[0-9a-f]{64}$")
TAG = re.compile(r":([\w][\w.-]*)$")
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
LABELS = {
    "app.kubernetes.io/instance", "app.kubernetes.io/name", "fledge.dev/delivery", "fledge.dev/version",
}  # fmt: skip
CONFINED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_CONFINED: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
VOLUMES = {"emptyDir"}  # what a pod may mount: no ConfigMap, no Secret, nothing of the node


def no_config(pair: Pair) -> Iterator[str]:
    """A pod takes nothing from a ConfigMap or a Secret, and mounts only what is empty at its start."""
    for one in pair.kind("ConfigMap"):
        yield pair.line(f"ConfigMap {one['metadata']['name']} found", "none beside a model", "manifests/base")
    for who, template in pair.pods:
        for volume in template["spec"].get("volumes", []):
            for kind in volume.keys() - {"name"} - VOLUMES:
                yield pair.line(f"the volume {volume['name']} of {who} is a {kind}", "emptyDir", SOURCE)
    for who, one, _ in pair.containers():
        taken = [variable["name"] for variable in one.get("env", []) if ref(variable)]
        for found in [*taken, *(["envFrom"] if "envFrom" in one else [])]:
            yield pair.line(f"{found} of {who} is from a ConfigMap or Secret", "an argument", SOURCE)


def ref(variable: Document) -> bool:
    """Whether a variable's value is in another object."""
    return bool({"configMapKeyRef", "secretKeyRef"} & (variable.get("valueFrom") or {}).keys())


def images_named(of: Documents) -> Iterator[str]:
    """An image is what was tested: never `latest`, and by digest outside the template."""
    for who, one, _ in of.containers():
        if wrong := unnamed(one["image"], of.owner.repository):
            yield of.line(f"the image of {who} is {one['image']}", wrong, "project.yaml: images")


def unnamed(image: str, repository: str) -> str | None:
    """What is expected of an image that says too little; None for one that says enough.

    The template itself, whose repository is still the example's, has no digest: it would have to invent one.
    """
    if ADDRESSED.search(image):
        return None
    tag = TAG.search(image)
    if not tag or tag[1] == "latest":
        return "a tag or a digest"
    return None if repository == EXAMPLE else "its digest, @sha256:…"


def confined(of: Documents) -> Iterator[str]:
    """No process is root, gains rights or writes to its image."""
    for who, one, pod in of.containers():
        own, shared = one.get("securityContext", {}), pod.get("securityContext", {})
        wrong = [key for key, value in CONFINED.items() if own.get(key) != value]
        wrong += [key for key, value in POD_CONFINED.items() if (shared | own).get(key) != value]
        wrong += ["privileged"] * bool(own.get("privileged"))
        for key in wrong:
            expected = str((CONFINED | POD_CONFINED | {"privileged": False})[key])
            yield of.line(f"{key} of {who} is {own.get(key, shared.get(key))}", expected, f"{SOURCE}: securityContext")


def off_the_node(of: Documents) -> Iterator[str]:
    """No pod shares the node's network, processes or ports."""
    for who, template in of.pods:
        for key in sorted({"hostNetwork", "hostPID", "hostIPC"} & template["spec"].keys()):
            yield of.line(f"{key} of {who} is set", "it left out", SOURCE)
    for who, one, _ in of.containers():
        if any("hostPort" in port for port in one.get("ports", [])):
            yield of.line(f"hostPort of {who} is set", "it left out", SOURCE)


def limited(of: Documents) -> Iterator[str]:
    """Every container says what it needs and what it may take."""
    for who, one, _ in of.containers():
        for bound in ("requests", "limits"):
            missing = {"cpu", "memory"} - (at(one, f"resources.{bound}") or {}).keys()
            if missing:
                found = f"{who} has no {bound} of {' and '.join(sorted(missing))}"
                yield of.line(found, "both, cpu and memory", f"{SOURCE}: resources")


def no_token(pair: Pair) -> Iterator[str]:
    """No pod can speak to Kubernetes."""
    for who, template in pair.pods:
        pod = template["spec"]
        if pod.get("automountServiceAccountToken") is not False:
            yield pair.line(f"{who} mounts a token", "automountServiceAccountToken: false", SOURCE)
        if pod.get("serviceAccountName", "default") == "default":
            yield pair.line(f"{who} runs as the namespace's default account", "a ServiceAccount of its own", SOURCE)
    for one in pair.kind("ServiceAccount"):
        if one.get("automountServiceAccountToken") is not False:
            found = f"ServiceAccount {one['metadata']['name']} hands out a token"
            yield pair.line(found, "automountServiceAccountToken: false", "manifests/base/account.yaml")


def no_revision(pair: Pair) -> Iterator[str]:
    """The pod template changes with what runs and with nothing else: it holds no git revision."""
    metadata = pair.template["metadata"]
    written = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
    for key in written.keys() - LABELS:
        yield pair.line(f"the pod template carries {key}", f"only {', '.join(sorted(LABELS))}", SOURCE)
    for who, one, _ in pair.containers():
        for word in [*one.get("args", []), *(variable.get("value", "") for variable in one.get("env", []))]:
            if COMMIT.search(word):
                yield pair.line(f"{word} of {who} names a commit", "none in a pod", SOURCE)
