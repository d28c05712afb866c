"""What stands beside the models: Argo CD may do what it must and no more, and never keeps a revert waiting."""

import re
from collections.abc import Iterator

from fledge.release import platform
from fledge.rules.documents import Document, Pair, Platform, at

APPLICATIONS, PROJECT = "manifests/platform/once/applications.yaml", "manifests/platform/environment/project.yaml"
SERVER = "https://kubernetes.default.svc"
SOURCES = ("manifests/base/*.yaml", "manifests/components/*/*.yaml")  # sources of what we render
MAY = {"get", "action/argoproj.io/Rollout/abort", "action/argoproj.io/Rollout/resume"}
IGNORED = {
    ("gateway.networking.k8s.io", "HTTPRoute", ".spec.rules[].backendRefs[].weight"),
    ("gateway.networking.k8s.io", "GRPCRoute", ".spec.rules[].backendRefs[].weight"),
    ("argoproj.io", "Rollout", "/spec/replicas"),
}


def platform_current(of: Platform) -> Iterator[str]:
    """The rendered platform file follows from its sources and project.yaml."""
    yield from platform.platform_current(of.root)


def projects_closed(of: Platform) -> Iterator[str]:
    """An environment's AppProject takes this repository, that namespace, and nothing of the cluster; `default` nothing."""
    found = {one["metadata"]["name"]: one["spec"] for one in of.kind("AppProject")}
    for environment in of.owner.environments:
        name = f"models-{environment.name}"
        expected = {
            "sourceRepos": [of.owner.repository],
            "destinations": [place := {"server": SERVER, "namespace": environment.name}],
            "destinationServiceAccounts": [{**place, "defaultServiceAccount": "deployer"}],
            "clusterResourceWhitelist": [],
        }
        for key, value in expected.items():
            if found.get(name, {}).get(key) != value:
                yield of.line(f"{key} of AppProject {name} is {found.get(name, {}).get(key)}", str(value), PROJECT)
    for key in ("sourceRepos", "destinations"):
        if found.get("default", {}).get(key) != []:
            yield of.line(f"the AppProject default allows {key}", "[]", "manifests/platform/once/projects.yaml")


def kinds_needed(of: Platform) -> Iterator[str]:
    """An AppProject allows no kind that nothing of its environment is rendered of."""
    sources = set().union(*(kinds_in(path.read_text()) for each in SOURCES for path in of.root.glob(each)))
    for environment in of.owner.environments:
        rendered = of.root.glob(f"manifests/rendered/{environment.name}/*.yaml")
        needed = sources.union(*(kinds_in(path.read_text()) for path in rendered))
        for group, kind in sorted(allowed(of, environment.name) - needed):
            found = f"AppProject models-{environment.name} allows {kind} of {group or 'the core'}"
            yield of.line(found, "only kinds that are rendered", f"{PROJECT}: namespaceResourceWhitelist")


def kinds_allowed(pair: Pair) -> Iterator[str]:
    """The environment's AppProject allows every kind that is rendered."""
    beside = Platform.read(pair.root, pair.base)
    if not beside.rendered:
        return
    missing = {(group_of(one), one["kind"]) for one in pair.documents} - allowed(beside, pair.files.environment)
    for group, kind in sorted(missing):
        found = f"AppProject models-{pair.files.environment} does not allow {kind} of {group or 'the core'}"
        yield pair.line(found, "it", f"{PROJECT}: namespaceResourceWhitelist")


def allowed(of: Platform, environment: str) -> set[tuple[str, str]]:
    """The (group, kind) that Argo CD may apply in an environment."""
    projects = [one for one in of.kind("AppProject") if one["metadata"]["name"] == f"models-{environment}"]
    whites = [white for one in projects for white in one["spec"].get("namespaceResourceWhitelist", [])]
    return {(white["group"], white["kind"]) for white in whites}


def group_of(document: Document) -> str:
    return str(document["apiVersion"]).rpartition("/")[0]


def kinds_in(text: str) -> set[tuple[str, str]]:
    """The (group, kind) of the objects of a file, read without parsing it: there may be thousands."""
    found = re.findall(r"^apiVersion: (\S+)\nkind: (\S+)$", text, re.MULTILINE)
    return {(version.rpartition("/")[0], kind) for version, kind in found}


def on_call_only(of: Platform) -> Iterator[str]:
    """People may look, abort and resume through Argo CD; git decides the rest."""
    for one in of.kind("AppProject"):
        for policy in [policy for role in one["spec"].get("roles", []) for policy in role.get("policies", [])]:
            _, _, resource, action, _, effect = [part.strip() for part in policy.split(",")]
            if effect == "allow" and (resource != "applications" or action not in MAY):
                found = f"{one['metadata']['name']} allows {resource} {action}"
                yield of.line(found, f"one of {', '.join(sorted(MAY))}", f"{PROJECT}: roles")


