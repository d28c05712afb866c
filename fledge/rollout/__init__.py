"""Argo Rollouts' canary with traffic routing as a pure state machine."""

from collections.abc import Iterator

from fledge.rollout.records import (
    Action,
    Analysed,
    Applied,
    Available,
    Clock,
    Event,
    Notify,
    Promoted,
    ReplicaSet,
    Retried,
    Spec,
    StartAnalysis,
    Status,
    StopAnalysis,
)

__all__ = [
    "Action",
    "Analysed",
    "Applied",
    "Available",
    "Clock",
    "Event",
    "Notify",
    "Promoted",
    "ReplicaSet",
    "Retried",
    "Spec",
    "StartAnalysis",
    "Status",
    "StopAnalysis",
    "steps",
    "transition",
]


def steps(spec: Spec | None, status: Status | None, event: Event) -> Iterator[Status]:
    """Every status that the controller writes in answer to `event`, in order; the last one waits."""
    raise NotImplementedError


def transition(spec: Spec | None, status: Status | None, event: Event) -> tuple[Status, list[Action]]:
    """Move from `status` under `spec` (that before an `Applied`) by `event` until the machine waits again."""
    raise NotImplementedError
