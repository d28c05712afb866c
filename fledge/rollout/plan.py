"""What a Rollout's spec asks for: its canary or blue-green plan, with Argo Rollouts' defaults, and the numbers that follow from it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fledge.problems import Problem
from fledge.rollout.durations import pause_seconds
from fledge.rollout.records import Promotion, Spec, Status

KINDS = ("setWeight", "setCanaryScale", "analysis", "pause")
WHERE = "Rollout: spec.strategy.canary.steps"
PROMOTIONS: Mapping[Promotion, str] = {
    "PrePromotion": "prePromotionAnalysis",
    "PostPromotion": "postPromotionAnalysis",
}
UNPLAYED = ("previewReplicaCount", "autoPromotionSeconds")  # of blue-green


@dataclass(frozen=True)
class Plan:
    """A canary plan, or with `blue_green` one without steps whose analyses are by promotion.

    Delays and deadlines in seconds, defaults as in Argo Rollouts' specification.
    """

    replicas: int
    steps: tuple[Mapping[str, Any], ...]
    min_pods: int
    scale_down_delay: float
    scale_down_limit: float
    abort_delay: float
    rollback_revisions: int
    history: int
    deadline: float
    deadline_aborts: bool
    blue_green: bool
    analyses: Mapping[Promotion, Mapping[str, Any]]


def scaled(rollout: Mapping[str, Any], objects: Iterable[Mapping[str, Any]]) -> Spec:
    """The Rollout's spec with the replicas that its HorizontalPodAutoscaler among `objects` writes there: the fewest.

    Nothing here has a load that calls for more. Without an autoscaler the spec stays as it is.
    """
    target = {key: rollout[key] for key in ("apiVersion", "kind")} | {"name": rollout["metadata"]["name"]}
    for item in objects:
        if item["kind"] == "HorizontalPodAutoscaler" and item["spec"]["scaleTargetRef"] == target:
            return {**rollout["spec"], "replicas": item["spec"].get("minReplicas", 1)}
    spec: Spec = rollout["spec"]
    return spec


def plan_of(spec: Spec) -> Plan:
    """Read a Rollout's spec. Raises Problem for a step or a field that this machine cannot play."""
    blue_green = "blueGreen" in spec["strategy"]
    strategy = spec["strategy"]["blueGreen" if blue_green else "canary"]
    steps = () if blue_green else tuple(strategy.get("steps", ()))
    problems = [line for i, step in enumerate(steps) for line in unplayable(step, f"{WHERE}[{i}]")]
    if problems := problems + (unplayable_fields(strategy) if blue_green else []):
        raise Problem(*problems)
    return Plan(
        replicas=spec.get("replicas", 1),
        steps=steps,
        min_pods=strategy.get("minPodsPerReplicaSet", 1),
        scale_down_delay=strategy.get("scaleDownDelaySeconds", 30),
        scale_down_limit=strategy.get("scaleDownDelayRevisionLimit", math.inf),
        abort_delay=strategy.get("abortScaleDownDelaySeconds", 30),
        rollback_revisions=spec.get("rollbackWindow", {}).get("revisions", 0),
        history=spec.get("revisionHistoryLimit", 10),
        deadline=spec.get("progressDeadlineSeconds", 600),
        deadline_aborts=spec.get("progressDeadlineAbort", False),
        blue_green=blue_green,
        analyses={name: strategy[key] for name, key in PROMOTIONS.items() if blue_green and key in strategy},
    )


def services(spec: Spec) -> tuple[str, str]:
    """The names of the Services (stable, canary), in blue-green (active, preview)."""
    if "blueGreen" in spec["strategy"]:
        blue_green = spec["strategy"]["blueGreen"]
        return blue_green["activeService"], blue_green["previewService"]
    canary = spec["strategy"]["canary"]
    return canary["stableService"], canary["canaryService"]


def unplayable_fields(blue_green: Mapping[str, Any]) -> list[str]:
    """A line for what this machine cannot play of a blue-green strategy."""
    found = [key for key in UNPLAYED if key in blue_green]
    found += [] if blue_green.get("autoPromotionEnabled", True) else ["autoPromotionEnabled: false"]
    return [f"rollout: {key}, expected none (Rollout: spec.strategy.blueGreen)" for key in found]


def unplayable(step: Mapping[str, Any], where: str) -> list[str]:
    """A line for what this machine cannot play of a step."""
    if len(step) != 1 or not set(step) <= set(KINDS):
        return [f"rollout: {', '.join(step)}, expected one of {', '.join(KINDS)} ({where})"]
    try:
        pause_duration(step, where)
    except Problem as problem:
        return problem.lines
    return []


def pause_duration(step: Mapping[str, Any], where: str = WHERE) -> float | None:
    """How long a step pauses, in seconds; None for a step of another kind and for a pause that a person ends."""
    duration = (step.get("pause") or {}).get("duration")
    return None if duration is None else pause_seconds(duration, f"{where}.pause.duration")


def current_step(plan: Plan, status: Status) -> Mapping[str, Any]:
    """The step that the rollout is on; empty before the first delivery and after the last step."""
    return plan.steps[status.step] if status.step is not None and status.step < len(plan.steps) else {}


def last(key: str, steps: tuple[Mapping[str, Any], ...]) -> Any:
    """The value of the last step of kind `key`, None without one."""
    return next((step[key] for step in reversed(steps) if key in step), None)


def weight_after(plan: Plan, count: int) -> int:
    """The canary's share of traffic, in percent, that the first `count` steps ask for."""
    return last("setWeight", plan.steps[:count]) or 0


def canary_replicas(plan: Plan, status: Status) -> int:
    """How many pods the current release gets.

    A share of traffic is rounded up to whole pods, and to `minPodsPerReplicaSet`, which does not hold at weight 0:
    `matchTrafficWeight` before the first `setWeight` scales the canary to 0 (recorded in tests/traces/good-release).
    """
    step = len(plan.steps) if status.step is None else status.step
    if status.stable is None or step == len(plan.steps):
        return replicas_for(plan, 100)
    asked = last("setCanaryScale", plan.steps[: step + 1]) or {}
    if "replicas" in asked:
        return int(asked["replicas"])
    return replicas_for(plan, asked.get("weight", weight_after(plan, step + 1)))


def replicas_for(plan: Plan, weight: int) -> int:
    """The pods that carry `weight` percent of the traffic."""
    pods = math.ceil(weight * plan.replicas / 100)
    return max(pods, plan.min_pods) if pods else 0
