"""What the rollout machine does where no recording shows it, and what it never does."""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fledge.rollout
from fledge.problems import Problem
from fledge.rollout import (
    Action,
    Analysed,
    Applied,
    Available,
    Clock,
    Event,
    Notify,
    Promoted,
    Retried,
    StartAnalysis,
    Status,
    StopAnalysis,
    scaled,
    steps,
    transition,
)
from fledge.rollout.durations import seconds

HASHES = [
    {"name": name, "valueFrom": {"podTemplateHashValue": value}} for name, value in (("s", "Stable"), ("c", "Latest"))
]
JUDGE = {"analysis": {"templates": [{"templateName": "judge"}], "args": [*HASHES, {"name": "weight", "value": "5"}]}}
PLAN = ({"setCanaryScale": {"replicas": 2}}, {"setWeight": 5}, {"setCanaryScale": {"matchTrafficWeight": True}}, JUDGE, {"setWeight": 25}, JUDGE)  # fmt: skip


def a_spec(*plan: dict[str, Any], **canary: Any) -> dict[str, Any]:
    """A Rollout's spec as our manifests render it."""
    defaults = {"minPodsPerReplicaSet": 2, "scaleDownDelaySeconds": 1800, "scaleDownDelayRevisionLimit": 2}
    return {
        "replicas": 3,
        "rollbackWindow": {"revisions": 3},
        "progressDeadlineSeconds": 900,
        "progressDeadlineAbort": True,
        "strategy": {"canary": {**defaults, **canary, "steps": list(plan or PLAN)}},
    }


@dataclass
class Rollout:
    """A Rollout whose clock stands still unless told otherwise; `actions` are those of the last event."""

    spec: dict[str, Any] = field(default_factory=a_spec)
    status: Status | None = None
    at: float = 0.0
    actions: list[Action] = field(default_factory=list)

    def tell(self, event: Event) -> "Rollout":
        """Give the machine one event."""
        applied = self.status and self.spec
        self.status, self.actions = transition(applied, self.status, event)
        return self

    def apply(self, hash: str, *, ready: bool = True) -> "Rollout":
        """Apply the release of this hash, and let its pods become ready."""
        self.at += 1
        self.tell(Applied(self.spec, hash, self.at))
        return self.ready() if ready else self

    def ready(self) -> "Rollout":
        """Let all desired pods become ready until nothing changes any more."""
        before, actions = None, self.actions
        while before != self.status:
            before = self.now
            for rs in before.replica_sets:
                self.tell(Available(rs.hash, rs.desired, self.at))
                actions = actions + self.actions
        self.actions = actions
        return self

    def judged(self, outcome: Any = "Successful") -> "Rollout":
        """End the AnalysisRun that is running."""
        assert self.now.analysis is not None
        return self.tell(Analysed(self.now.analysis.step, outcome, "the judge's words", self.at)).ready()

    def wait(self, seconds: float) -> "Rollout":
        """Let time pass."""
        self.at += seconds
        return self.tell(Clock(self.at))

    def delivered(self, hash: str) -> "Rollout":
        """Deliver the release of this hash, judged well at each step."""
        self.apply(hash)
        while self.now.analysis:
            self.judged()
        assert self.now.phase == "Healthy"
        return self

    @property
    def now(self) -> Status:
        """The status, of which there must be one."""
        assert self.status is not None
        return self.status

    def pods(self) -> dict[str, tuple[int, int]]:
        """Desired and ready pods by hash."""
        return {rs.hash: (rs.desired, rs.available) for rs in self.now.replica_sets}


def test_a_first_delivery_has_no_canary() -> None:
    """A first delivery skips every step, starts no analysis and waits for all its pods."""
    passed = list(steps(None, None, Applied(a_spec(), "a", 1.0)))
    assert {rs.desired for status in passed for rs in status.replica_sets} == {0, 3}
    rollout = Rollout().apply("a", ready=False)
    assert rollout.actions == [Notify("on-rollout-completed", "a")]
    assert (rollout.now.phase, rollout.now.step, rollout.pods()) == ("Progressing", len(PLAN), {"a": (3, 0)})
    assert rollout.tell(Available("a", 2, 2.0)).now.selectors == (None, None)
    assert rollout.ready().now.phase == "Healthy"
    assert (rollout.now.selectors, rollout.now.weights) == (("a", "a"), (100, 0))


