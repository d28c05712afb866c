"""Argo Rollouts' canary with traffic routing and blue-green, as the controller does it: pass after pass until nothing changes.

Each stage looks at the status as it is and writes what it should be, in the order in which the controller writes its
objects. Calibrated by recordings of Argo Rollouts 1.10.2 (`tests/traces`), which overrule its documentation.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from fledge.rollout import bluegreen
from fledge.rollout.plan import Plan, plan_of
from fledge.rollout.progress import advance, analysis_run, assess, moved, promote, restart, retry
from fledge.rollout.records import (
    Action,
    Analysed,
    Analysis,
    Applied,
    Available,
    Event,
    Notify,
    Promoted,
    Promotion,
    Retried,
    Spec,
    StartAnalysis,
    Status,
    StopAnalysis,
)
from fledge.rollout.replicas import adopt, count, forget, scale, terminate
from fledge.rollout.traffic import canary_service, routes, stable_service

Stage = Callable[[Plan, Status, float], Status]

STAGES: tuple[Stage, ...] = (
    forget,
    stable_service,
    canary_service,
    routes,
    analysis_run,
    scale,
    terminate,
    advance,
)
BLUE_GREEN: tuple[Stage, ...] = (
    forget,
    bluegreen.preview_service,
    bluegreen.active_service,
    bluegreen.analysis_run,
    scale,
    terminate,
    bluegreen.advance,
)


def transition(spec: Spec | None, status: Status | None, event: Event) -> tuple[Status, list[Action]]:
    """Move from `status` by `event` until the machine waits again.

    `spec` is the one before an `Applied`; None and None stand for a Rollout that does not exist yet.
    Raises Problem for steps that this machine cannot play, ValueError for another event before the first `Applied`.
    """
    plan = plan_after(spec, event)
    seen = [status or Status(), *steps(spec, status, event)]
    return seen[-1], [action for before, after in pairwise(seen) for action in actions(plan, before, after)]


def steps(spec: Spec | None, status: Status | None, event: Event) -> Iterator[Status]:
    """Every status that is written on the way of `transition`, in order; none if the event changes nothing."""
    plan, now = plan_after(spec, event), status or Status()
    rounds = BLUE_GREEN if plan.blue_green else STAGES
    stages = (*observations(spec, event), *rounds)
    while stages:
        start = now
        for stage in stages:
            after = stage(plan, now, event.at)
            if after != now:
                now = moved(now, after, event.at)
                yield now
        stages = rounds if now != start else ()


def plan_after(spec: Spec | None, event: Event) -> Plan:
    """The plan that holds from this event on."""
    if isinstance(event, Applied):
        return plan_of(event.spec)
    if spec is None:
        raise ValueError(f"{event} for a Rollout that was never applied")
    return plan_of(spec)


def actions(plan: Plan, before: Status, after: Status) -> list[Action]:
    """What must be done once because `after` was written over `before`."""
    done: list[Action] = []
    if before.analysis and before.analysis.phase == "Running" and not after.analysis:
        done.append(StopAnalysis(before.analysis.step))
    if after.analysis and (not before.analysis or before.analysis.step != after.analysis.step):
        done.append(start_analysis(plan, after, after.analysis.step))
    if after.abort and not before.abort:
        done.append(Notify("on-rollout-aborted", after.current or ""))
    if after.stable != before.stable:
        done.append(Notify("on-rollout-completed", after.stable or ""))
    return done


def start_analysis(plan: Plan, status: Status, step: int | Promotion) -> StartAnalysis:
    """The AnalysisRun of a step, its arguments resolved: `podTemplateHashValue` is Stable or Latest."""
    analysis = plan.steps[step]["analysis"] if isinstance(step, int) else plan.analyses[step]
    hashes = {"Stable": status.stable or "", "Latest": status.current or ""}
    args = {
        arg["name"]: arg["value"] if "value" in arg else hashes[arg["valueFrom"]["podTemplateHashValue"]]
        for arg in analysis.get("args", ())
    }
    return StartAnalysis(step, tuple(template["templateName"] for template in analysis["templates"]), args)


def observations(spec: Spec | None, event: Event) -> tuple[Stage, ...]:
    """The stages that write down what `event` says."""
    match event:
        case Applied(new, hash):
            edited = spec is not None and plan_of(spec).steps != plan_of(new).steps
            return partial(adopt, hash=hash), partial(restart, hash=hash, edited=edited)
        case Available(hash, available):
            return (partial(count, hash=hash, available=available),)
        case Analysed(step, outcome, message):
            return (partial(assess, outcome=Analysis(step, outcome, message)),)
        case Promoted():
            return (promote,)
        case Retried():
            return (retry,)
    return ()
