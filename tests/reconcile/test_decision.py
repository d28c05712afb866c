"""What Rollouts call for, case by case, and on everything that the real controller was seen to write."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fledge.reconcile.decision import Dispatch, Incident, Told, act, asks, gone, overdue, patience, seen
from tests.reconcile.fakes import rollout

NEW, OLD = "b" * 12, "a" * 12
WHY = "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed"
ABORTED = {"abort": True, "phase": "Degraded", "stableRS": OLD, "message": WHY}
PAUSED = {
    "phase": "Paused",
    "stableRS": OLD,
    "pauseConditions": [{"reason": "InconclusiveAnalysisRun", "startTime": "2026-11-24T12:00:00Z"}],
}
REVERT, TAG = Dispatch("auto-revert.yml", "delays", NEW, WHY), Dispatch("healthy.yml", "delays", NEW)


def told(healthy: str = "", denied: str = "", held: str = NEW) -> Told:
    """What git says, by the letters of the deliveries."""
    return Told(frozenset(one * 12 for one in healthy), frozenset(one * 12 for one in denied), held)


CASES: dict[str, tuple[dict[str, Any], Told, Dispatch | str | None]] = {
    "aborted, and git has not heard of it": (ABORTED, told("a"), REVERT),
    "aborted and denied, but the branch still holds it": (ABORTED, told("a", "b"), REVERT),
    "aborted, denied and reverted": (ABORTED, told("a", "b", held=OLD), None),
    "aborted while a newer merge is on the branch": (ABORTED, told("a", held="c" * 12), REVERT),
    "aborted, and nothing was ever healthy": (ABORTED, told(), REVERT),
    "aborted and denied, and nothing was ever healthy": (
        ABORTED,
        told("", "b"),
        "expected a healthy one to go back to",
    ),
    "aborted and denied, and all that was healthy is denied": (ABORTED, told("a", "ab"), "expected a healthy one"),
    "aborted, although it was healthy before": (ABORTED, told("ab"), "was healthy and left its canary"),
    "an abort of stable itself: no canary left": ({"abort": True, "phase": "Degraded"}, told("ab"), None),
    "complete, and git has not heard of it": ({}, told("a"), TAG),
    "complete and tagged": ({}, told("ab"), None),
    "complete, although it is denied": ({}, told("a", "b"), "is denied and serves all users"),
    "all at 100 %, not ready yet": ({"phase": "Progressing"}, told("a"), None),
    "Healthy is said while another is stable": ({"stableRS": OLD}, told("a"), None),
    "in its canary": ({"phase": "Progressing", "stableRS": OLD}, told("a"), None),
    "paused: the policy acts, not git": (PAUSED, told("a"), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_rollout_calls_for(case: str) -> None:
    """Each state of a Rollout, with each thing that git may say already, calls for one act, an incident, or nothing."""
    status, facts, expected = CASES[case]
    record = seen(rollout("delays", NEW, **status))
    assert record is not None
    found = act(record, facts)
    if isinstance(expected, str):
        assert isinstance(found, Incident)
        assert expected in found.found
    else:
        assert found == expected


@pytest.mark.parametrize("case", CASES)
def test_git_is_asked_before_anything_is_done(case: str) -> None:
    """Whatever calls for an act or an incident is something that git's files are read for."""
    status, facts, expected = CASES[case]
    record = seen(rollout("delays", NEW, **status))
    assert record is not None
    assert asks(record, facts.healthy) or expected is None


def test_a_proposed_revert_is_asked_for_again_once_no_rollout_shows_it() -> None:
    """What a Rollout carries is decided by its own state, and what became healthy after all is left alone."""
    record = seen(rollout("delays", NEW, **ABORTED))
    assert record is not None
    proposed = [("delays", NEW), ("delays", OLD), ("churn", NEW), ("churn", OLD)]
    tagged = {"delays": frozenset(), "churn": frozenset({OLD})}
    assert gone(proposed, [record], tagged) == [("delays", OLD), ("churn", NEW)]


@pytest.mark.parametrize(
    ("phase", "change"),
    [
        ("of the generation before", {"observedGeneration": "3"}),
        ("of no generation", {"observedGeneration": None}),
    ],
)
def test_a_status_of_another_generation_says_nothing(phase: str, change: dict[str, Any]) -> None:
    """Until the controller has looked at a spec, Healthy is the word of the delivery before."""
    assert seen(rollout("delays", NEW)) is not None
    assert seen(rollout("delays", NEW, **change)) is None


