"""The ReplicaSets of a Rollout: who is created, how many pods each should have, and who may go when."""

from dataclasses import replace

from fledge.rollout.plan import Plan, canary_replicas
from fledge.rollout.records import ReplicaSet, Status


def adopt(plan: Plan, status: Status, at: float, *, hash: str) -> Status:
    """Make the ReplicaSet of `hash` the newest revision; an earlier one is found again, with its age and its pods."""
    newest = max((rs.revision for rs in status.replica_sets), default=0)
    known = status.replica_set(hash)
    if known is None:
        return replace(status, replica_sets=(*status.replica_sets, ReplicaSet(hash, newest + 1, 0, 0, created=at)))
    if known.revision == newest:
        return status
    return replace(status, replica_sets=swapped(status, replace(known, revision=newest + 1)))


def count(plan: Plan, status: Status, at: float, *, hash: str, available: int) -> Status:
    """So many pods of `hash` are ready; those beyond the desired number are being deleted and do not count."""
    sets = (replace(rs, available=min(available, rs.desired)) if rs.hash == hash else rs for rs in status.replica_sets)
    return replace(status, replica_sets=tuple(sets))


def swapped(status: Status, *changed: ReplicaSet) -> tuple[ReplicaSet, ...]:
    """The ReplicaSets with these in the place of their former selves."""
    by_hash = {rs.hash: rs for rs in changed}
    return tuple(by_hash.get(rs.hash, rs) for rs in status.replica_sets)


def at_desired(plan: Plan, status: Status) -> bool:
    """Whether the canary has just the pods that its step asks for, all of them ready."""
    new = status.replica_set(status.current)
    return new is not None and new.desired == new.available == canary_replicas(plan, status)


def within_rollback_window(plan: Plan, status: Status) -> bool:
    """Whether the current ReplicaSet is older than the stable one by fewer than `rollbackWindow` ReplicaSets.

    Age is all that counts: one that was aborted or superseded is fast-tracked too (argo-rollouts#3039), which is why
    `denied.yaml` exists.
    """
    new, stable = status.replica_set(status.current), status.replica_set(status.stable)
    if new is None or stable is None or new.created >= stable.created:
        return False
    return sum(new.created < rs.created < stable.created for rs in status.replica_sets) < plan.rollback_revisions


def scale(plan: Plan, status: Status, at: float) -> Status:
    """Stage: how many pods each ReplicaSet should have. The stable one is always at full size."""
    stable, new = status.replica_set(status.stable), status.replica_set(status.current)
    changed = scale_down_old(plan, status, at)
    if stable is not None:
        changed.append(replace(stable, desired=plan.replicas))
    if new is not None and status.abort and new != stable:
        changed.append(scale_down_aborted(plan, stable, new, at))
    elif new is not None:
        changed.append(replace(new, desired=canary_replicas(plan, status), scale_down_at=None))
    return replace(status, replica_sets=swapped(status, *changed))


def scale_down_aborted(plan: Plan, stable: ReplicaSet | None, new: ReplicaSet, at: float) -> ReplicaSet:
    """An aborted canary keeps its pods for `abortScaleDownDelaySeconds` (0: for ever) after stable is at full size."""
    if new.scale_down_at is not None:
        return new if at < new.scale_down_at else gone(new)
    if stable is None or stable.available < plan.replicas or not plan.abort_delay or not new.desired:
        return new
    return replace(new, scale_down_at=at + plan.abort_delay)


def scale_down_old(plan: Plan, status: Status, at: float) -> list[ReplicaSet]:
    """What becomes of ReplicaSets that are neither stable nor current, newest revision first.

    A former stable keeps its ready pods for `scaleDownDelaySeconds`, so that a revert needs no pod to start; of all
    that wait so, only `scaleDownDelayRevisionLimit` are kept, an aborted one counting too. One that was superseded in
    mid-canary goes as soon as no Service selects it.
    """
    old = [rs for rs in status.replica_sets if rs.desired and rs.hash not in (status.stable, status.current)]
    changed, waiting = [], 0
    for rs in sorted(old, key=lambda rs: rs.revision, reverse=True):
        if rs.hash in status.selectors:
            continue
        deadline = at if rs.scale_down_at is None else rs.scale_down_at
        if rs.scale_down_at is None and status.stable == status.current:
            deadline = at + plan.scale_down_delay
        waiting += at < deadline
        keep = at < deadline and waiting <= plan.scale_down_limit
        changed.append(replace(rs, desired=min(rs.desired, rs.available), scale_down_at=deadline) if keep else gone(rs))
    return changed


def gone(rs: ReplicaSet) -> ReplicaSet:
    """The ReplicaSet without pods to be."""
    return replace(rs, desired=0, scale_down_at=None)


def terminate(plan: Plan, status: Status, at: float) -> Status:
    """Stage: a pod that is being deleted is not counted as available any more (Kubernetes' ReplicaSet controller)."""
    sets = (replace(rs, available=min(rs.available, rs.desired)) for rs in status.replica_sets)
    return replace(status, replica_sets=tuple(sets))


def forget(plan: Plan, status: Status, at: float) -> Status:
    """Stage: of the ReplicaSets that are neither stable nor current, `revisionHistoryLimit` are kept; empty ones go."""
    old = [rs for rs in status.replica_sets if rs.hash not in (status.stable, status.current)]
    surplus = sorted(old, key=lambda rs: rs.revision)[: max(0, len(old) - plan.history)]
    kept = tuple(rs for rs in status.replica_sets if rs not in surplus or rs.desired or rs.available)
    return replace(status, replica_sets=kept)
