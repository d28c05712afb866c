"""What is told to the machine (events), what it is (status), and what it asks for (actions).

Field names are those of Argo Rollouts' status. `hash` is a pod-template hash; times (`at`, `created`,
`scale_down_at`, `since`) are seconds on any clock that the caller keeps to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Spec = Mapping[str, Any]
Outcome = Literal["Successful", "Failed", "Inconclusive", "Error"]
Promotion = Literal["PrePromotion", "PostPromotion"]  # blue-green: before and after the active Service is switched
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

    step: int | Promotion
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
class Analysis:
    """The AnalysisRun of the current step; `message` says why it ended."""

    step: int | Promotion
    phase: Literal["Running"] | Outcome = "Running"
    message: str = ""


@dataclass(frozen=True)
class Pause:
    """Why and since when the rollout waits for a person, or for a `pause` step's duration."""

    reason: Literal["CanaryPauseStep", "InconclusiveAnalysisRun"]
    since: float


@dataclass(frozen=True)
class Status:
    """A Rollout's status with what the controller has written to its routes, Services and ReplicaSets.

    `step` counts from 0 and equals the number of steps when done, None in blue-green; `stable` and `current` are hashes, equal when
    nothing is being delivered. `weights` and `selectors` are (stable, canary), in blue-green (active, preview);
    `replica_sets` are oldest first.
    `since` is the last time that anything moved, which the progress deadline counts from.
    """

    phase: Literal["Progressing", "Paused", "Healthy", "Degraded"] | None = None
    message: str | None = None
    abort: bool = False
    step: int | None = None
    stable: str | None = None
    current: str | None = None
    weights: tuple[int, int] = (100, 0)
    selectors: tuple[str | None, str | None] = (None, None)
    replica_sets: tuple[ReplicaSet, ...] = ()
    analysis: Analysis | None = None
    pause: Pause | None = None
    since: float = 0.0

    def replica_set(self, hash: str | None) -> ReplicaSet | None:
        """The ReplicaSet with this pod-template hash, if it still exists."""
        return next((rs for rs in self.replica_sets if rs.hash == hash), None)


@dataclass(frozen=True)
class StartAnalysis:
    """Run these AnalysisTemplates with these arguments (hashes resolved) for this step."""

    step: int | Promotion
    templates: tuple[str, ...]
    args: Mapping[str, str]


@dataclass(frozen=True)
class StopAnalysis:
    """End the AnalysisRun of this step; its outcome no longer matters."""

    step: int | Promotion


@dataclass(frozen=True)
class Notify:
    """Tell the trigger's subscribers about the delivery with this pod-template hash.

    As with the real controller, `on-rollout-completed` of a first delivery comes before any pod is ready (it has no
    canary): who wants "healthy" must also wait for the phase.
    """

    trigger: Trigger
    hash: str


Action = StartAnalysis | StopAnalysis | Notify