def test_rollouts_that_are_not_ours_are_left_alone() -> None:
    """A Rollout without the label of a delivery, or of a model, and one that is new, call for nothing."""
    foreign, anonymous, new = rollout("delays", NEW), rollout("delays", NEW), rollout("delays", NEW)
    foreign["spec"] = {"workloadRef": {"name": "other"}}
    anonymous["metadata"].pop("labels")
    new.pop("status")
    assert [seen(foreign), seen(anonymous), seen(new)] == [None, None, None]


@pytest.mark.parametrize(
    ("policy", "minutes", "expected"),
    [("30m", 29, False), ("30m", 30, True), ("2h", 119, False), ("2h", 120, True), ("hold", 10_000, False)],
)
def test_the_policy_decides_how_long_a_canary_may_wait(policy: str, minutes: int, expected: bool) -> None:
    """An undecided canary is overdue once it has waited as long as project.yaml says, and with `hold` never."""
    record = seen(rollout("delays", NEW, **PAUSED))
    assert record is not None
    now = datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    assert overdue(record, patience(policy), now) is expected


def test_other_pauses_are_nobodys_business() -> None:
    """A pause step waits for its person or its clock, however long: the policy is for the undecided alone."""
    step = [{"reason": "CanaryPauseStep", "startTime": "2020-01-01T00:00:00Z"}]
    record = seen(rollout("delays", NEW, **PAUSED | {"pauseConditions": step}))
    assert record is not None
    assert not overdue(record, timedelta(0), datetime.now(UTC))


# What each recording ends with when every event of it was lost: tagged, denied, and what a person must look at.
TRACES: dict[str, tuple[str, str, str]] = {
    "bad-release-then-revert": ("v1 v2", "v3", ""),
    "bluegreen-good-then-revert": ("v1 v2", "", ""),
    "candidate-never-ready": ("v1", "v2", ""),
    "good-release": ("v1 v2", "", ""),
    "inconclusive-then-revert": ("v1", "", ""),
    "judge-unreachable": ("v1", "v2", ""),
    "retry-after-abort": ("v1", "v2", "v2"),  # a person's retry served what git had denied
    "revert-after-promotion": ("v1 v2", "", ""),
    "revert-during-canary": ("v1", "", ""),
    "two-reverts-right-after-abort": ("v1 v2", "v3", ""),
    "two-reverts-right-after-abort-limit-2": ("v1 v2", "v3", ""),
    "weight-before-match-traffic": ("v1 v2", "", ""),
}
RECORDINGS = Path(__file__).resolve().parent.parent / "traces"


def test_every_recording_is_looked_at() -> None:
    """The table above names each recording of the real controller, and no other."""
    assert set(TRACES) == {file.stem for file in RECORDINGS.glob("*.jsonl")}


@pytest.mark.parametrize("name", TRACES)
def test_on_everything_that_the_real_controller_wrote(name: str) -> None:
    """With every event lost, each delivery is asked for once and ends as it really ended, whenever one looks."""
    tagged, denied, incidents = [], [], []
    record: dict[str, Any] = {}
    for line in map(json.loads, (RECORDINGS / f"{name}.jsonl").read_text().splitlines()[1:]):
        if "do" in line:
            continue
        record |= line
        found = seen(recorded(record))
        held = None if record["release"] in denied else record["release"]  # what is denied is reverted with it
        what = act(found, Told(frozenset(tagged), frozenset(denied), held)) if found else None
        if isinstance(what, Incident):
            incidents.append(record["release"])
        elif what:
            (denied if what.workflow == "auto-revert.yml" else tagged).append(what.delivery)
    assert (" ".join(tagged), " ".join(denied), " ".join(dict.fromkeys(incidents))) == TRACES[name]


def recorded(record: dict[str, Any]) -> dict[str, Any]:
    """A line of a recording as the API would have had it; its releases are the deliveries."""
    return rollout(
        "delays",
        record["release"],
        observedGeneration="4" if record["observed"] else "3",
        phase=record["phase"],
        message=record["message"] or "",
        abort=record["abort"],
        stableRS=record["stable"] or "",
        currentPodHash=record["current"],
        pauseConditions=[{"reason": reason, "startTime": "2026-11-24T12:00:00Z"} for reason in record["pause"]],
    )
