"""What Argo CD is told: one Application for each release, projects as wide as what we render, nothing in a revert's way."""

import re
from pathlib import Path
from typing import Any

import pytest

from fledge import project
from fledge.release import Files, platform
from tests.conftest import ROOT, Repository
from tests.platform.objects import NAMES, Object, group_kind, model, named, objects


def listed(entries: list[Object]) -> set[tuple[str, str]]:
    """The (group, kind) of a project's list."""
    return {(entry["group"], entry["kind"]) for entry in entries}


def kinds(namespaced: bool) -> set[tuple[str, str]]:
    """(group, kind) of the rendered objects with a namespace, or of those without."""
    return {group_kind(one) for one in objects() if ("namespace" in one["metadata"]) == namespaced}


@pytest.mark.parametrize("environment", NAMES)
def test_the_project_of_an_environment_allows_what_a_model_is_made_of(environment: str) -> None:
    """The kinds of a rendered model and no other, from this repository, into its own namespace, and no cluster kind."""
    spec = named("AppProject", f"models-{environment}")["spec"]
    rendered = model(environment)
    assert {group_kind(one) for one in rendered} == listed(spec["namespaceResourceWhitelist"])
    assert spec["clusterResourceWhitelist"] == []
    assert [place["namespace"] for place in spec["destinations"]] == [environment]
    assert spec["sourceRepos"] == [project.load(ROOT).repository]


@pytest.mark.parametrize("environment", NAMES)
def test_the_account_that_deploys_may_do_what_the_project_allows(environment: str) -> None:
    """With sync impersonation on, the deployer's Role covers the whitelisted kinds and nothing beside them."""
    spec = named("AppProject", f"models-{environment}")["spec"]
    [account] = spec["destinationServiceAccounts"]
    role = named("Role", account["defaultServiceAccount"], environment)
    allowed = {(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]}
    wanted = listed(spec["namespaceResourceWhitelist"])
    assert allowed == {(group, re.sub("y$", "ie", kind.lower()) + "s") for group, kind in wanted}


@pytest.mark.parametrize("environment", NAMES)
def test_on_call_may_look_stop_and_resume(environment: str) -> None:
    """Nobody on call can retry or fully promote what git denies, nor sync, update or override."""
    [role] = named("AppProject", f"models-{environment}")["spec"]["roles"]
    rules = [policy.split(", ") for policy in role["policies"]]
    assert {rule[1] for rule in rules} == {f"proj:models-{environment}:on-call"}
    assert {rule[4] for rule in rules} == {f"models-{environment}/*"}
    assert sorted(rule[3] for rule in rules) == [
        "action/argoproj.io/Rollout/abort",
        "action/argoproj.io/Rollout/resume",
        "get",
    ]


def test_the_default_project_allows_nothing() -> None:
    """An Application that names no project can take nothing from anywhere and put nothing anywhere."""
    spec = named("AppProject", "default")["spec"]
    assert (spec["sourceRepos"], spec["destinations"]) == ([], [])
    assert listed(spec["clusterResourceBlacklist"]) == listed(spec["namespaceResourceBlacklist"]) == {("*", "*")}


def test_the_platform_may_apply_itself_and_no_more() -> None:
    """The platform's own project whitelists exactly the kinds, and the namespaces, of this file."""
    spec = named("AppProject", "platform")["spec"]
    assert listed(spec["namespaceResourceWhitelist"]) == kinds(namespaced=True)
    assert listed(spec["clusterResourceWhitelist"]) == kinds(namespaced=False)
    used = {one["metadata"]["namespace"] for one in objects() if "namespace" in one["metadata"]}
    assert {place["namespace"] for place in spec["destinations"]} == used


def test_what_is_applied_never_takes_a_namespace_away() -> None:
    """The platform is not pruned, and a bad generator deletes neither Application nor model."""
    assert named("Application", "platform")["spec"]["syncPolicy"]["automated"]["prune"] is False
    policy = named("ApplicationSet", "models")["spec"]["syncPolicy"]
    assert policy == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}


def test_nothing_holds_a_revert_up() -> None:
    """No sync waits for a canary (argo-cd#25054), and a failed one is tried again at the newest commit (argo-cd#11494)."""
    text = (ROOT / platform.RENDERED).read_text()
    assert not re.search("PruneLast|sync-wave|argocd.argoproj.io/hook", text)
    policies = [named("Application", "platform")["spec"], named("ApplicationSet", "models")["spec"]["template"]["spec"]]
    assert [spec["syncPolicy"]["retry"]["refresh"] for spec in policies] == [True, True]


def test_each_release_file_is_one_application(repository: Repository) -> None:
    """For a release file Argo CD makes the Application of just that rendered file, in that namespace and project."""
    repository.place("1.0.0", "production")
    spec = named("ApplicationSet", "models")["spec"]
    [generator] = spec["generators"]
    [pattern] = generator["git"]["files"]
    [found] = repository.root.glob(pattern["path"])
    files = Files("production", "delays")
    assert found.relative_to(repository.root) == files.release
    made = generated(spec["template"], files.release.parent.parts)
    source = made["spec"]["source"]
    assert Path(source["path"]) / source["directory"]["include"] == files.rendered
    assert made["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"] == f"/{files.rendered}"
    assert made["metadata"]["name"] == "production-delays"
    assert made["spec"]["destination"]["namespace"] == "production"
    assert named("AppProject", made["spec"]["project"])["spec"]["destinations"] == [made["spec"]["destination"]]


def generated(template: Any, segments: tuple[str, ...]) -> Any:
    """The template as the ApplicationSet controller fills it in: nothing but parts of the path occurs in ours."""
    if isinstance(template, dict):
        return {key: generated(item, segments) for key, item in template.items()}
    if isinstance(template, list):
        return [generated(item, segments) for item in template]
    if isinstance(template, str):
        filled = re.sub(r"\{\{index \.path\.segments (\d)\}\}", lambda match: segments[int(match[1])], template)
        assert "{{" not in filled
        return filled
    return template


def test_what_others_own_is_ignored_and_kept() -> None:
    """Weights are the plugin's, replicas the autoscaler's: neither makes an Application out of sync, nor is set back.

    What does not differ is not applied; a route that differs is applied whole, for Argo CD would else keep its live rules.
    """
    spec = named("ApplicationSet", "models")["spec"]["template"]["spec"]
    assert spec["syncPolicy"]["syncOptions"] == ["ApplyOutOfSyncOnly=true"]
    ignored = {one["kind"]: one.get("jqPathExpressions") or one["jsonPointers"] for one in spec["ignoreDifferences"]}
    weights = [".spec.rules[].backendRefs[].weight"]
    assert ignored == {"HTTPRoute": weights, "GRPCRoute": weights, "Rollout": ["/spec/replicas"]}