def applications_made(of: Platform) -> Iterator[str]:
    """One Application for each release file, of its one rendered file, pruned but never to nothing; a bad edit deletes none."""
    expected = {
        "spec.goTemplate": True,
        "spec.goTemplateOptions": ["missingkey=error"],
        "spec.syncPolicy.applicationsSync": "create-update",
        "spec.template.spec.syncPolicy.automated.prune": True,
        "spec.template.spec.syncPolicy.automated.allowEmpty": None,
        "spec.template.spec.project": "models-{{index .path.segments 2}}",
        "spec.template.spec.destination.namespace": "{{index .path.segments 2}}",
        "spec.template.spec.source.path": "manifests/rendered/{{index .path.segments 2}}",
        "spec.template.spec.source.directory.include": "{{index .path.segments 3}}.yaml",
    }
    for one in of.kind("ApplicationSet"):
        for path, value in expected.items():
            if (found := at(one, path)) != value:
                yield of.line(f"{path} is {found}", str(value), APPLICATIONS)
        files = [file["path"] for made in one["spec"]["generators"] for file in at(made, "git.files") or []]
        if files != ["manifests/releases/*/*/release.yaml"]:
            yield of.line(f"the generator reads {files}", "manifests/releases/*/*/release.yaml", APPLICATIONS)


def applications(of: Platform) -> Iterator[tuple[str, Document, Document]]:
    """Each Application, also the ApplicationSet's, as (who, metadata, spec)."""
    for one in of.kind("Application"):
        yield one["metadata"]["name"], one["metadata"], one["spec"]
    for one in of.kind("ApplicationSet"):
        yield one["metadata"]["name"], one["spec"]["template"]["metadata"], one["spec"]["template"]["spec"]


def branch_followed(of: Platform) -> Iterator[str]:
    """Argo CD follows the branch of project.yaml, and looks again only when a file of the Application changed."""
    expected = {"source.repoURL": of.owner.repository, "source.targetRevision": of.owner.branch}
    for who, metadata, spec in applications(of):
        for path, value in expected.items():
            if (found := at(spec, path)) != value:
                yield of.line(f"{path} of Application {who} is {found}", value, APPLICATIONS)
        found = metadata.get("annotations", {}).get("argocd.argoproj.io/manifest-generate-paths")
        path = f"/{at(spec, 'source.path')}/{at(spec, 'source.directory.include')}"
        if found != path:
            yield of.line(f"manifest-generate-paths of Application {who} is {found}", path, APPLICATIONS)


def sync_short(of: Platform) -> Iterator[str]:
    """A sync is automatic, ends at once, and tries again with what git says by then."""
    for who, _, spec in applications(of):
        policy = spec.get("syncPolicy", {})
        if at(policy, "automated.selfHeal") is not True:
            yield of.line(f"Application {who} does not heal itself", "automated.selfHeal: true", APPLICATIONS)
        if at(policy, "retry.refresh") is not True:
            yield of.line(f"Application {who} retries an old commit", "retry.refresh: true", APPLICATIONS)
        for option in policy.get("syncOptions", []):
            if option.startswith("PruneLast"):
                yield of.line(f"Application {who} has {option}", "it left out", APPLICATIONS)


def differences_ignored(of: Platform) -> Iterator[str]:
    """What Argo Rollouts and the autoscaler move is not moved back, and all else of a route is git's."""
    for one in of.kind("ApplicationSet"):
        spec = one["spec"]["template"]["spec"]
        found = {
            (rule.get("group"), rule["kind"], path)
            for rule in spec.get("ignoreDifferences", [])
            for path in [*rule.get("jqPathExpressions", []), *rule.get("jsonPointers", [])]
        }
        for _, kind, path in sorted(IGNORED - found):
            yield of.line(f"{path} of {kind} is not ignored", "it among ignoreDifferences", APPLICATIONS)
        for _, kind, path in sorted(found - IGNORED):
            yield of.line(f"{path} of {kind} is ignored", "git to decide it", APPLICATIONS)
        options = at(spec, "syncPolicy.syncOptions") or []
        if "ApplyOutOfSyncOnly=true" not in options:
            yield of.line(
                "a sync applies what does not differ, and moves weights", "ApplyOutOfSyncOnly=true", APPLICATIONS
            )
        if "RespectIgnoreDifferences=true" in options:
            yield of.line("a sync keeps the rules of live routes", "no RespectIgnoreDifferences", APPLICATIONS)


def listeners_closed(of: Platform) -> Iterator[str]:
    """A listener takes the routes of one environment's namespace, for its domain."""
    expected = {one.name: f"*.{one.domain}" for one in of.owner.environments}
    for one in of.kind("Gateway"):
        found = {}
        for listener in one["spec"]["listeners"]:
            labels = at(listener, "allowedRoutes.namespaces.selector.matchLabels") or {}
            chosen = at(listener, "allowedRoutes.namespaces.from") == "Selector"
            found[labels.get("kubernetes.io/metadata.name") if chosen else "everyone"] = listener.get("hostname")
        if found != expected:
            yield of.line(f"listeners take {found}", str(expected), "manifests/platform/once/gateway.yaml")


def rights_named(of: Platform) -> Iterator[str]:
    """A Role says what it allows, names no Secret, and holds in a namespace."""
    for one in of.kind("ClusterRole", "ClusterRoleBinding"):
        yield of.line(f"{one['kind']} {one['metadata']['name']} found", "a Role", "manifests/platform")
    for one in of.kind("Role"):
        for rule in one["rules"]:
            words = {word for values in rule.values() for word in values}
            for word in sorted(words & {"*", "secrets", "pods/exec", "escalate", "impersonate", "bind"}):
                yield of.line(
                    f"Role {one['metadata']['name']} allows {word}", "what it needs, by name", "manifests/platform"
                )
