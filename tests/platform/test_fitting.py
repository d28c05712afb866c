"""What the models are rendered with finds its counterpart in the platform: gateway, judge, plugin, notifications."""

import re
from typing import Any

import pytest
import uvicorn

from fledge import project
from fledge.judge import __main__ as judge
from fledge.judge.prometheus import POD_HASH
from tests.conftest import ROOT
from tests.platform.objects import NAMES, data, model, named, rollout

NOTIFICATIONS = "argo-rollouts-notification-configmap"


def test_every_host_has_its_environments_listener() -> None:
    """A model's hostnames match the listener of its environment, which takes routes of that namespace alone."""
    listeners = {one["name"]: one for one in named("Gateway", "models")["spec"]["listeners"]}
    for environment in project.load(ROOT).environments:
        listener = listeners[environment.name]
        assert all(
            host.endswith(listener["hostname"].removeprefix("*")) for host in environment.hostnames("a").values()
        )
        allowed = listener["allowedRoutes"]["namespaces"]
        assert allowed["from"] == "Selector"
        assert allowed["selector"] == {"matchLabels": {"kubernetes.io/metadata.name": environment.name}}
    assert set(listeners) == set(NAMES)


@pytest.mark.parametrize("environment", NAMES)
def test_the_routes_find_their_gateway(environment: str) -> None:
    """The rendered routes name this Gateway, and a listener of its that lets them in."""
    rendered = model(environment)
    parents = [one["spec"]["parentRefs"] for one in rendered if one["kind"].endswith("Route")]
    assert {(ref["name"], ref["namespace"]) for refs in parents for ref in refs} == {("models", "gateway")}


@pytest.mark.parametrize("environment", NAMES)
def test_the_judge_is_where_the_analyses_ask(environment: str) -> None:
    """Host and port of the AnalysisTemplate's URL are a Service that selects the judge's pods, at the port that they open."""
    rendered = model(environment)
    [template] = [
        one for one in rendered if one["kind"] == "AnalysisTemplate" and one["metadata"]["name"].endswith("judge")
    ]
    [url] = [metric["provider"]["web"]["url"] for metric in template["spec"]["metrics"] if "web" in metric["provider"]]
    service = named("Service", "judge")
    [port] = service["spec"]["ports"]
    assert url.startswith(f"http://judge.{service['metadata']['namespace']}.svc:{port['port']}/")
    pod = named("Deployment", "judge")["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    [container] = pod["spec"]["containers"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in container["ports"]


def test_the_judge_starts_as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge takes its arguments and listens where the Service sends its callers, on every address of the pod."""
    [container] = named("Deployment", "judge")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "fledge.judge"]
    started: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **given: started.update(given))
    assert judge.main(container["args"]) == 0
    assert (started["host"], started["port"]) == ("0.0.0.0", 8080)


@pytest.mark.parametrize("environment", NAMES)
def test_the_judge_counts_where_the_guardrail_does(environment: str) -> None:
    """Judge and guardrail ask one Prometheus, of which docs/delivery.md says address, interval and the pod's label."""
    guardrails = [one for one in model(environment) if one["kind"] == "AnalysisTemplate" and "guardrail" in str(one)]
    asked = {
        metric["provider"]["prometheus"]["address"]
        for one in guardrails
        for metric in one["spec"]["metrics"]
        if "prometheus" in metric["provider"]
    }
    [container] = named("Deployment", "judge")["spec"]["template"]["spec"]["containers"]
    [address] = asked
    given = dict(word.removeprefix("--").split("=", 1) for word in container["args"])
    assert given["prometheus"] == address
    said = (ROOT / "docs/delivery.md").read_text()
    assert f"`{address}`" in said
    assert f"interval: {given['scrape-interval']}s" in said
    assert f"podTargetLabels: [{POD_HASH.replace('_', '-')}]" in said


def test_every_subscription_has_its_trigger_and_its_webhook() -> None:
    """What a Rollout subscribes to is configured, sends, and runs a workflow of ours; the one secret word is the token."""
    said = data(NOTIFICATIONS)
    one = rollout()
    prefix = "notifications.argoproj.io/subscribe."
    subscribed = [key.removeprefix(prefix) for key in one["metadata"]["annotations"] if key.startswith(prefix)]
    workflows = {}
    for trigger, _, service in (key.rpartition(".") for key in subscribed):
        [sent] = project.parsed_yaml(said[f"trigger.{trigger}"], trigger)
        [template] = sent["send"]
        assert set(project.parsed_yaml(said[f"template.{template}"], template)["webhook"]) == {service}
        workflows[trigger] = project.parsed_yaml(said[f"service.webhook.{service}"], service)["url"].split("/")[-2]
    assert workflows == {"on-rollout-aborted": "auto-revert.yml", "on-rollout-completed": "healthy.yml"}
    # `$word` is a key of the owner's Secret; `$reason` is a variable of the template.
    assert set(re.findall(r"\$([a-z-]+)", str(said))) == {"dispatch-token", "reason"}


@pytest.mark.parametrize(("name", "more"), [("revert", {"reason"}), ("healthy", set())])
def test_the_dispatch_has_the_workflows_inputs(name: str, more: set[str]) -> None:
    """With its actions taken for values the body is JSON: the target branch, and the inputs that the workflow declares."""
    said = data(NOTIFICATIONS)
    webhook = project.parsed_yaml(said[f"template.{name}"], name)["webhook"][name]
    body = re.sub(r"\{\{[^-].*?\}\}", '"value"', re.sub(r"\{\{-.*?\}\}", "", webhook["body"]))
    content = project.parsed_yaml(body, name)
    assert webhook["method"] == "POST"
    assert content["ref"] == "main"
    assert set(content["inputs"]) == {"env", "model", "delivery"} | more


def test_the_labels_in_the_dispatch_are_those_of_a_rollout() -> None:
    """The labels that the notification reads are on every rendered Rollout, where it reads them."""
    one = rollout()
    said = data(NOTIFICATIONS)
    read = re.findall(r'index \.rollout\.([a-z.]+)\.labels "([^"]+)"', said["template.revert"])
    assert sorted(read) == [
        ("metadata", "app.kubernetes.io/instance"),
        ("spec.template.metadata", "fledge.dev/delivery"),
    ]
    assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "delays"
    assert one["spec"]["template"]["metadata"]["labels"]["fledge.dev/delivery"]


def test_the_plugin_is_the_one_that_the_rollouts_name() -> None:
    """The plugin is loaded from a file, under the name that every Rollout routes by."""
    [plugin] = project.parsed_yaml(data("argo-rollouts-config")["trafficRouterPlugins"], "plugins")
    one = rollout()
    assert list(one["spec"]["strategy"]["canary"]["trafficRouting"]["plugins"]) == [plugin["name"]]
    assert plugin["location"].startswith("file:///")


@pytest.mark.parametrize(
    ("name", "kind"), [("judge", "Deployment"), ("reconcile-staging", "CronJob"), ("reconcile-production", "CronJob")]
)
def test_our_own_pods_fit_the_restricted_standard(name: str, kind: str) -> None:
    """Namespace fledge admits restricted pods only, and ours are: no root, no writable root, no capability."""
    spec = named(kind, name)["spec"]
    pod = (spec["jobTemplate"]["spec"] if kind == "CronJob" else spec)["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
