"""Argo Rollouts' canary with traffic routing, and its blue-green, as a pure state machine: (spec, status, event) → status, actions."""

from fledge.rollout.machine import steps, transition
from fledge.rollout.plan import scaled, services
from fledge.rollout.records import (
    Action,
    Analysed,
    Analysis,
    Applied,
    Available,
    Clock,
    Event,
    Notify,
    Pause,
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
    "Analysis",
    "Applied",
    "Available",
    "Clock",
    "Event",
    "Notify",
    "Pause",
    "Promoted",
    "ReplicaSet",
    "Retried",
    "Spec",
    "StartAnalysis",
    "Status",
    "StopAnalysis",
    "scaled",
    "services",
    "steps",
    "transition",
]
