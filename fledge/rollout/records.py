"""What is told to the machine (events), what it is (status), and what it asks for (actions).

Field names are those of Argo Rollouts' status. `hash` is a pod-template hash; times (`at`, `created`,
`scale_down_at`, `since`) are seconds on any clock that the caller keeps to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Spec = Mapping[str, Any]
Outcome = Literal["Successful", "Failed", "Inconclusive", "Error"]
Trigger = Literal["on-rollout-aborted", "on-rollout-completed"]


@dataclass(frozen=True)
class Applied:
    """The Rollout's spec was applied; `hash` is that of its pod template."""

    spec: Spec
    hash: str
    at: float


@dataclass(frozen=True)
class Available:
    """`available` pods of ReplicaSet `hash` are ready."""

    hash: str
    available: int
    at: float


@dataclass(frozen=True)
class Analysed:
    """The AnalysisRun of `step` ended; one that is not running any more is ignored."""

    step: int
    outcome: Outcome
    message: str
    at: float


@dataclass(frozen=True)
class Clock:
    """Time passed: scale-down delays, pauses and the progress deadline are looked at."""

    at: float


@dataclass(frozen=True)
class Promoted:
    """A person let the rollout go on from its pause (`kubectl argo rollouts promote`)."""

    at: float


@dataclass(frozen=True)
class Retried:
    """A person restarted an aborted rollout (`kubectl argo rollouts retry`)."""

    at: float


Event = Applied | Available | Analysed | Clock | Promoted | Retried


@dataclass(frozen=True)
class ReplicaSet:
    """`desired` and `available` pods; `scale_down_at` is when an old one may go, None when it stays."""

    hash: str
    revision: int
    desired: int
    available: int
    created: float
    scale_down_at: float | None = None


@dataclass(frozen=True)
class Status:
    """A Rollout with what it has written to its routes, Services and ReplicaSets.

    `weights` and `selectors` are (stable, canary); `replica_sets` are oldest first. `analysis` is the step
    whose AnalysisRun is running. `waiting_for` says who moves next; None: the rollout is done or aborted.
    """

    phase: str | None = None
    message: str | None = None
    abort: bool = False
    step: int | None = None
    stable: str | None = None
    current: str | None = None
    weights: tuple[int, int] = (100, 0)
    selectors: tuple[str | None, str | None] = (None, None)
    replica_sets: tuple[ReplicaSet, ...] = ()
    analysis: int | None = None
    pause: str | None = None
    since: float = 0.0
    waiting_for: Literal["pods", "judge", "clock", "person"] | None = None


@dataclass(frozen=True)
class StartAnalysis:
    """Run the AnalysisTemplates named, with these arguments (hashes resolved), for this step."""

    step: int
    templates: tuple[str, ...]
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StopAnalysis:
    """End the AnalysisRun of this step; its outcome no longer matters."""

    step: int


@dataclass(frozen=True)
class Notify:
    """Tell the subscribers of this trigger about the delivery with this pod-template hash."""

    trigger: Trigger
    hash: str


Action = StartAnalysis | StopAnalysis | Notify
