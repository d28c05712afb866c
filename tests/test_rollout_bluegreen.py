"""The machine's blue-green, held to the one recording of it.

There the judge passed at once, between two looks of the watcher, so what the machine waits for is not always recorded and
`replay.py`'s law cannot hold. The law here is weaker: object by object, what was recorded is what the machine wrote, in
that order, and what it wrote last was recorded last.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from fledge.problems import Problem
from fledge.rollout import (
    Action,
    Analysed,
    Applied,
    Available,
    Clock,
    Event,
    Notify,
    StartAnalysis,
    Status,
    StopAnalysis,
    steps,
    transition,
)
from tests.replay import Line, load, recorded, written

NAME = "bluegreen-good-then-revert"
SPEC = next(line["spec"] for line in load(NAME) if "spec" in line)


def events(lines: list[Line]) -> Iterator[Event]:
    """What was done, and of what was seen what no machine can know: pods that became ready, analyses that passed."""
    record: dict[str, Any] = {"replicas": {}, "analysis": {}}
    for line in lines:
        if line.get("do") == "apply":
            yield Applied(line["spec"], line["release"], line["t"])
        if "do" in line:
            continue
        for release, (_, ready) in line.get("replicas", {}).items():
            if record["replicas"].get(release, [0, 0])[1] != ready:
                yield Available(release, ready, line["t"])
        for name in sorted(
            line.get("analysis", {}).keys() - record["analysis"].keys(), reverse=True
        ):  # Pre before Post
            yield Analysed(name.rpartition("/")[2], "Successful", "", line["t"])  # type: ignore[arg-type]
        record |= line


def played(lines: list[Line]) -> list[Status]:
    """Every status of the machine; how an analysis ended is told as soon as it runs."""
    spec, passed, ended = None, [Status()], dict[Any, Analysed]()
    for event in events(lines):
        if isinstance(event, Analysed):
            ended[event.step] = event
        else:
            passed += steps(spec, passed[-1], event)
        spec = event.spec if isinstance(event, Applied) else spec
        while (run := passed[-1].analysis) and run.phase == "Running" and run.step in ended:
            passed += steps(spec, passed[-1], ended.pop(run.step))
    return passed


def column(states: list[dict[str, Any]], name: str) -> list[Any]:
    """The values that an object went through."""
    return [value for value, _ in groupby(state[name] for state in states if name in state)]


def refused(lines: list[Line]) -> list[str]:
    """The objects of which the recording says what the machine does not write in that order."""
    whole: list[dict[str, Any]] = []
    for line in lines:
        if "do" not in line:
            whole.append((whole[-1] if whole else {}) | line)
    seen, made = [recorded(record) for record in whole], [written(status) for status in played(lines)]
    names = seen[-1].keys()
    return [name for name in names if not follows(column(made, name), column(seen, name))]


def follows(made: list[Any], seen: list[Any]) -> bool:
    """Whether `seen` is `made` with some of it missed, the last not among them."""
    rest = iter(made)
    return all(value in rest for value in seen) and made[-1] == seen[-1]


def test_the_recording_is_replayed() -> None:
    """A good release is previewed, judged, switched to and judged again; its revert is active at once, with no analysis."""
    assert refused(load(NAME)) == []


@pytest.mark.parametrize(
    ("field", "wrong", "name"),
    [
        ("phase", "Degraded", "rollout"),
        ("stable", "v9", "rollout"),
        ("selectors", {"stable": "v9", "canary": "v1"}, "stable service"),
        ("selectors", {"stable": "v1", "canary": "v9"}, "canary service"),
        ("replicas", {"v1": [7, 0]}, "pods of v1"),
    ],
)
def test_a_doctored_record_is_refused(field: str, wrong: Any, name: str) -> None:
    """Wherever the recording says something that the machine never writes, that object is named."""
    lines = load(NAME)
    for at, line in enumerate(lines):
        if field in line:
            assert name in refused([*lines[:at], {**line, field: wrong}, *lines[at + 1 :]])


def test_records_in_another_order_are_refused() -> None:
    """A preview that is stable before it was current, or the other way round, is not the machine's."""
    lines = load(NAME)
    a, b = (next(i for i, line in enumerate(lines) if line.get(name) == "v2") for name in ("current", "stable"))
    lines[a], lines[b] = lines[b], lines[a]
    assert "rollout" in refused(lines)


