"""What Kubernetes' and Argo Rollouts' controllers derive from objects, as pure functions."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fledge.rehearsal.node import Pod

Object = dict[str, Any]
Endpoints = dict[tuple[str, str, str], list[tuple[str, int]]]

HASH = "rollouts-pod-template-hash"  # the label that Argo Rollouts writes on pods and into Services' selectors


def template_hash(template: Object) -> str:
    """Return ten hex digits that stand for a pod template: equal templates, and only they, share them."""
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def pod_of(rollout: Object, template: Object, name: str, digest: str, annotations: Mapping[str, str]) -> Object:
    """Return the pod that a ReplicaSet of `rollout` makes from `template`."""
    metadata = template.get("metadata", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": rollout["metadata"]["namespace"],
            "labels": {**metadata.get("labels", {}), HASH: digest},
            "annotations": {**metadata.get("annotations", {}), **annotations},
        },
        "spec": template["spec"],
    }


def weighted(route: Object, weights: Mapping[str, int]) -> Object:
    """Return `route` with these weights by Service, in every rule that names one (as the Gateway API plugin does)."""
    rules = [
        {**rule, "backendRefs": [{**ref, **_weight(ref, weights)} for ref in rule.get("backendRefs", ())]}
        for rule in route["spec"]["rules"]
    ]
    return {**route, "spec": {**route["spec"], "rules": rules}}


def _weight(ref: Object, weights: Mapping[str, int]) -> dict[str, int]:
    return {"weight": weights[ref["name"]]} if ref["name"] in weights else {}


def selecting(service: Object, hashes: Mapping[str, str | None]) -> Object:
    """Return `service` with its selector narrowed to one ReplicaSet's pods, by the hash of its name in `hashes`."""
    digest = hashes.get(service["metadata"]["name"])
    narrowed = {**service["spec"].get("selector", {}), **({HASH: digest} if digest else {})}
    return {**service, "spec": {**service["spec"], "selector": narrowed}}


def endpoints(services: Iterable[Object], pods: Sequence[Pod]) -> Endpoints:
    """Return (namespace, Service, port's name) → addresses of the ready pods that the Service selects."""
    return {
        (service["metadata"]["namespace"], service["metadata"]["name"], port["name"]): [
            ("127.0.0.1", number)
            for pod in pods
            if pod.ready and _selects(service, pod)
            if (number := pod.port(port.get("targetPort", port["port"]))) is not None
        ]
        for service in services
        for port in service["spec"]["ports"]
    }


def _selects(service: Object, pod: Pod) -> bool:
    same_namespace = service["metadata"]["namespace"] == pod.manifest["metadata"]["namespace"]
    return same_namespace and set(service["spec"]["selector"].items()) <= set(pod.labels.items())
