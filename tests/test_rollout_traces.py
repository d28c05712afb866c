"""The rollout machine does what the real Argo Rollouts was recorded to do; `replay.py` defines what that means."""

from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.rollout import Status
from tests.replay import TRACES, Line, Refused, load, recorded, replay, watched

# Blue-green is held to its own law (test_rollout_bluegreen.py).
NAMES = sorted(path.stem for path in TRACES.glob("*.jsonl") if not path.stem.startswith("bluegreen-"))
OBJECTS: Mapping[str, tuple[str, Any]] = {
    "phase": ("rollout", "Unknown"),
    "abort": ("rollout", None),
    "step": ("rollout", 99),
    "stable": ("rollout", "v9"),
    "current": ("rollout", "v9"),
    "weights": ("routes", {"stable": 90, "canary": 10}),
    "selectors": ("stable service", {"stable": "v9", "canary": None}),
    "replicas": ("pods of v1", {"v1": [7, 0]}),
}


@pytest.mark.parametrize("name", NAMES)
def test_recordings_are_replayed(name: str) -> None:
    """Whenever the machine waits a record equals it, and every record is one that the machine passes through."""
    assert len(replay(load(name))) > 10


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_prefixes_are_replayed(data: st.DataObject) -> None:
    """What the machine does up to any line depends on nothing that was recorded after it."""
    lines = load(data.draw(st.sampled_from(NAMES)))
    end = data.draw(st.integers(1, len(lines)))
    prefix = replay(lines[:end], complete=False)
    assert replay(lines)[: len(prefix)] == prefix


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_names_and_weights_do_not_matter(data: st.DataObject) -> None:
    """With other release names and other weights up to 66, the recording and the machine are renamed alike."""
    lines = load(data.draw(st.sampled_from(NAMES)))
    releases = st.text(alphabet="abcdef0123456789", min_size=1)
    names = dict(
        zip(("v1", "v2", "v3"), data.draw(st.lists(releases, min_size=3, max_size=3, unique=True)), strict=True)
    )
    weights = dict(zip((5, 25), data.draw(st.tuples(st.integers(1, 66), st.integers(1, 66))), strict=True))
    result = [renamed_status(status, names, weights) for status in replay(lines)]
    # Two equal weights make two statuses one.
    assert replay(renamed(lines, names, weights)) == [status for status, _ in groupby(result)]


def renamed(value: Any, names: Mapping[str, str], weights: Mapping[int, int], key: str = "") -> Any:
    """A recording, or a part of it under `key`, with other release names and weights."""
    if isinstance(value, list):
        return [renamed(item, names, weights, key) for item in value]
    if isinstance(value, dict):
        return {run_renamed(k, names): renamed(v, names, weights, k) for k, v in value.items()}
    if key == "setWeight":
        return weights[value]
    if key in ("stable", "canary") and isinstance(value, int):
        return value if value in (0, 100) else weight_renamed(value, weights)
    return names.get(value, value) if isinstance(value, str) else value


def run_renamed(key: str, names: Mapping[str, str]) -> str:
    """The key of a release, or of one of its AnalysisRuns."""
    release, slash, rest = key.partition("/")
    return names.get(release, release) + slash + rest


def weight_renamed(weight: int, weights: Mapping[int, int]) -> int:
    """The weight of the canary, or of stable, in the renamed recording."""
    return weights[weight] if weight in weights else 100 - weights[100 - weight]


def renamed_status(status: Status, names: Mapping[str, str], weights: Mapping[int, int]) -> Status:
    """The status of the machine in the renamed recording."""
    fields: dict[str, Any] = vars(status) | {
        "stable": names.get(status.stable or "", status.stable),
        "current": names.get(status.current or "", status.current),
        "message": status.message and status.message.replace(f'"{status.current}"', f'"{names[status.current or ""]}"'),
        "weights": tuple(w if w in (0, 100) else weight_renamed(w, weights) for w in status.weights),
        "selectors": tuple(names.get(s or "", s) for s in status.selectors),
        "replica_sets": tuple(type(rs)(**vars(rs) | {"hash": names[rs.hash]}) for rs in status.replica_sets),
    }
    return Status(**fields)


