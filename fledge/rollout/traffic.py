"""Services and routes: which ReplicaSet serves, and with what share of the traffic."""

from dataclasses import replace

from fledge.rollout.plan import Plan, weight_after
from fledge.rollout.records import Status
from fledge.rollout.replicas import at_desired


def stable_service(plan: Plan, status: Status, at: float) -> Status:
    """Stage: the stable Service selects the stable ReplicaSet."""
    stable, canary = status.selectors
    return replace(status, selectors=(selector(status, stable, status.stable), canary))


def canary_service(plan: Plan, status: Status, at: float) -> Status:
    """Stage: the canary Service selects the current ReplicaSet, after an abort the stable one.

    (The controller lets it flip between the two for some seconds after an abort, at weight 0.)
    """
    stable, canary = status.selectors
    return replace(
        status, selectors=(stable, selector(status, canary, status.stable if status.abort else status.current))
    )


def selector(status: Status, selected: str | None, wanted: str | None) -> str | None:
    """A Service moves to a ReplicaSet with a ready pod; the first time it waits for all of them."""
    rs = status.replica_set(wanted)
    if rs is None or not rs.available or (selected is None and rs.available < rs.desired):
        return selected
    return wanted


def routes(plan: Plan, status: Status, at: float) -> Status:
    """Stage: the weights of the routes' backends."""
    weight = canary_weight(plan, status)
    return replace(status, weights=(100 - weight, weight))


def canary_weight(plan: Plan, status: Status) -> int:
    """The canary's share of traffic, in percent; it rises only when all pods that the step asks for are ready.

    Until then the last `setWeight` *before* the current step holds. After skipped steps that is the last of all, so a
    revert whose pods are gone gives it to the first pod that is ready (argo-rollouts#3941).
    """
    new, step = status.replica_set(status.current), status.step or 0
    if status.abort or status.stable in (None, status.current) or new is None or not new.available:
        return 0
    if not at_desired(plan, status):
        return weight_after(plan, step)
    return 100 if step == len(plan.steps) else weight_after(plan, step + 1)
