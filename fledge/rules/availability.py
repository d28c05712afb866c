"""How many pods there are, how many may go at once, and who may ask them."""

from collections.abc import Iterator
from typing import Any

from fledge.rules.documents import Document, Pair, at

NAMESPACE = "kubernetes.io/metadata.name"
JOB = "fledge.dev/job"
REST, GRPC = 8501, 8500
JUDGE = "the judge"
ADMITTED = {"gateway": {REST, GRPC}, "monitoring": {REST}, JUDGE: {REST}, JOB: {REST, GRPC}}
ITS_PODS = {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": ["judge"]}]}


def scales_rollout(pair: Pair) -> Iterator[str]:
    """One autoscaler targets the Rollout and alone says how many pods there are."""
    where = "manifests/base/autoscaler.yaml"
    target = {"apiVersion": pair.rollout["apiVersion"], "kind": "Rollout", "name": pair.rollout["metadata"]["name"]}
    targets = [one["spec"].get("scaleTargetRef") for one in pair.kind("HorizontalPodAutoscaler")]
    if targets != [target]:
        yield pair.line(f"the autoscalers' targets are {targets}", f"one, {target}", where)
    if "replicas" in pair.rollout["spec"]:
        yield pair.line("the Rollout has replicas of its own", "none: the autoscaler's", "manifests/: spec.replicas")


def drain_allowed(pair: Pair) -> Iterator[str]:
    """A node can always be drained, some pods at a time."""
    where, budgets = "manifests/base/disruption.yaml", pair.kind("PodDisruptionBudget")
    least = min((one["spec"].get("minReplicas", 1) for one in pair.kind("HorizontalPodAutoscaler")), default=1)
    if len(budgets) != 1:
        yield pair.line(f"{len(budgets)} PodDisruptionBudgets found", "one", where)
    for one in budgets:
        if not drainable(one["spec"], least):
            found = {key: value for key, value in one["spec"].items() if key != "selector"}
            yield pair.line(f"the PodDisruptionBudget says {found}", "a pod that may go (maxUnavailable: 1)", where)
        if one["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield pair.line(
                "pods that are not ready keep their node up", "unhealthyPodEvictionPolicy: AlwaysAllow", where
            )


def drainable(budget: Document, replicas: int) -> bool:
    """Whether a budget lets at least one of `replicas` pods go; Kubernetes rounds percentages up, both of them."""
    if "maxUnavailable" in budget:
        return pods(budget["maxUnavailable"], replicas) >= 1
    return pods(budget.get("minAvailable", 0), replicas) < replicas


def pods(amount: Any, replicas: int) -> int:
    if isinstance(amount, str):
        return -(-int(amount.removesuffix("%")) * replicas // 100)
    return int(amount)


def admits_only(pair: Pair) -> Iterator[str]:
    """Only the gateway, Prometheus, the judge and an analysis' Jobs reach a model, each at its ports."""
    where, policies = "manifests/base/network.yaml", pair.kind("NetworkPolicy")
    if len(policies) != 1 or "Ingress" not in at(policies[0], "spec.policyTypes"):
        yield pair.line(f"{len(policies)} NetworkPolicies of Ingress found", "one", where)
        return
    found: dict[str, set[Any]] = {}
    for rule in policies[0]["spec"].get("ingress", []):
        ports = {opened(port) for port in rule.get("ports", [{}])}
        for peer in rule.get("from") or [{}]:
            found.setdefault(admitted(peer), set()).update(ports)
    for who in sorted(found.keys() | ADMITTED.keys()):
        if found.get(who) != ADMITTED.get(who):
            said = f"{who} is let in to {sorted(found.get(who, ()), key=str) or 'nothing'}"
            yield pair.line(said, str(sorted(ADMITTED.get(who, ())) or "nothing"), where)


def opened(port: Document) -> Any:
    """A port of a NetworkPolicy by its number; as it stands where it says more, as a range does."""
    return port["port"] if port.keys() == {"port"} else str(port)


def admitted(peer: Document) -> str:
    """Who a peer of a NetworkPolicy is: a namespace, the judge, the label of our Jobs, or, as it stands, anything else."""
    space = peer.get("namespaceSelector", {})
    name = (space.get("matchLabels") or {}).get(NAMESPACE)
    if name and space == {"matchLabels": {NAMESPACE: name}}:
        if peer.keys() == {"namespaceSelector"}:
            return str(name)
        if name == "fledge" and peer == {"namespaceSelector": space, "podSelector": ITS_PODS}:
            return JUDGE
    if peer == {"podSelector": {"matchExpressions": [{"key": JOB, "operator": "Exists"}]}}:
        return JOB
    return str(peer or "everyone")
