"""How traffic is split: explicit weights, a hostname for each protocol, HTTP/2 without TLS for gRPC."""

from collections.abc import Iterator, Mapping

from fledge.rules.documents import Pair
from fledge.rules.references import backends

GRPC = "grpc"


def weights_written(pair: Pair) -> Iterator[str]:
    """In git the stable Service has 100 and the canary 0, both written down."""
    if not pair.canary:
        return
    expected = {str(pair.canary.get("stableService")): 100, str(pair.canary.get("canaryService")): 0}
    for route in pair.kind("HTTPRoute", "GRPCRoute"):
        found = {one["name"]: one.get("weight") for one in backends(route)}
        if found != expected:
            where = f"manifests/base/{route['kind'].lower()}.yaml: weight"
            yield pair.line(f"{route['kind']} has weights {said(found)}", said(expected), where)


def said(weights: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {weight}" for name, weight in sorted(weights.items()))


def hostnames_apart(pair: Pair) -> Iterator[str]:
    """REST and gRPC have hostnames of their own, whole ones."""
    taken: dict[str, str] = {}
    for route in pair.kind("HTTPRoute", "GRPCRoute"):
        who, where = route["metadata"]["name"], f"manifests/base/{route['kind'].lower()}.yaml: hostnames"
        for name in route["spec"].get("hostnames") or ["*"]:
            if "*" in name:
                yield pair.line(f"{who} takes {name}", "whole hostnames", where)
            if taken.setdefault(name, who) != who:
                yield pair.line(f"{who} and {taken[name]} share {name}", "a hostname for each", where)


def h2c(pair: Pair) -> Iterator[str]:
    """A Service says that its gRPC port speaks HTTP/2 without TLS."""
    for one in pair.kind("Service"):
        for port in one["spec"]["ports"]:
            if port.get("name") == GRPC and port.get("appProtocol") != "kubernetes.io/h2c":
                found = f"appProtocol of {one['metadata']['name']} is {port.get('appProtocol')}"
                yield pair.line(found, "kubernetes.io/h2c", "manifests/base/services.yaml")


def one_gateway(pair: Pair) -> Iterator[str]:
    """Every route hangs on the platform's Gateway."""
    for route in pair.kind("HTTPRoute", "GRPCRoute"):
        found = [(one.get("namespace"), one["name"]) for one in route["spec"].get("parentRefs", [])]
        if found != [("gateway", "models")]:
            where = f"manifests/base/{route['kind'].lower()}.yaml: parentRefs"
            yield pair.line(f"{route['kind']} hangs on {found}", "models in gateway", where)
