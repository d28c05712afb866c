"""That everything named exists, and every selector selects: what kustomize forgets to rename is found here."""

import re
from collections.abc import Iterator

from fledge.release import render
from fledge.rules.documents import Document, Pair, at
from fledge.rules.rollout import PLUGIN

BASE = "manifests/base"
ARGUMENT = re.compile(r"{{ *args\.([\w-]+) *}}")


def names_exist(pair: Pair) -> Iterator[str]:
    """Whatever an object names is rendered with it."""
    there = {(one["kind"], one["metadata"]["name"]) for one in pair.documents}
    for where, kind, name in named(pair):
        if (kind, name) not in there:
            yield pair.line(f"{where} names {kind} {name}, which is not there", "one that is rendered", BASE)


def named(pair: Pair) -> Iterator[tuple[str, str, str]]:
    """Every reference of these documents, as (where, kind, name)."""
    for strategy in pair.rollout["spec"]["strategy"].values():
        for key in ("canaryService", "stableService", "activeService", "previewService"):
            if key in strategy:
                yield key, "Service", strategy[key]
    plugin = (at(pair.canary, "trafficRouting.plugins") or {}).get(PLUGIN, {})
    for key, kind in (("httpRoutes", "HTTPRoute"), ("grpcRoutes", "GRPCRoute")):
        yield from (
            ("trafficRouting", kind, one["name"]) for one in plugin.get(key, [{"name": "(none)"}] * bool(plugin))
        )
    for where, analysis in pair.analyses():
        yield from ((where, "AnalysisTemplate", one["templateName"]) for one in analysis.get("templates", []))
    for route in pair.kind("HTTPRoute", "GRPCRoute"):
        yield from ((route["kind"], "Service", one["name"]) for one in backends(route))
    for who, template in pair.pods:
        if "serviceAccountName" in template["spec"]:
            yield who, "ServiceAccount", template["spec"]["serviceAccountName"]
    for one in pair.kind("HorizontalPodAutoscaler"):
        yield one["kind"], at(one, "spec.scaleTargetRef.kind"), at(one, "spec.scaleTargetRef.name")


def ports_exist(pair: Pair) -> Iterator[str]:
    """A route's port is its Service's, and a Service's or probe's is its container's."""
    served = {one["metadata"]["name"]: {port["port"] for port in one["spec"]["ports"]} for one in pair.kind("Service")}
    for route in pair.kind("HTTPRoute", "GRPCRoute"):
        for one in backends(route):
            if one.get("port") not in served.get(one["name"], {one.get("port")}):
                yield pair.line(f"{route['kind']} asks {one['name']} at port {one.get('port')}", "a port of it", BASE)
    ports = [port for one in pair.template["spec"]["containers"] for port in one.get("ports", [])]
    open_ports = {port.get("name") for port in ports} | {port["containerPort"] for port in ports}
    for who, wanted in wanted_ports(pair):
        if wanted not in open_ports:
            yield pair.line(f"{who} asks for port {wanted}", "a port of the server's container", BASE)


def wanted_ports(pair: Pair) -> Iterator[tuple[str, object]]:
    """The ports that Services and probes expect of the pod."""
    for one in pair.kind("Service"):
        yield from ((one["metadata"]["name"], port.get("targetPort", port["port"])) for port in one["spec"]["ports"])
    for one in pair.template["spec"]["containers"]:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for way in ("httpGet", "tcpSocket", "grpc"):
                if port := at(one, f"{probe}.{way}.port"):
                    yield probe, port


def selectors_select(pair: Pair) -> Iterator[str]:
    """Every selector selects the model's pods, of this model alone."""
    labels = pair.template["metadata"]["labels"]
    for who, selector in selectors(pair):
        if not selector or not selector.items() <= labels.items():
            yield pair.line(f"{who} selects {selector}", "labels of the pod template", BASE)
        elif "app.kubernetes.io/instance" not in selector:
            yield pair.line(f"{who} selects other models' pods too", "app.kubernetes.io/instance", BASE)
    for one in pair.kind("Rollout", "PodDisruptionBudget", "NetworkPolicy"):
        selector = at(one, "spec.podSelector" if one["kind"] == "NetworkPolicy" else "spec.selector") or {}
        if selector.keys() - {"matchLabels"}:
            yield pair.line(f"{one['kind']} leaves some pods out, by matchExpressions", "matchLabels alone", BASE)


def selectors_last(pair: Pair) -> Iterator[str]:
    """No selector changes with a delivery."""
    for who, selector in selectors(pair):
        for label in sorted({render.DELIVERY, render.VERSION} & selector.keys()):
            yield pair.line(f"{who} selects by {label}", "labels that stay", BASE)


def selectors(pair: Pair) -> Iterator[tuple[str, dict[str, str]]]:
    """Every selector of pods, as (whose, labels)."""
    yield "the Rollout", at(pair.rollout, "spec.selector.matchLabels") or {}
    for one in pair.kind("Service"):
        yield f"Service {one['metadata']['name']}", one["spec"].get("selector") or {}
    for one in pair.kind("PodDisruptionBudget"):
        yield one["kind"], at(one, "spec.selector.matchLabels") or {}
    for one in pair.kind("NetworkPolicy"):
        yield one["kind"], at(one, "spec.podSelector.matchLabels") or {}


def arguments_given(pair: Pair) -> Iterator[str]:
    """Every argument that an analysis uses is declared, and has a value or is given one."""
    for template in pair.kind("AnalysisTemplate"):
        name = template["metadata"]["name"]
        declared = {one["name"]: "value" in one or "valueFrom" in one for one in template["spec"].get("args", [])}
        for used in sorted(set(ARGUMENT.findall(str(template["spec"]["metrics"]))) - declared.keys()):
            yield pair.line(f"{name} uses the argument {used}", "it among spec.args", BASE)
        for where, analysis in pair.analyses():
            if not pair.asks(analysis, name.removeprefix(f"{pair.files.model}-")):
                continue
            given = {one["name"] for one in analysis.get("args", [])}
            for missing in sorted({one for one, has in declared.items() if not has} - given):
                yield pair.line(f"{where} does not tell {name} its {missing}", "a value", BASE)


def backends(route: Document) -> list[Document]:
    return [one for rule in route["spec"].get("rules", []) for one in rule.get("backendRefs", [])]
