"""How long the gates take on this machine, beside the least that comparing two models takes: ratios, never a test."""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tabulate import tabulate

from fledge import project
from fledge.evidence import Evidence
from fledge.gates import process
from fledge.gates.process import GATES, ROOT, Pair
from fledge.gates.telling import told
from fledge.measuring import hardware
from fledge.problems import Problem, reported

SCORING = ("regression", "segments", "calibration", "fairness")  # the gates that do nothing but score
LONGEST_S = 120  # all gates on one candidate, on two cores
MOST_FLOORS = 2  # what only scores
FLOOR, SCORED, ALL = "floor", "scoring gates", "all gates"


class Taken(NamedTuple):
    """Seconds of a process from start to end, and of CPU for it and its own processes: the first feel the neighbours."""

    wall: float
    cpu: float


Times = Mapping[str, Sequence[Taken]]
Made = TypeVar("Made")


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. 0 whatever the times are: a busy machine is nobody's fault."""
    options = _options(argv)
    pair = Pair(Path("models") / options.model, options.candidate, options.champion)
    process.check(pair)
    (ROOT / ".fledge").mkdir(exist_ok=True)
    times: dict[str, list[Taken]] = {ALL: [], FLOOR: [], SCORED: []}
    with told(f"bench, {pair.candidate} beside {pair.champion}") as tell:
        taken, whole = timed(process.judge, pair, tell)
        times[ALL].append(taken)
    for turn in range(options.repeat):
        with tempfile.TemporaryDirectory(dir=ROOT / ".fledge", prefix="bench-") as scratch:
            # Taken in turns, each first as often as the other: what else the machine does befalls both.
            for name in (FLOOR, SCORED) if turn % 2 else (SCORED, FLOOR):
                asked = command(name, pair, Path(scratch) / "evidence.json")
                times[name].append(timed(run, asked)[0])
        print(
            f"  {turn + 1} of {options.repeat}: {floors(times, SCORED, 'wall')[-1]:.2f} floors",
            file=sys.stderr,
            flush=True,
        )
    print(report(times, whole))
    return 0


def command(name: str, pair: Pair, out: Path) -> list[str]:
    """The process that is timed: the floor, or pytest with the gates that only score, whose evidence goes to `out`."""
    if name == FLOOR:
        paths = [pair.model_dir, pair.candidate, pair.champion, *process.rows(pair)]
        return [sys.executable, "-m", "fledge.measuring.floor", *map(str, paths)]
    _, *others = process.arguments(pair, out)
    return [sys.executable, "-m", "pytest", *(str(GATES / f"test_{gate}.py") for gate in SCORING), *others]


def timed(act: Callable[..., Made], *given: Any) -> tuple[Taken, Made]:
    """What an act takes that waits for its processes, and what it returns."""
    begun, before = time.perf_counter(), _cpu()
    made = act(*given)
    return Taken(time.perf_counter() - begun, _cpu() - before), made


def run(command: Sequence[str]) -> None:
    """Run a process to its end. Raises Problem with its last line where it fails."""
    done = subprocess.run(command, env=process.environment(), capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise Problem(f"bench: {command[2]} ended with {done.returncode} and said {said!r}, expected a pass")


def report(times: Times, whole: Evidence) -> str:
    """Seconds and floors of what was timed, goals, and where the time of all gates went."""
    goals = {FLOOR: "", SCORED: f"at most {MOST_FLOORS} floors", ALL: f"at most {LONGEST_S} s"}
    rows = []
    for name, goal in goals.items():
        wall, cpu = zip(*times[name], strict=True)
        beside = [_range(floors(times, name, key)) for key in Taken._fields]
        rows.append([name, _range(wall), beside[0], _range(cpu), beside[1], goal])
    table = tabulate(
        rows, ("what", "seconds", "floors", "CPU seconds", "CPU floors", "goal"), "simple", disable_numparse=True
    )
    parts = sorted(whole.timings.items(), key=lambda part: -part[1])
    spent = ", ".join(f"{name} {taken:.1f}" for name, taken in parts)
    machine = hardware.describe()
    return (
        f"{table}\n\nall gates: {whole.verdict}, {len(whole.checks)} checks. Seconds by gate: {spent}\n"
        f"on {machine['cores']} cores of {machine['cpu']}"
    )


def floors(times: Times, name: str, key: str) -> list[float]:
    """What was taken over what the floor took in the same turn, or in the middle where there were fewer turns."""
    least, taken = ([getattr(one, key) for one in times[which]] for which in (FLOOR, name))
    beside = least if len(taken) == len(least) else [statistics.median(least)] * len(taken)
    return [one / other for one, other in zip(taken, beside, strict=True)]


def _range(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f} … {max(values):.2f})"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--model", help="a folder under models/; else the first of project.yaml")
    parser.add_argument("--candidate", type=Path, metavar="DIR", help="SavedModel; else models/<model>/saved_model")
    parser.add_argument("--champion", type=Path, metavar="DIR", help="SavedModel; else the candidate itself")
    parser.add_argument("--repeat", type=int, default=5, help="how often floor and scoring gates are timed")
    options = parser.parse_args(argv)
    options.model = options.model or project.load(Path.cwd()).models[0]
    options.candidate = options.candidate or Path("models") / options.model / "saved_model"
    options.champion = options.champion or options.candidate
    if options.repeat < 1:
        raise Problem(f"bench: found {options.repeat} repetitions, expected at least one (--repeat)")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