@pytest.mark.parametrize("field", OBJECTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_doctored_record_is_refused(name: str, field: str) -> None:
    """Wherever a recording says something that the machine never writes, it is refused there and the object is named."""
    lines, (object, wrong) = load(name), OBJECTS[field]
    for at, line in enumerate(lines):
        if field in line:
            with pytest.raises(Refused, match=f"^t={line['t']}: .*{object} is .*, the machine passes through"):
                replay([*lines[:at], {**line, field: wrong}, *lines[at + 1 :]])


@pytest.mark.parametrize("name", NAMES)
def test_records_in_another_order_are_refused(name: str) -> None:
    """Two records cannot change places, unless they differ in ready pods alone, which come and go."""
    lines = whole(load(name))
    for at, (a, b) in enumerate(pairwise(lines)):
        if "do" not in a and "do" not in b and without_ready_pods(a) != without_ready_pods(b):
            with pytest.raises(Refused, match=r"the machine (passes through|waits)"):
                replay([*lines[:at], {**b, "t": a["t"]}, {**a, "t": b["t"]}, *lines[at + 2 :]])


def whole(lines: list[Line]) -> list[Line]:
    """The recording with every field in every record, changed or not."""
    record: dict[str, Any] = {}
    return [line if "do" in line else dict(record := record | line) for line in lines]


def without_ready_pods(record: Line) -> dict[str, Any]:
    """What the law watches in a record, but for the pods that are ready."""
    state = watched(recorded(record), record)
    return {name: value[0] if name.startswith("pods") else value for name, value in state.items()}


def test_a_wait_that_was_not_recorded_is_refused() -> None:
    """A recording in which two new pods are ready without ever having been waited for is not the machine's."""
    lines = load("weight-before-match-traffic")
    at = next(i for i, line in enumerate(lines) if line.get("replicas") == {"v1": [3, 3], "v2": [2, 0]})
    with pytest.raises(Refused, match=r"pods of v2 is \(2, 2\), the machine passes through .*\(2, 0\)"):
        replay([*lines[:at], {**lines[at], **lines[at + 1]}, *lines[at + 2 :]])


def test_a_recording_that_stops_before_the_machine_does_is_refused() -> None:
    """A recording must go on until the machine has come to rest."""
    with pytest.raises(Refused, match=r"never recorded: the machine waits with .*'phase': 'Healthy'"):
        replay(load("good-release")[:-1])


SPECS = {  # a trace, what another controller would have been told, and the object that shows it
    "steps": ("good-release", {"steps": []}, "rollout"),
    "minPodsPerReplicaSet": ("good-release", {"minPodsPerReplicaSet": 3}, "pods of v2"),
    "abortScaleDownDelaySeconds": ("bad-release-then-revert", {"abortScaleDownDelaySeconds": 9}, "pods of v3"),
    "scaleDownDelayRevisionLimit": (
        "two-reverts-right-after-abort-limit-2",
        {"scaleDownDelayRevisionLimit": 1},
        "pods of v1",
    ),
    "scaleDownDelaySeconds": ("revert-after-promotion", {"scaleDownDelaySeconds": 0}, "pods of v1"),
}


@pytest.mark.parametrize("name", SPECS)
def test_another_plan_is_refused(name: str) -> None:
    """A machine that is told another plan than the controller was does not pass for it."""
    trace, canary, object = SPECS[name]
    with pytest.raises(Refused, match=object):
        replay(replanned(load(trace), strategy={"canary": canary}))


def test_a_revert_without_rollback_window_is_refused() -> None:
    """The recorded fast-track of a revert is due to the rollback window."""
    with pytest.raises(Refused, match=r"rollout is .*'step': 7.* passes through .*'step': 0"):
        replay(replanned(load("revert-after-promotion"), rollbackWindow={"revisions": 0}))


def replanned(lines: list[Line], **changes: Any) -> list[Line]:
    """The recording with other fields in every applied spec."""
    return [{**line, "spec": merged(line["spec"], changes)} if "spec" in line else line for line in lines]


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with the leaves of `new`."""
    return {**old, **{k: merged(old.get(k, {}), v) if isinstance(v, dict) else v for k, v in new.items()}}
