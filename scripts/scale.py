"""What one changed model costs in a repository of many, beside the same in a repository of one: ratios, never a test."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from tabulate import tabulate

from fledge import git, kustomize
from fledge.gates.process import ROOT
from fledge.measuring import hardware
from fledge.problems import Problem, reported
from scripts import fleet
from scripts.fleet import Fleet

VERBS = ("render", "affected", "check")  # in the order in which a person runs them
MOST = 2  # times a repository with one model
Times = Mapping[str, Sequence[float]]  # a verb's seconds, in each turn


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. 0 whatever the times are: a busy machine is nobody's fault."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--models", type=int, default=1000, help="how many the larger repository has")
    parser.add_argument("--repeat", type=int, default=5, help="how often each verb is timed")
    options = parser.parse_args(argv)
    if min(options.models, options.repeat) < 1:
        raise Problem(f"scale: found {min(options.models, options.repeat)}, expected at least one (--models, --repeat)")
    kustomize.command(ROOT)
    git.act_as_app()
    (ROOT / ".fledge").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".fledge", prefix="scale-") as scratch:
        small, large = (made(Path(scratch), count) for count in (1, options.models))
        print(report(options.models, *timed((small, large), options.repeat)), flush=True)
        print(whole(large))
    return 0


def made(scratch: Path, count: int) -> Fleet:
    """A fleet with one changed model, rendered and committed."""
    print(f"scale: making a repository of {count} models", file=sys.stderr, flush=True)
    one = fleet.build(scratch / str(count), count)
    fleet.propose(one, one.models[-1], "1.0.1")
    verb(one, "render")
    git.commit(one.root, "Render", ".")
    return one


def timed(both: Sequence[Fleet], repeat: int) -> tuple[Times, Times]:
    """Seconds of each verb in both, by turns, each first as often as the other: what else the machine does befalls both."""
    times: tuple[dict[str, list[float]], ...] = ({name: [] for name in VERBS}, {name: [] for name in VERBS})
    for turn in range(repeat):
        for name in VERBS:
            for which in (0, 1) if turn % 2 else (1, 0):
                times[which][name].append(verb(both[which], name))
        print(f"  {turn + 1} of {repeat}", file=sys.stderr, flush=True)
    return times[0], times[1]


def verb(one: Fleet, name: str, *options: str) -> float:
    """Seconds of a verb, as a person runs it. Raises Problem with its last line where it fails."""
    command = [sys.executable, "-m", f"scripts.{name}", *options]
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=one.root, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise Problem(f"scale: {name} ended with {done.returncode}, expected 0 (scripts/{name}.py)")
    return time.perf_counter() - begun


def report(models: int, small: Times, large: Times) -> str:
    """Median seconds of each verb and of all three in both repositories, and the ratio in the middle turn."""
    sums = [[sum(turn) for turn in zip(*times.values(), strict=True)] for times in (small, large)]
    rows = [(name, small[name], large[name]) for name in VERBS] + [("all three", *sums)]
    cells = [(name, median(a), median(b), median(y / x for x, y in zip(a, b, strict=True)), "") for name, a, b in rows]
    cells[-1] = (*cells[-1][:-1], f"at most {MOST}")
    names = ("one changed model", "1 model, s", f"{models} models, s", "ratio", "goal")
    return tabulate(cells, names, "simple", floatfmt=".2f")


def whole(one: Fleet) -> str:
    """Seconds of rendering a whole environment and of checking every pair, on all cores."""
    machine = hardware.describe()
    taken = {name: verb(one, name, "--all") for name in ("render", "check")}
    said = [f"make {name} ALL=1: {seconds:.1f} s" for name, seconds in taken.items()]
    return "\n".join([*said, f"on {machine['cores']} cores of {machine['cpu']}"])


if __name__ == "__main__":
    raise SystemExit(main())
