"""One Rollout in memory, moved by `fledge.rollout`: what it is told, what it tells, and what it must never do."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from fledge.reconcile.decision import MODEL, Seen, seen
from fledge.release import Files
from fledge.rollout import Analysed, Applied, Available, Clock, Event, Notify, Spec, Status, transition
from fledge.rollout.plan import plan_of
from fledge.rollout.progress import aborted
from fledge.rollout.records import Outcome

LONG_AGO = "2026-01-01T00:00:00+00:00"


class Told(NamedTuple):
    """What the target branch tells an environment to run: the pod template's hash, and the whole Rollout's spec."""

    delivery: str
    version: str
    hash: str
    spec: Spec


@dataclass
class Rollout:
    """`told` is by pod-template hash. `guilty` are deliveries whose canary ended badly, `passed` those that the judge passed.

    `news` are the notifications: ("aborted" or "completed", delivery). `healthy` says what git's tags hold.
    """

    healthy: Callable[[], Collection[str]]
    spec: Spec | None = None
    status: Status | None = None
    at: float = 0.0
    told: dict[str, Told] = field(default_factory=dict)
    guilty: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    news: list[tuple[str, str]] = field(default_factory=list)
    promoted: str | None = None

    def apply(self, told: Told, broken: Collection[str]) -> None:
        """Argo CD's part; then the pods follow."""
        self.told[told.hash] = told
        assert len({one.delivery for one in self.told.values()}) == len(self.told), (
            f"{told.delivery} is two pod templates"
        )
        spec = {"replicas": 2, **told.spec}  # as the HorizontalPodAutoscaler leaves it
        if spec != self.spec:
            self._move(Applied(spec, told.hash, self.at))
            self.spec = spec
        self.settle(broken)

    def settle(self, broken: Collection[str]) -> None:
        """Every pod becomes ready but those of `broken` versions."""
        while waiting := [
            rs
            for rs in self._status.replica_sets
            if rs.available < rs.desired and self.told[rs.hash].version not in broken
        ]:
            self._move(Available(waiting[0].hash, waiting[0].desired, self.at))

    def judge(self, outcome: Outcome, broken: Collection[str]) -> None:
        """The running analysis ends, if there is one."""
        analysis, delivery = self._status.analysis, self.current
        if analysis is None or analysis.phase != "Running" or delivery is None:
            return
        if outcome == "Successful" and analysis.step == max(
            i for i, step in enumerate(self._steps) if "analysis" in step
        ):
            self.passed.add(delivery)
        elif outcome != "Successful":
            self.passed.discard(delivery)
            self.guilty.add(delivery)
        self._move(Analysed(analysis.step, outcome, "as the sequence picked", self.at))
        self.settle(broken)

    def abort(self) -> None:
        """The reconciler, or a person, gives the canary up (`kubectl argo rollouts abort`)."""
        delivery, status = self.current, self._status
        if self.spec is None or delivery is None or status.abort or status.stable == status.current:
            return
        self.guilty.add(delivery)
        self.passed.discard(delivery)
        self.status = aborted(plan_of(self.spec), status, "by hand")
        self.news.append(("aborted", delivery))
        self._move(Clock(self.at))

    def seen(self, files: Files) -> Seen | None:
        """As the reconciler finds it in the Kubernetes API."""
        status = self._status
        if self.spec is None:
            return None
        pauses = [{"reason": status.pause.reason, "startTime": LONG_AGO}] if status.pause else []
        names = {"name": f"{files.model}-model", "labels": {MODEL: files.model}}
        shown = {"abort": status.abort, "phase": status.phase, "message": status.message or ""}
        hashes = {"stableRS": status.stable, "currentPodHash": status.current}
        return seen(
            {
                "metadata": {**names, "resourceVersion": "1", "generation": 1},
                "spec": self.spec,
                "status": {**shown, **hashes, "observedGeneration": "1", "pauseConditions": pauses},
            }
        )

    def wait(self, seconds: float, broken: Collection[str]) -> None:
        """Time passes."""
        self.at += seconds
        if self.spec is not None:
            self._move(Clock(self.at))
            self.settle(broken)

    @property
    def current(self) -> str | None:
        """The delivery that it was told last."""
        return self.told[self._status.current].delivery if self._status.current else None

    @property
    def stable(self) -> str | None:
        """The delivery that serves everyone but the canary's share."""
        return self.told[self._status.stable].delivery if self._status.stable else None

    @property
    def judging(self) -> bool:
        return self._status.analysis is not None and self._status.analysis.phase == "Running"

    @property
    def moving(self) -> bool:
        """Whether a canary is on its way."""
        return self._status.current != self._status.stable and not self._status.abort

    @property
    def completed(self) -> bool:
        """Whether one delivery serves everyone."""
        return (self._status.phase, self._status.weights) == ("Healthy", (100, 0))

    @property
    def _status(self) -> Status:
        return self.status or Status()

    @property
    def _steps(self) -> list[dict[str, object]]:
        steps: list[dict[str, object]] = (self.spec or {})["strategy"]["canary"]["steps"]
        return steps

    def _move(self, event: Event) -> None:
        before = self._status.stable
        self.status, actions = transition(self.spec, self.status, event)
        for action in actions:
            if not isinstance(action, Notify):
                continue
            delivery = self.told[action.hash].delivery
            if action.trigger == "on-rollout-aborted":
                self.guilty.add(delivery)
                self.news.append(("aborted", delivery))
            else:
                assert before is None or delivery in self.passed or delivery in self.healthy(), (
                    f"{delivery} ({self.told[action.hash].version}) reached 100 % unjudged"
                )
                before = self.promoted = action.hash
        if self.promoted and self.promoted == self.status.stable and self.status.phase == "Healthy":
            self.news.append(("completed", self.told[self.promoted].delivery))
            self.promoted = None
