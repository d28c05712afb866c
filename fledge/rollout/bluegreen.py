"""Blue-green: users go to one release, all of them; the next one is a preview until its analysis has passed.

Of the Services, the first is the active one, the second the preview's. Calibrated by one recording
(`tests/traces/bluegreen-good-then-revert`); what it does not show (an abort, an inconclusive analysis) follows
Argo Rollouts' documentation. A person's `promote` is not played.
"""

from dataclasses import replace

from fledge.rollout.plan import Plan
from fledge.rollout.progress import aborted, moved, paused, phased
from fledge.rollout.records import Analysis, Promotion, Status
from fledge.rollout.replicas import within_rollback_window


def preview_service(plan: Plan, status: Status, at: float) -> Status:
    """Stage: the preview Service selects the current ReplicaSet, ready or not."""
    return replace(status, selectors=(status.selectors[0], status.current))


def active_service(plan: Plan, status: Status, at: float) -> Status:
    """Stage: the active Service moves to the current ReplicaSet when all is well with it, after an abort back to stable."""
    active, preview = status.selectors
    if status.abort:
        active = status.stable
    elif saturated(plan, status) and (unjudged(plan, status) or passed(plan, status, "PrePromotion")):
        active = status.current
    return replace(status, selectors=(active, preview))


def saturated(plan: Plan, status: Status) -> bool:
    """Whether all pods of the current ReplicaSet are ready."""
    rs = status.replica_set(status.current)
    return rs is not None and rs.desired == rs.available == plan.replicas


def unjudged(plan: Plan, status: Status) -> bool:
    """A first delivery, stable itself and a rollback within the window need no analysis."""
    return status.stable in (None, status.current) or within_rollback_window(plan, status)


def passed(plan: Plan, status: Status, promotion: Promotion) -> bool:
    """Whether the analysis before or after the switch is over and well, or not asked for."""
    return promotion not in plan.analyses or (
        status.analysis is not None and (status.analysis.step, status.analysis.phase) == (promotion, "Successful")
    )


def analysis_run(plan: Plan, status: Status, at: float) -> Status:
    """Stage: a judged preview has an AnalysisRun once its pods are ready; another one follows the switch."""
    promotion: Promotion = "PostPromotion" if status.selectors[0] == status.current else "PrePromotion"
    if status.abort or unjudged(plan, status) or promotion not in plan.analyses:
        return replace(status, analysis=None)
    if status.analysis and status.analysis.step == promotion:
        return status
    return replace(status, analysis=Analysis(promotion) if saturated(plan, status) else None)


def advance(plan: Plan, status: Status, at: float) -> Status:
    """Stage: promotion, abort or pause when it is time; then the phase."""
    return phased(plan, moved(status, decided(plan, status, at), at), at)


def decided(plan: Plan, status: Status, at: float) -> Status:
    """What becomes of the rollout; it is complete when it is active and what follows the switch has passed."""
    if status.abort:
        return status
    if status.analysis and status.analysis.phase in ("Failed", "Error"):
        return aborted(plan, status, status.analysis.message)
    active = status.selectors[0] == status.current
    if status.stable is None or (active and (unjudged(plan, status) or passed(plan, status, "PostPromotion"))):
        return replace(status, stable=status.current, analysis=None, pause=None)
    return replace(status, pause=status.pause or paused(plan, status, at))
