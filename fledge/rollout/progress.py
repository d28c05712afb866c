"""The Rollout's own status: which step it is on, when that is done, and when the rollout is given up or complete."""

from dataclasses import replace
from typing import Literal

from fledge.rollout.plan import Plan, current_step, pause_duration
from fledge.rollout.records import Analysis, Pause, Status
from fledge.rollout.replicas import at_desired, within_rollback_window

Phase = Literal["Progressing", "Paused", "Healthy", "Degraded"]


def restart(plan: Plan, status: Status, at: float, *, hash: str, edited: bool) -> Status:
    """Begin anew if the pod template or the steps changed, so that any edit revives an aborted release.

    Steps are skipped when the template is that of stable, or of a ReplicaSet in the rollback window with pods still up.
    """
    if status.current == hash and not edited:
        return status
    status = replace(status, current=hash, abort=False, pause=None, analysis=None, since=at)
    rs = status.replica_set(hash)
    skip = status.stable == hash or (rs is not None and rs.desired > 0 and within_rollback_window(plan, status))
    return phased(plan, replace(status, step=first_step(plan, skip)), at)


def first_step(plan: Plan, skip: bool) -> int | None:
    """The step to begin with: the first, or beyond the last; blue-green has none."""
    return None if plan.blue_green else len(plan.steps) if skip else 0


def assess(plan: Plan, status: Status, at: float, *, outcome: Analysis) -> Status:
    """The running AnalysisRun ended; news of any other is late and ignored."""
    return replace(status, analysis=outcome) if status.analysis == Analysis(outcome.step) else status


def promote(plan: Plan, status: Status, at: float) -> Status:
    """A person ends the current step, whatever it waits for; nothing to end when aborted or done."""
    if status.step is None or status.abort or status.step == len(plan.steps):
        return status
    return replace(status, step=status.step + 1, pause=None, analysis=None)


def retry(plan: Plan, status: Status, at: float) -> Status:
    """A person takes back the abort; the steps begin again from the first, analyses included."""
    return replace(status, abort=False, since=at) if status.abort else status


def analysis_run(plan: Plan, status: Status, at: float) -> Status:
    """Stage: an analysis step has an AnalysisRun; skipped, aborted and first deliveries have none."""
    skipped = status.abort or status.stable is None or within_rollback_window(plan, status)
    if skipped or status.step is None or "analysis" not in current_step(plan, status):
        return replace(status, analysis=None)
    return replace(status, analysis=status.analysis or Analysis(status.step))


def advance(plan: Plan, status: Status, at: float) -> Status:
    """Stage: at most one step further in a pass; promotion, abort or pause when it is time; then the phase."""
    return phased(plan, moved(status, decided(plan, status, at), at), at)


def decided(plan: Plan, status: Status, at: float) -> Status:
    """What becomes of the rollout; a rollback within the window skips all steps."""
    if status.abort:
        return status
    if within_rollback_window(plan, status):
        status = replace(status, step=len(plan.steps), pause=None)
    if promotable(plan, status):
        return replace(status, stable=status.current, step=len(plan.steps), pause=None)
    if status.analysis and status.analysis.phase in ("Failed", "Error"):
        return aborted(plan, status, f"Step-based analysis phase error/failed: {status.analysis.message}")
    if step_completed(plan, status, at):
        return replace(status, step=(status.step or 0) + 1, pause=None, analysis=None)
    return replace(status, pause=status.pause or paused(plan, status, at))


def moved(before: Status, after: Status, at: float) -> Status:
    """`after`, with the progress deadline started anew if anything moved."""
    names = ("current", "stable", "step", "replica_sets")
    same = all(getattr(before, name) == getattr(after, name) for name in names)
    return after if same else replace(after, since=at)


def promotable(plan: Plan, status: Status) -> bool:
    """Whether the current release becomes stable: a first delivery at once, any other when all its pods are ready."""
    rs = status.replica_set(status.current)
    all_ready = rs is not None and rs.available == plan.replicas
    return status.stable is None or (all_ready and status.step == len(plan.steps))


def step_completed(plan: Plan, status: Status, at: float) -> bool:
    """Whether the current step is done; one with `pause: {}` is ended by a person only."""
    match current_step(plan, status):
        case {"analysis": _}:
            return status.analysis is not None and status.analysis.phase == "Successful"
        case {"pause": _} as step:
            duration = pause_duration(step)
            return duration is not None and status.pause is not None and at - status.pause.since >= duration
        case {"setWeight": _} | {"setCanaryScale": _}:
            return at_desired(plan, status)
    return False


def paused(plan: Plan, status: Status, at: float) -> Pause | None:
    """Why the rollout must wait for a person or the clock; an inconclusive judge leaves the canary its traffic."""
    if status.analysis and status.analysis.phase == "Inconclusive":
        return Pause("InconclusiveAnalysisRun", at)
    return Pause("CanaryPauseStep", at) if "pause" in current_step(plan, status) else None


def aborted(plan: Plan, status: Status, why: str) -> Status:
    """The rollout is given up: back to the first step, and all traffic to stable (argo-rollouts' RolloutAborted)."""
    rs = status.replica_set(status.current)
    message = f"RolloutAborted: Rollout aborted update to revision {rs.revision if rs else 0}: {why}"
    step = first_step(plan, skip=status.stable == status.current)
    return replace(status, abort=True, step=step, message=message, analysis=None, pause=None)


def phased(plan: Plan, status: Status, at: float) -> Status:
    """The status with its phase and message; past the progress deadline it is aborted, if the plan says so.

    A rollback within the window cannot be aborted, it is Degraded until its pods are ready.
    """
    phase, message = phase_of(plan, status)
    if phase == "Progressing" and timed_out(plan, status, at):
        phase, why = "Degraded", f'ReplicaSet "{status.current}" has timed out progressing.'
        if plan.deadline_aborts and not within_rollback_window(plan, status):
            return replace(aborted(plan, status, why), phase=phase)
        message = f"ProgressDeadlineExceeded: {why}"
    return replace(status, phase=phase, message=message)


def timed_out(plan: Plan, status: Status, at: float) -> bool:
    """Whether nothing moved for `progressDeadlineSeconds`; analysis and pause steps may take as long as they like."""
    waits = {"analysis", "pause"} & set(current_step(plan, status)) or (plan.blue_green and status.analysis)
    return at - status.since >= plan.deadline and not waits


def phase_of(plan: Plan, status: Status) -> tuple[Phase, str | None]:
    """Phase and message as Argo Rollouts words them."""
    rs = status.replica_set(status.current)
    updated = rs.desired if rs else 0
    if status.abort:
        return "Degraded", status.message
    if status.pause:
        return "Paused", status.pause.reason
    if updated < plan.replicas:
        return "Progressing", "more replicas need to be updated"
    if sum(rs.available for rs in status.replica_sets) < updated:
        return "Progressing", "updated replicas are still becoming available"
    if plan.blue_green and status.selectors[0] != status.current:
        return "Progressing", "active service cutover pending"
    if status.stable != status.current:
        return "Progressing", f"waiting for {'analysis' if plan.blue_green else 'all steps'} to complete"
    return "Healthy", None