def test_an_analysis_gets_its_arguments_once() -> None:
    """An analysis starts once, at its step's weight, with the hashes of stable and canary in its arguments."""
    rollout = Rollout().delivered("a").apply("b")
    assert rollout.actions == [StartAnalysis(3, ("judge",), {"s": "a", "c": "b", "weight": "5"})]
    assert (rollout.now.weights, rollout.pods()["b"]) == ((95, 5), (2, 2))
    assert rollout.wait(3600).actions == []


def test_a_promotion_moves_traffic_only_when_every_pod_is_ready() -> None:
    """After the last step the canary keeps its weight until all pods are ready; then Services, then routes, follow."""
    rollout = Rollout().delivered("a").apply("b").judged().tell(Analysed(5, "Successful", "", 9.0))
    assert (rollout.now.weights, rollout.pods()["b"]) == ((75, 25), (3, 2))
    passed = list(steps(rollout.spec, rollout.status, Available("b", 3, 9.0)))
    written = list(dict.fromkeys((s.weights, s.stable, *s.selectors) for s in passed))
    assert written == [
        ((75, 25), "a", "a", "b"),
        ((0, 100), "a", "a", "b"),
        ((0, 100), "b", "a", "b"),
        ((0, 100), "b", "b", "b"),
        ((100, 0), "b", "b", "b"),
    ]
    assert rollout.ready().actions[-1] == Notify("on-rollout-completed", "b")


@pytest.mark.parametrize("outcome", ["Failed", "Error"])
def test_a_bad_verdict_aborts(outcome: str) -> None:
    """A failed judge sends all traffic to stable at once and says so; the canary's pods go after their delay."""
    rollout = Rollout(a_spec(abortScaleDownDelaySeconds=30)).delivered("a").apply("b").judged(outcome)
    assert rollout.actions[0] == Notify("on-rollout-aborted", "b")
    assert (rollout.now.phase, rollout.now.step, rollout.now.weights) == ("Degraded", 0, (100, 0))
    assert rollout.now.message == (
        "RolloutAborted: Rollout aborted update to revision 2: "
        "Step-based analysis phase error/failed: the judge's words"
    )
    assert rollout.wait(29).pods()["b"] == (2, 2)
    assert rollout.wait(1).pods()["b"] == (0, 0)
    assert (rollout.now.phase, rollout.actions) == ("Degraded", [])


def test_an_aborted_canary_stays_until_stable_is_whole() -> None:
    """The delay after an abort begins when all of stable's pods are ready."""
    rollout = Rollout().delivered("a").apply("b").tell(Available("a", 2, 5.0)).tell(Analysed(3, "Failed", "", 5.0))
    assert (rollout.now.abort, rollout.wait(100).pods()["b"]) == (True, (2, 2))
    assert rollout.ready().wait(29).pods()["b"] == (2, 2)
    assert rollout.wait(1).pods()["b"] == (0, 0)


@pytest.mark.parametrize("first", [{"setWeight": 5}, JUDGE])
def test_an_abort_does_not_play_the_first_step_again(first: dict[str, Any]) -> None:
    """An aborted rollout stands on its first step without doing it: no weight, no analysis, and no promotion."""
    rollout = Rollout(a_spec(first, JUDGE)).delivered("a").apply("b").judged("Failed")
    assert (rollout.now.weights, rollout.now.analysis, rollout.now.step) == ((100, 0), None, 0)
    assert rollout.tell(Promoted(9.0)).now.step == 0


def test_an_aborted_rollout_without_steps_stays_aborted() -> None:
    """A release past its deadline is not promoted by pods that become ready after all."""
    spec = a_spec()
    spec["strategy"]["canary"]["steps"] = []
    rollout = Rollout(spec).delivered("a").apply("b", ready=False).wait(901).ready()
    assert (rollout.now.stable, rollout.now.phase, rollout.now.weights) == ("a", "Degraded", (100, 0))


