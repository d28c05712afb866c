"""What closes the loop: events that reach a workflow, a reconciler for those that do not, and the one judge."""

import re
from collections.abc import Iterator

from fledge.rules.documents import Platform, at

WORKFLOWS = {"auto-revert.yml", "healthy.yml"}  # of .github/workflows


def loop_closed(of: Platform) -> Iterator[str]:
    """Both events start a workflow that is there, and the credential is no part of git."""
    where = "manifests/platform/once/notifications.yaml"
    config = {key: text for one in of.kind("ConfigMap") for key, text in one.get("data", {}).items()}
    for event in ("on-rollout-aborted", "on-rollout-completed"):
        if f"trigger.{event}" not in config:
            yield of.line(f"nothing is sent {event}", f"trigger.{event}", where)
    for key, text in config.items():
        if key.startswith("service.") and not re.search(
            r"^url: \S+/actions/workflows/[^/]+/dispatches$", text, re.MULTILINE
        ):
            yield of.line(f"{key} asks for more than a workflow's run", "…/actions/workflows/…/dispatches", where)
        for file in set(re.findall(r"/actions/workflows/([\w.-]+)/dispatches", text)) - WORKFLOWS:
            yield of.line(f"{key} starts {file}", f"one of {', '.join(sorted(WORKFLOWS))}", where)
        for token in re.findall(r"Bearer (?!\$)(\S+)", text):
            yield of.line(f"{key} holds a credential, {token[:4]}…", "a key of a Secret, $name", where)


def lost_events_found(of: Platform) -> Iterator[str]:
    """Every environment is looked at again and again, by one reconciler at a time."""
    where, seen = "manifests/platform/environment/reconciler.yaml", []
    for one in of.kind("CronJob"):
        [container] = at(one, "spec.jobTemplate.spec.template.spec.containers")
        if "fledge.reconcile" not in container.get("command", []):
            continue
        seen += [word.removeprefix("--env=") for word in container["args"] if word.startswith("--env=")]
        if one["spec"].get("suspend") or one["spec"].get("concurrencyPolicy") != "Forbid":
            yield of.line(
                f"CronJob {one['metadata']['name']} rests, or runs beside itself", "concurrencyPolicy: Forbid", where
            )
    if sorted(seen) != (expected := sorted(environment.name for environment in of.owner.environments)):
        yield of.line(f"reconcilers look at {', '.join(sorted(seen)) or 'nothing'}", ", ".join(expected), where)


def one_judge(of: Platform) -> Iterator[str]:
    """There is one judge, and none starts beside it."""
    where = "manifests/platform/once/judge.yaml"
    judges = [one["spec"] for one in of.kind("Deployment") if one["metadata"]["name"] == "judge"]
    found = [(one.get("replicas"), at(one, "strategy.type")) for one in judges]
    if found != [(1, "Recreate")]:
        yield of.line(f"judges are {found}", "one, of 1 replica, strategy Recreate", where)
