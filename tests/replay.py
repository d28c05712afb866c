"""Hold the rollout machine to a recording of the real controller.

A recording has what was done, and what a watcher saw. The machine is given what was done; of what was seen it is told
only what no machine can know: how many pods became ready, how the judge's analysis ended, that a delay is over. It is
told when the watcher has seen it wait, never before. All else it must say itself.

**What a record is.** The watcher reads one object after the other, every 50 ms: the Rollout's status, the routes, each
Service, each ReplicaSet. So a record may show one object as it was a little earlier than another, and may miss what was
quickly overwritten; but no object goes back in time, neither within a record nor from one record to the next.

**The law**, for the statuses of the machine (all that `steps` yields) and the records, both in order:

1. whenever the machine waits, a record equals its status in every object;
2. every record is one that the machine passes through: each object has a value that the machine wrote after what the
   record before shows, and not after its next wait.

**Left out.** After an abort the canary Service may select the stable or the aborted release: the controller lets it flip.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from fledge.rollout import Analysed, Applied, Available, Clock, Event, Retried, Spec, Status, steps

Line = Mapping[str, Any]
State = dict[str, Any]
TRACES = Path(__file__).parent / "traces"
OUTCOMES = {"pass": "Successful", "fail": "Failed", "inconclusive": "Inconclusive", "judge stops": "Error"}
NOISE = (
    1.5  # seconds between a deadline and the record of what it did: the controller keeps whole seconds, rounded down
)


class Refused(Exception):
    """The recording and the machine disagree."""


def load(name: str) -> list[Line]:
    """The lines of a recording after its header."""
    return [json.loads(line) for line in (TRACES / f"{name}.jsonl").read_text().splitlines()[1:]]


def recorded(record: Line) -> State:
    """A record, object by object."""
    return {
        "rollout": {key: record[key] for key in ("phase", "abort", "step", "stable", "current")},
        "routes": (record["weights"]["stable"], record["weights"]["canary"]),
        "stable service": record["selectors"]["stable"],
        "canary service": record["selectors"]["canary"],
        **{f"pods of {release}": tuple(pods) for release, pods in record["replicas"].items()},
    }


def written(status: Status) -> State:
    """What the machine wrote, object by object; the hash of a pod template is its release here."""
    return {
        "rollout": {key: getattr(status, key) for key in ("phase", "abort", "step", "stable", "current")},
        "routes": status.weights,
        "stable service": status.selectors[0],
        "canary service": status.selectors[1],
        **{f"pods of {rs.hash}": (rs.desired, rs.available) for rs in status.replica_sets},
    }


def watched(state: State, record: Line) -> State:
    """The objects of which the law speaks: after an abort, not the canary Service."""
    return {name: value for name, value in state.items() if not (record["abort"] and name == "canary service")}


@dataclass
class Replay:
    """Every status so far, the positions of those in which it waits unrecorded, and how far the records have come."""

    passed: list[Status] = field(default_factory=lambda: [Status()])
    waits: deque[int] = field(default_factory=deque)
    position: int = 0
    spec: Spec | None = None
    judge: str = ""

    def take(self, event: Event) -> bool:
        """Let the machine go on until it waits, and say whether it did anything at all."""
        new = list(steps(self.spec, self.passed[-1], event))
        self.spec = event.spec if isinstance(event, Applied) else self.spec
        self.passed += new
        self.waits += [len(self.passed) - 1] if new else []
        return bool(new)

    def strike_off(self, record: Line) -> None:
        """Law 1: this record equals the next wait, and those after it while nothing that is watched changes."""
        want, first = watched(recorded(record), record), True
        while self.waits:
            way = self.passed[self.waits[0] if first else self.position : self.waits[0] + 1]
            if any(watched(written(status), record) != want for status in way):
                return
            self.position, first = self.waits.popleft(), False

    def pass_through(self, record: Line) -> None:
        """Law 2: each object of this record is found between the record before and the next wait. Raises Refused."""
        want = watched(recorded(record), record)
        end = self.waits[0] if self.waits else len(self.passed) - 1
        states = [watched(written(status), record) for status in self.passed[self.position : end + 1]]
        could = {name: [state.get(name) for state in states] for name in want}
        wrong = [
            f"{name} is {value}, the machine passes through {' → '.join(dict.fromkeys(map(str, could[name])))}"
            for name, value in want.items()
            if value not in could[name]
        ]
        if record["abort"] and record["selectors"]["canary"] not in (record["stable"], record["current"]):
            wrong.append(f"canary service is {record['selectors']['canary']}, neither stable nor aborted")
        if wrong and self.waits:
            wrong.append(f"its next wait has { ({k: v for k, v in states[-1].items() if v != want.get(k)}) }")
        if wrong:
            raise Refused(f"t={record['t']}: {'; '.join(wrong)}")
        self.position += max(could[name].index(value) for name, value in want.items())


def replay(lines: Iterable[Line], *, complete: bool = True) -> list[Status]:
    """Play a recording, or a part from its beginning, and return every status of the machine. Raises Refused."""
    machine, record = Replay(), State()
    for line in lines:
        if "do" in line:
            do(machine, line)
            continue
        record |= line
        machine.strike_off(record)
        while not machine.waits and any(machine.take(event) for event in islice(news(machine, record), 1)):
            machine.strike_off(record)
        machine.pass_through(record)
    if complete and machine.waits:
        raise Refused(f"never recorded: the machine waits with {written(machine.passed[machine.waits[0]])}")
    return machine.passed


def do(machine: Replay, line: Line) -> None:
    """Do to the machine what was done to the controller."""
    match line["do"]:
        case "apply":
            machine.take(Applied(line["spec"], line["release"], line["t"]))
        case "retry":
            machine.take(Retried(line["t"]))
        case what:
            machine.judge = OUTCOMES[line.get("value", what)]


def news(machine: Replay, record: Line) -> Iterator[Event]:
    """What the record shows of pods, judge and time that the machine, as it waits, does not know."""
    status, t = machine.passed[-1], record["t"]
    for rs in status.replica_sets:
        desired, available = record["replicas"].get(rs.hash, (None, 0))
        if desired == rs.desired and available != rs.available:
            yield Available(rs.hash, available, t)
    if status.analysis and record["analysis"].get(run(status)) == machine.judge != status.analysis.phase:
        yield Analysed(status.analysis.step, machine.judge, "", t)  # type: ignore[arg-type]
    yield from (Clock(due) for due in deadlines(machine, record) if abs(due - t) < NOISE)


def run(status: Status) -> str:
    """The recording's name for the AnalysisRun that the machine waits for."""
    rs, analysis = status.replica_set(status.current), status.analysis
    return f"{rs.hash}/rev{rs.revision}/step{analysis.step}" if rs and analysis else ""


def deadlines(machine: Replay, record: Line) -> Iterator[float]:
    """The machine's own deadlines of what the record shows to have happened."""
    status = machine.passed[-1]
    for rs in status.replica_sets:
        desired, _ = record["replicas"].get(rs.hash, (rs.desired, 0))
        if desired < rs.desired and rs.scale_down_at is not None:
            yield rs.scale_down_at
    if record["abort"] and not status.abort:
        yield status.since + (machine.spec or {})["progressDeadlineSeconds"]