def test_an_abort_delay_of_zero_keeps_the_canary() -> None:
    """`abortScaleDownDelaySeconds: 0` means that an aborted canary's pods stay for ever."""
    rollout = Rollout(a_spec(abortScaleDownDelaySeconds=0)).delivered("a").apply("b").judged("Failed")
    assert rollout.wait(10**6).pods()["b"] == (2, 2)


def test_an_inconclusive_judge_pauses_for_ever() -> None:
    """After an inconclusive analysis the canary keeps its traffic until a person goes on or reverts."""
    rollout = Rollout().delivered("a").apply("b").judged("Inconclusive").wait(10**6)
    assert (rollout.now.phase, rollout.now.message) == ("Paused", "InconclusiveAnalysisRun")
    assert rollout.now.weights == (95, 5)
    assert rollout.tell(Promoted(rollout.at)).ready().now.weights == (75, 25)


def test_a_pause_ends_with_its_duration_or_a_person() -> None:
    """A pause with a duration ends by the clock, one without by a person only."""
    plan = ({"setWeight": 10}, {"pause": {"duration": "1m30s"}}, {"pause": {}})
    rollout = Rollout(a_spec(*plan)).delivered("a").apply("b")
    assert (rollout.now.phase, rollout.now.message, rollout.now.step) == ("Paused", "CanaryPauseStep", 1)
    assert rollout.wait(89).now.step == 1
    assert rollout.wait(1).now.step == 2
    assert rollout.wait(10**6).now.phase == "Paused"
    assert rollout.tell(Promoted(rollout.at)).ready().now.stable == "b"


def test_a_newer_release_supersedes_a_canary() -> None:
    """A release applied in mid-canary starts at the first step; the pods before it go when no Service selects them."""
    rollout = Rollout().delivered("a").apply("b").apply("c", ready=False)
    assert rollout.actions == [StopAnalysis(3)]
    assert (rollout.now.step, rollout.now.weights, rollout.now.selectors) == (0, (100, 0), ("a", "b"))
    assert rollout.pods() == {"a": (3, 3), "b": (2, 2), "c": (2, 0)}
    assert rollout.ready().pods()["b"] == (0, 0)
    assert (rollout.now.weights, rollout.now.selectors) == ((95, 5), ("a", "c"))


def test_a_canary_that_never_becomes_ready_is_aborted() -> None:
    """Without progress for `progressDeadlineSeconds` a rollout is aborted; an analysis may take longer."""
    rollout = Rollout().delivered("a").apply("b", ready=False)
    assert rollout.wait(899).now.phase == "Progressing"
    assert rollout.wait(1).actions == [Notify("on-rollout-aborted", "b")]
    assert rollout.now.message == (
        'RolloutAborted: Rollout aborted update to revision 2: ReplicaSet "b" has timed out progressing.'
    )
    judged = Rollout().delivered("a").apply("b").wait(10**6)
    assert judged.now.phase == "Progressing"
    assert judged.judged().now.step == 5


def test_a_deadline_that_does_not_abort_only_tells() -> None:
    """Without `progressDeadlineAbort` a rollout past its deadline is Degraded, and goes on when its pods are ready."""
    rollout = Rollout(a_spec() | {"progressDeadlineAbort": False}).delivered("a").apply("b", ready=False).wait(901)
    assert (rollout.now.phase, rollout.now.abort, rollout.actions) == ("Degraded", False, [])
    assert str(rollout.now.message).startswith("ProgressDeadlineExceeded: ")
    assert rollout.wait(1).now.phase == "Degraded"
    assert rollout.ready().now.weights == (95, 5)


def test_a_retry_begins_again() -> None:
    """A person's retry of an aborted rollout goes through all steps once more, analysis included."""
    rollout = Rollout().delivered("a").apply("b").judged("Failed").wait(60).tell(Retried(100.0)).ready()
    assert (rollout.now.phase, rollout.now.abort, rollout.now.step) == ("Progressing", False, 3)
    assert StartAnalysis(3, ("judge",), {"s": "a", "c": "b", "weight": "5"}) in rollout.actions


def test_a_retry_starts_the_deadline_anew() -> None:
    """A retry of what never became ready waits for the whole deadline again, though no pod is started."""
    rollout = Rollout(a_spec(abortScaleDownDelaySeconds=0)).delivered("a").apply("b", ready=False).wait(901).wait(10**4)
    assert rollout.now.abort
    rollout.at += 1
    assert rollout.tell(Retried(rollout.at)).now.phase == "Progressing"
    assert rollout.wait(899).now.abort is False
    assert rollout.wait(1).now.abort is True