class Preview:
    """A Rollout with v1 active and stable, and v2 as its preview, all pods ready."""

    def __init__(self, **blue_green: Any) -> None:
        strategy = {"blueGreen": {**SPEC["strategy"]["blueGreen"], **blue_green}}
        self.spec, self.at, self.done = {**SPEC, "strategy": strategy}, 0.0, list[Action]()
        self.now, _ = transition(None, None, Applied(self.spec, "v1", 0.0))
        self.tell(Available("v1", 3, 1.0), Applied(self.spec, "v2", 2.0), Available("v2", 3, 3.0))

    def tell(self, *events: Event) -> "Preview":
        for event in events:
            self.at = event.at
            self.now, done = transition(self.spec, self.now, event)
            self.done += done
        return self


def test_users_wait_for_the_judge() -> None:
    """While the preview is judged, the active Service is stable's; it is asked about the two by their hashes."""
    preview = Preview()
    assert preview.now.selectors == ("v1", "v2")
    assert preview.done[-1] == StartAnalysis(
        "PrePromotion", ("canary-judge",), {"stable-hash": "v1", "canary-hash": "v2"}
    )


def test_a_bad_preview_never_serves() -> None:
    """When the analysis fails, no user has seen the release; its pods go after `abortScaleDownDelaySeconds`."""
    preview = Preview().tell(Analysed("PrePromotion", "Failed", "why", 4.0))
    assert (preview.now.abort, preview.now.phase, preview.now.selectors[0]) == (True, "Degraded", "v1")
    assert preview.now.message == "RolloutAborted: Rollout aborted update to revision 2: why"
    assert Notify("on-rollout-aborted", "v2") in preview.done
    assert preview.tell(Clock(10.0)).now.replica_set("v2").desired == 0  # type: ignore[union-attr]
    assert preview.tell(Applied(preview.spec, "v1", 11.0)).now.phase == "Healthy"


def test_a_release_on_fire_is_switched_back() -> None:
    """When the analysis after the switch fails, the active Service is stable's again, whose pods never went."""
    preview = Preview().tell(Analysed("PrePromotion", "Successful", "", 4.0))
    assert (preview.now.selectors[0], preview.now.stable) == ("v2", "v1")
    preview.tell(Analysed("PostPromotion", "Failed", "fire", 5.0))
    assert (preview.now.abort, preview.now.selectors[0]) == (True, "v1")
    assert preview.now.replica_set("v1").available == 3  # type: ignore[union-attr]


def test_an_inconclusive_preview_waits() -> None:
    """An analysis that says nothing leaves users where they are, for ever; a new release ends the pause."""
    preview = Preview().tell(Analysed("PrePromotion", "Inconclusive", "", 4.0), Clock(10_000.0))
    assert (preview.now.phase, preview.now.message) == ("Paused", "InconclusiveAnalysisRun")
    assert preview.now.selectors[0] == "v1"
    assert preview.tell(Applied(preview.spec, "v3", 10_001.0)).now.phase == "Progressing"


def test_a_superseded_preview_is_judged_no_more() -> None:
    """Another release in the middle of a preview ends its analysis and begins its own when its pods are ready."""
    preview = Preview().tell(Applied(Preview().spec, "v3", 4.0))
    assert StopAnalysis("PrePromotion") in preview.done
    assert preview.now.analysis is None
    preview.tell(Available("v3", 3, 5.0))
    assert isinstance(preview.done[-1], StartAnalysis)
    assert preview.now.selectors == ("v1", "v3")


@pytest.mark.parametrize("field", [{"previewReplicaCount": 1}, {"autoPromotionEnabled": False}])
def test_what_is_not_played_is_refused(field: dict[str, Any]) -> None:
    """A field that the machine would have to ignore is refused by its name."""
    with pytest.raises(Problem, match=f"^rollout: {next(iter(field))}.*, expected none .*spec.strategy.blueGreen"):
        Preview(**field)
