"""What a Rollout's spec asks for: its canary plan, with Argo Rollouts' defaults, and the numbers that follow from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fledge.problems import Problem
from fledge.rollout.durations import pause_seconds
from fledge.rollout.records import Spec, Status

KINDS = ("setWeight", "setCanaryScale", "analysis", "pause")
WHERE = "Rollout: spec.strategy.canary.steps"


@dataclass(frozen=True)
class Plan:
    """A canary plan; delays and deadlines in seconds, defaults as in Argo Rollouts' specification."""

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


def plan_of(spec: Spec) -> Plan:
    """Read a Rollout's spec. Raises Problem for a step that this machine cannot play."""
    canary = spec["strategy"]["canary"]
    steps = tuple(canary.get("steps", ()))
    if problems := [line for i, step in enumerate(steps) for line in unplayable(step, f"{WHERE}[{i}]")]:
        raise Problem(*problems)
    return Plan(
        replicas=spec.get("replicas", 1),
        steps=steps,
        min_pods=canary.get("minPodsPerReplicaSet", 1),
        scale_down_delay=canary.get("scaleDownDelaySeconds", 30),
        scale_down_limit=canary.get("scaleDownDelayRevisionLimit", math.inf),
        abort_delay=canary.get("abortScaleDownDelaySeconds", 30),
        rollback_revisions=spec.get("rollbackWindow", {}).get("revisions", 0),
        history=spec.get("revisionHistoryLimit", 10),
        deadline=spec.get("progressDeadlineSeconds", 600),
        deadline_aborts=spec.get("progressDeadlineAbort", False),
    )


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