def test_any_edit_of_the_steps_revives_an_aborted_release() -> None:
    """After an abort, an edit of the canary steps starts the canary of the same release again (finding 1)."""
    rollout = Rollout().delivered("a").apply("b").judged("Failed").wait(60).wait(10**4)
    edited = a_spec(*PLAN[:-2], {"setWeight": 30}, JUDGE)
    assert rollout.tell(Applied(edited, "b", rollout.at)).now.abort is False
    assert rollout.pods()["b"] == (2, 0)


def test_applying_the_same_again_changes_nothing() -> None:
    """A repeated apply, and one that changes no pod template and no step, restarts nothing."""
    rollout = Rollout().delivered("a").apply("b").judged("Failed")
    assert rollout.apply("b").now.abort
    assert rollout.actions == []


def test_a_revert_whose_pods_are_gone_gives_traffic_to_the_first_one() -> None:
    """Within the rollback window steps are skipped, and one ready pod gets the last weight (argo-rollouts#3941)."""
    rollout = Rollout().delivered("a").delivered("b").wait(1800)
    assert rollout.pods()["a"] == (0, 0)
    rollout.apply("a", ready=False).tell(Available("a", 1, rollout.at))
    assert (rollout.now.weights, rollout.now.selectors) == ((75, 25), ("b", "a"))
    assert rollout.ready().now.stable == "a"
    assert not [action for action in rollout.actions if isinstance(action, StartAnalysis)]


def test_a_rollback_in_the_window_is_neither_judged_nor_aborted() -> None:
    """A revert whose pods must start is not judged even by a first step, and past its deadline it is only Degraded."""
    rollout = Rollout(a_spec(JUDGE)).delivered("a").delivered("b").wait(1800).apply("a", ready=False)
    assert rollout.actions == []
    assert (rollout.wait(901).now.phase, rollout.now.abort, rollout.actions) == ("Degraded", False, [])
    assert rollout.ready().now.stable == "a"


def test_a_stable_that_loses_its_pods_is_degraded() -> None:
    """When nothing is being delivered and pods stay away past the deadline, the rollout is aborted where it stands."""
    rollout = Rollout().delivered("a").wait(10**4).tell(Available("a", 2, 10**5))
    assert rollout.now.phase == "Progressing"
    rollout.tell(Clock(10**5 + 900))
    assert (rollout.now.phase, rollout.now.step, rollout.pods()) == ("Degraded", len(PLAN), {"a": (3, 2)})


def test_the_rollback_window_does_not_know_bad_releases() -> None:
    """A release that was aborted is fast-tracked without a judge once a later one is stable (argo-rollouts#3039)."""
    rollout = Rollout().delivered("a").apply("b").judged("Failed").wait(60).delivered("c").apply("b")
    assert (rollout.now.stable, rollout.now.phase) == ("b", "Healthy")


@pytest.mark.parametrize(("revisions", "skipped"), [(0, False), (2, False), (3, True)])
def test_the_rollback_window_counts_what_lies_between(revisions: int, skipped: bool) -> None:
    """A revert skips the steps if fewer ReplicaSets than `revisions` are older than stable and younger than it."""
    rollout = Rollout(a_spec() | {"rollbackWindow": {"revisions": revisions}})
    for hash in "abcd":
        rollout.delivered(hash)
    assert (rollout.apply("a").now.stable == "a") is skipped


def test_former_stables_wait_for_their_delay_up_to_the_limit() -> None:
    """Old pods stay for `scaleDownDelaySeconds`, those of `scaleDownDelayRevisionLimit` releases at most."""
    rollout = Rollout().delivered("a").delivered("b").delivered("c")
    assert rollout.pods() == {"a": (3, 3), "b": (3, 3), "c": (3, 3)}
    assert rollout.delivered("d").pods()["a"] == (0, 0)
    assert rollout.wait(1800).pods() == {"a": (0, 0), "b": (0, 0), "c": (0, 0), "d": (3, 3)}


