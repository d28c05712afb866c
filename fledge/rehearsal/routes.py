"""HTTPRoutes, GRPCRoutes, Services and the addresses of ready pods as Envoy's routes (RDS) and clusters (CDS).

Pure: objects in, JSON resources out. Rules are those of the Gateway API specification (v1: HTTPRouteRule,
GRPCRouteRule, PathMatchType), field names those of Envoy's v3 API. What is not translated is refused, never ignored.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fledge.problems import Problem

Json = dict[str, Any]
Endpoints = Mapping[tuple[str, str, str], Sequence[tuple[str, int]]]

# Envoy's own default for a whole answer. Without it a hung backend would never be counted as a failure.
TIMEOUT = "15s"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_KNOWN = {
    "rule": {"name", "matches", "backendRefs"},
    "backendRef": {"group", "kind", "name", "namespace", "port", "weight"},
    "HTTPRoute match": {"path"},
    "GRPCRoute match": {"method"},
}


def resources(routes: Iterable[Json], services: Iterable[Json], endpoints: Endpoints) -> tuple[Json, Json]:
    """The RDS and the CDS file, without `version_info`.

    `endpoints` are the addresses of the ready pods by (namespace, Service, port name). A cluster is one Service port,
    `<namespace>_<service>_<portname>`; without endpoints it answers 503 / UNAVAILABLE.
    Raises Problem, one line for each field of a route that is not translated.
    """
    routes, services = list(routes), list(services)
    if problems := [line for route in routes for line in _refused(route)] + _shared_hostnames(routes):
        raise Problem(*problems)
    ports = {(ns, name, p["port"]): p["name"] for ns, name, p in _ports(services)}
    by_host: dict[str, list[Json]] = {}
    for route in routes:
        for host in route["spec"].get("hostnames") or ["*"]:
            by_host.setdefault(host, []).extend(_entries(route, ports))
    virtual_hosts: list[Json] = [
        {"name": host, "domains": [host], "routes": sorted(entries, key=_precedence)}
        for host, entries in sorted(by_host.items())
    ]
    clusters = [
        _cluster(f"{ns}_{name}_{port['name']}", port, endpoints.get((ns, name, port["name"]), ()))
        for ns, name, port in _ports(services)
    ]
    return (
        {"resources": [_typed("envoy.config.route.v3.RouteConfiguration", name="models", virtual_hosts=virtual_hosts)]},
        {"resources": sorted(clusters, key=lambda cluster: str(cluster["name"]))},
    )


def _typed(kind: str, **fields: Any) -> Json:
    return {"@type": f"type.googleapis.com/{kind}", **fields}


def _id(route: Json) -> str:
    return f"{route['kind']} {route['metadata'].get('namespace', 'default')}/{route['metadata']['name']}"


def _refused(route: Json) -> list[str]:
    def unknown(kind: str, where: str, found: Json) -> list[str]:
        return [
            f"rehearsal: {_id(route)} uses {key}, expected only {', '.join(sorted(_KNOWN[kind]))} ({where})"
            for key in sorted(set(found) - _KNOWN[kind])
        ]

    lines = []
    for i, rule in enumerate(route["spec"].get("rules", [])):
        lines += unknown("rule", f"spec.rules.{i}", rule)
        for j, match in enumerate(rule.get("matches", [])):
            lines += unknown(f"{route['kind']} match", f"spec.rules.{i}.matches.{j}", match)
        for j, ref in enumerate(rule.get("backendRefs", [])):
            lines += unknown("backendRef", f"spec.rules.{i}.backendRefs.{j}", ref)
    return lines


def _shared_hostnames(routes: Sequence[Json]) -> list[str]:
    # Of an HTTPRoute and a GRPCRoute that share a hostname a listener accepts only one.
    of_kind = {
        kind: {h for r in routes if r["kind"] == kind for h in r["spec"].get("hostnames") or ["*"]}
        for kind in ("HTTPRoute", "GRPCRoute")
    }
    return [
        f"rehearsal: hostname {host} is on an HTTPRoute and on a GRPCRoute, expected one of its own for each"
        " (spec.hostnames)"
        for host in sorted(of_kind["HTTPRoute"] & of_kind["GRPCRoute"])
    ]


def _ports(services: Iterable[Json]) -> list[tuple[str, str, Json]]:
    return [
        (s["metadata"].get("namespace", "default"), s["metadata"]["name"], {"name": "", **port})
        for s in services
        for port in s["spec"]["ports"]
    ]


def _entries(route: Json, ports: Mapping[tuple[str, str, int], str]) -> list[Json]:
    """One Envoy route for each match of each rule; a rule without matches takes everything."""
    to_match = _http_match if route["kind"] == "HTTPRoute" else _grpc_match
    return [
        {"match": to_match(match), **_action(rule, route, ports)}
        for rule in route["spec"].get("rules", [])
        for match in rule.get("matches") or [{}]
    ]


def _http_match(match: Json) -> Json:
    path = {"type": "PathPrefix", "value": "/", **match.get("path", {})}
    if path["type"] == "PathPrefix":
        value = path["value"].rstrip("/")
        return {"path_separated_prefix": value} if value else {"prefix": "/"}
    return {"path": path["value"]} if path["type"] == "Exact" else {"safe_regex": {"regex": path["value"]}}


def _grpc_match(match: Json) -> Json:
    method = {"type": "Exact", "service": "", "method": "", **match.get("method", {})}
    if method["type"] != "Exact":
        service, name = method["service"] or "[^/]+", method["method"] or "[^/]+"
        return {"safe_regex": {"regex": f"/{service}/{name}"}, "grpc": {}}
    if method["service"] and method["method"]:
        return {"path": f"/{method['service']}/{method['method']}", "grpc": {}}
    if method["method"]:
        return {"safe_regex": {"regex": f"/[^/]+/{method['method']}"}, "grpc": {}}
    return {"prefix": f"/{method['service']}/" if method["service"] else "/", "grpc": {}}


def _precedence(entry: Json) -> tuple[int, int]:
    # Gateway API: exact before prefix, then the longer one. Envoy takes the first that matches.
    match = entry["match"]
    kinds = ("path", "safe_regex", "path_separated_prefix", "prefix")
    kind = next(k for k in kinds if k in match)
    return (min(kinds.index(kind), 2), -len(str(match[kind])))


def _action(rule: Json, route: Json, ports: Mapping[tuple[str, str, int], str]) -> Json:
    weighted = []
    for ref in rule.get("backendRefs", []):
        namespace = ref.get("namespace") or route["metadata"].get("namespace", "default")
        port = ports.get((namespace, ref["name"], ref["port"]), ref["port"])
        weighted.append({"name": f"{namespace}_{ref['name']}_{port}", "weight": ref.get("weight", 1)})
    # Envoy refuses weights that sum to 0, and with them the whole file; the Gateway API answers 500.
    if not sum(w["weight"] for w in weighted):
        return {"direct_response": {"status": 500}}
    action: Json = {"weighted_clusters": {"clusters": weighted}, "timeout": TIMEOUT}
    if route["kind"] == "GRPCRoute":
        # Envoy keeps the client's deadline too, so that it answers (and counts) DEADLINE_EXCEEDED itself.
        action["max_stream_duration"] = {"grpc_timeout_header_max": TIMEOUT}
    return {"route": action}


def _cluster(name: str, port: Json, addresses: Sequence[tuple[str, int]]) -> Json:
    h2c = port.get("appProtocol") == "kubernetes.io/h2c"
    # Servers close idle HTTP/1.1 connections (after 5 s and more); Envoy must be the first, or a request
    # that meets a closing connection fails.
    options: Json = (
        {"explicit_http_config": {"http2_protocol_options": {}}}
        if h2c
        else {
            "explicit_http_config": {"http_protocol_options": {}},
            "common_http_protocol_options": {"idle_timeout": "2s"},
        }
    )
    lb_endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": number}}}}
        for host, number in addresses
    ]
    return _typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="STATIC",
        connect_timeout="1s",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": lb_endpoints}] if lb_endpoints else []},
        typed_extension_protocol_options={_HTTP_OPTIONS: _typed(_HTTP_OPTIONS, **options)},
    )
