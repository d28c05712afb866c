"""Does the same commit get the same verdict? `python -m tests.zoo.flips [RUNS]` judges one candidate again and again.

Every check that reads no clock and asks no server is made RUNS times (1,000), in a fresh process for each fifty, and
compared bit for bit: verdict, reason, numbers, details. What was run is kept, so Ctrl-C and again goes on; what was found
is said in flips.txt and in README.md.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fledge.evidence import Check
from fledge.problems import reported
from tests.zoo import keeper, report, score
from tests.zoo.__main__ import HOUSE, key
from tests.zoo.keeper import Keeper
from tests.zoo.makers import making
from tests.zoo.making import champion
from tests.zoo.record import CONTROL
from tests.zoo.register import everything

CANDIDATE = "C3"  # weights of 5 bits: a good model, but not the champion, whose every difference is exactly 0
FRESH = 50  # runs of one process


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """1 if any check of any run differs from what most runs say."""
    parser = argparse.ArgumentParser(prog="tests.zoo.flips", description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=1000)
    runs = parser.parse_args(argv).runs
    house = HOUSE / f"flips-{key()}"
    house.mkdir(parents=True, exist_ok=True)
    kept, (mutant,) = house / "runs.jsonl", (one for one in everything() if one.id == CANDIDATE)
    if not (house / mutant.folder).is_dir():
        with making([mutant], house) as made:
            made[mutant.id].wait()
    there = kept.read_text().splitlines() if kept.is_file() else []
    with kept.open("a", buffering=1) as lines:
        for count, checks in enumerate(judged(house, house / mutant.folder, runs - len(there)), len(there) + 1):
            lines.write(json.dumps(digests(checks)) + "\n")
            print(f"\rzoo: {count} of {runs} runs", end="", flush=True)
    found = [json.loads(line) for line in kept.read_text().splitlines()]
    odd, checks = flips(found), max(len(run) for run in found)
    said = (
        f"{len(odd)} of {len(found):,} runs on the same candidate differ in any bit of what {checks} checks say "
        f"(95 % interval {score.interval(len(odd), len(found))}), in {-(-len(found) // FRESH)} processes."
    )
    report.FLIPS.write_text(said + "\n")
    report.main()
    print(f"\n{said}", *odd, sep="\n")
    return int(bool(odd))


def judged(house: Path, folder: Path, runs: int) -> Iterator[list[Check]]:
    """The checks of each run."""
    by = Keeper(house / "keeper.log")
    try:
        for count in range(runs):
            if count % FRESH == 0:
                by.close()
                by = Keeper(house / "keeper.log")
            yield by.judge(keeper.pair(folder, champion()), folder / "evidence.json", CONTROL)
    finally:
        by.close()


def digests(checks: Iterable[Check]) -> dict[str, str]:
    """For each check its verdict and a hash of all that it says, floats in full."""
    said = {
        f"{check.gate}.{check.name}": (check.verdict, json.dumps(asdict(check), sort_keys=True)) for check in checks
    }
    return {
        name: f"{verdict} {hashlib.sha256(text.encode()).hexdigest()[:16]}" for name, (verdict, text) in said.items()
    }


def flips(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each run that says something else than most: which checks, and how often the usual answer was given."""
    names = sorted({name for run in runs for name in run})
    usual = {name: Counter(run.get(name) for run in runs).most_common(1)[0][0] for name in names}
    odd = {number: [n for n in names if run.get(n) != usual[n]] for number, run in enumerate(runs, 1)}
    return [f"run {number}: {', '.join(different)}" for number, different in odd.items() if different]


if __name__ == "__main__":
    raise SystemExit(main())