def test_a_revert_is_the_newest_revision() -> None:
    """Of two former stables the limit keeps the one that served last, not the younger one."""
    rollout = Rollout(a_spec(scaleDownDelayRevisionLimit=1)).delivered("a").delivered("b").delivered("a").delivered("c")
    assert rollout.pods() == {"a": (3, 3), "b": (0, 0), "c": (3, 3)}


def test_a_revert_has_no_deadline() -> None:
    """A release that serves again loses the deadline that it had as a former stable."""
    rollout = Rollout().delivered("a").delivered("b").delivered("a")
    deadlines = {rs.hash: rs.scale_down_at for rs in rollout.now.replica_sets}
    assert deadlines == {"a": None, "b": rollout.at + 1800}


def test_pods_of_a_former_stable_are_not_replaced() -> None:
    """While a former stable waits for its delay, a pod that dies is not started again."""
    rollout = Rollout().delivered("a").delivered("b").tell(Available("a", 2, 9.0))
    assert rollout.pods()["a"] == (2, 2)


def test_old_replica_sets_are_forgotten() -> None:
    """Beyond `revisionHistoryLimit`, ReplicaSets without pods are deleted, the oldest revision first."""
    rollout = Rollout(a_spec() | {"revisionHistoryLimit": 1}).delivered("a").delivered("b").delivered("c")
    assert list(rollout.wait(1800).wait(1).pods()) == ["b", "c"]


@pytest.mark.parametrize(
    ("scale", "weight", "replicas", "minimum", "pods"),
    [
        ({"matchTrafficWeight": True}, 5, 3, 1, 1),
        ({"matchTrafficWeight": True}, 5, 3, 2, 2),
        ({"matchTrafficWeight": True}, 66, 3, 2, 2),
        ({"matchTrafficWeight": True}, 67, 3, 2, 3),
        ({"matchTrafficWeight": True}, 0, 3, 2, 0),
        ({"matchTrafficWeight": True}, 30, 10, 1, 3),
        ({"weight": 50}, 5, 3, 1, 2),
        ({"replicas": 1}, 50, 3, 2, 1),
    ],
)
def test_pods_follow_the_scale(scale: dict[str, Any], weight: int, replicas: int, minimum: int, pods: int) -> None:
    """Weights round up to whole pods and to the minimum, which holds neither at 0 nor for a number of replicas."""
    plan = ({"setWeight": weight}, {"setCanaryScale": scale}, {"pause": {}})
    rollout = Rollout(a_spec(*plan, minPodsPerReplicaSet=minimum) | {"replicas": replicas}).delivered("a").apply("b")
    assert rollout.pods()["b"] == (pods, pods)


def test_late_news_is_ignored() -> None:
    """An analysis that does not run any more, or pods that are not wanted any more, change nothing."""
    rollout = Rollout().delivered("a").apply("b").judged("Failed").wait(60)
    before = rollout.now
    for event in (Analysed(3, "Successful", "", 99.0), Available("b", 2, 99.0), Available("x", 2, 99.0)):
        assert rollout.tell(event).now == before


def test_a_step_that_cannot_be_played_is_named() -> None:
    """A step of another kind is refused with its kind and its place, before anything is done."""
    with pytest.raises(Problem) as caught:
        transition(None, None, Applied(a_spec({"setWeight": 5}, {"experiment": {}}), "a", 0.0))
    kinds = "setWeight, setCanaryScale, analysis, pause"
    assert caught.value.lines == [
        f"rollout: experiment, expected one of {kinds} (Rollout: spec.strategy.canary.steps[1])"
    ]


@pytest.mark.parametrize("duration", ["10x", "abc", "", "1m30", "-5s", "1.2.3s"])
def test_a_pause_that_cannot_be_read_is_named(duration: str) -> None:
    """A pause whose duration is none is refused with its place when it is applied, not read as some other time."""
    with pytest.raises(Problem) as caught:
        Rollout(a_spec({"setWeight": 5}, {"pause": {"duration": duration}})).apply("a", ready=False)
    where = "Rollout: spec.strategy.canary.steps[1].pause.duration"
    assert caught.value.lines == [f"rollout: found duration {duration!r}, expected one like 10s or 1m30s ({where})"]


@pytest.mark.parametrize(("duration", "needed"), [("500ms", 0.5), ("1h30m", 5400.0), (20, 20.0), ("20", 20.0)])
def test_a_pause_lasts_its_duration(duration: str | int, needed: float) -> None:
    """A pause ends after its Go duration, or after its whole number of seconds, and not before."""
    rollout = Rollout(a_spec({"setWeight": 10}, {"pause": {"duration": duration}})).delivered("a").apply("b")
    assert rollout.wait(needed * 0.9).now.phase == "Paused"
    assert rollout.wait(needed * 0.2).now.phase != "Paused"


@pytest.mark.parametrize(
    ("text", "value"),
    {"10s": 10, "1m30s": 90, "250ms": 0.25, "1.5h": 5400, ".5s": 0.5, "1.s": 1, "2us": 2e-6, "0s": 0}.items(),
)
def test_durations(text: str, value: float) -> None:
    """A Go duration is read in seconds, whatever its units."""
    assert seconds(text, "analysis", "AnalysisTemplate: interval") == pytest.approx(value)


def test_the_autoscaler_writes_the_replicas() -> None:
    """The replicas are the fewest of the autoscaler that targets this very Rollout; any other leaves them alone."""
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "m"}, "spec": a_spec()}
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "m"}
    scaler = {"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 7, "scaleTargetRef": target}}
    other = {**scaler, "spec": {"minReplicas": 9, "scaleTargetRef": target | {"name": "n"}}}
    assert scaled(rollout, [rollout, other, scaler]) == a_spec() | {"replicas": 7}
    assert scaled(rollout, [rollout, other]) == a_spec()


def test_a_number_is_no_go_duration() -> None:
    """Outside of a pause a duration has a unit, as in Go; without one it is refused where it stands."""
    with pytest.raises(Problem, match=r"analysis: found duration 10, expected one like 10s .*: interval\)"):
        seconds(10, "analysis", "AnalysisTemplate: interval")


def test_nothing_happens_before_the_first_apply() -> None:
    """An event for a Rollout that was never applied is a bug of the caller."""
    with pytest.raises(ValueError, match="never applied"):
        transition(None, None, Clock(0.0))


EVENTS = st.one_of(
    st.tuples(st.just("apply"), st.sampled_from("abc")),
    st.tuples(st.just("ready"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("judged"), st.sampled_from(["Successful", "Failed", "Inconclusive", "Error"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 900, 1800])),
    st.tuples(st.sampled_from(["promote", "retry"])),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(EVENTS, max_size=30))
def test_whatever_happens_traffic_goes_to_ready_pods(happenings: list[tuple[Any, ...]]) -> None:
    """Weights make 100, traffic moves only to a Service with ready pods, and the same moment again changes nothing."""
    rollout = Rollout().delivered("a")
    for what, *details in happenings:
        rollout.at += 1
        before = rollout.now
        event = an_event(rollout, what, *details)
        for status in steps(rollout.spec, before, event):
            assert sum(status.weights) == 100
            if status.weights[1] > before.weights[1]:
                assert status.replica_set(status.selectors[1]).available > 0  # type: ignore[union-attr]
            before = status
        rollout.tell(event)
        assert rollout.now == before
        assert list(steps(rollout.spec, rollout.status, Clock(rollout.at))) == []


def an_event(rollout: Rollout, what: str, *details: Any) -> Event:
    """The event that a drawn happening stands for."""
    step = rollout.now.analysis.step if rollout.now.analysis else 0
    match what, details:
        case "apply", [hash]:
            return Applied(rollout.spec, hash, rollout.at)
        case "ready", [hash, pods]:
            return Available(hash, pods, rollout.at)
        case "judged", [outcome]:
            return Analysed(step, outcome, "", rollout.at)
        case "wait", [seconds]:
            rollout.at += seconds
            return Clock(rollout.at)
    return Promoted(rollout.at) if what == "promote" else Retried(rollout.at)


def test_the_machine_is_pure() -> None:
    """Nothing that the machine imports can reach files, processes, the network or a clock."""
    allowed = {"collections.abc", "dataclasses", "functools", "itertools", "math", "re", "typing", "fledge.problems"}
    for path in Path(fledge.rollout.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name not in allowed and not name.startswith("fledge.rollout")]
