"""Make the mutants, let the gates judge them, print the score: `python -m tests.zoo [--full] [ID …]` (make zoo [FULL=1])."""

import argparse
import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from fledge import evidence
from fledge.gates import process
from fledge.gates.process import GATES, ROOT
from fledge.hashing import dvc_directory
from fledge.problems import Problem, reported
from tests.zoo import keeper, report, score
from tests.zoo.keeper import Keeper
from tests.zoo.makers import making
from tests.zoo.making import champion
from tests.zoo.record import MEASURED, Mutant
from tests.zoo.register import everything
from tests.zoo.score import Judged

HOUSE = Path(".fledge/zoo")
SOURCES = ("fledge", "tests/gates", "tests/zoo/families")
CORES = 2  # that a runner in CI has
EVIDENCE = "evidence.json"


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Judge every mutant; 1 if one is not refused as it says, a control is refused, or a gate is redundant."""
    parser = argparse.ArgumentParser(prog="tests.zoo", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the retrained ones too, and each against all gates")
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these")
    options = parser.parse_args(argv)
    start = time.monotonic()
    mutants = [
        one for one in everything() if (one.id in options.ids if options.ids else options.full or not one.retrained)
    ]
    found = full(mutants) if options.full else fast(mutants)
    names = [] if options.ids else [file.stem.removeprefix("test_") for file in GATES.glob("test_*.py")]
    faults = score.faults(found, names)
    print("", score.summary(found), "", *faults, f"{len(found)} judged in {time.monotonic() - start:.0f} s", sep="\n")
    if options.full and not options.ids:
        written(found)
    return int(bool(faults))


def fast(mutants: Sequence[Mutant]) -> list[Judged]:
    """Each against its named check and the cheap ones: on all cores as it is made, then one by one what is timed."""
    house = HOUSE / "fast"
    house.mkdir(parents=True, exist_ok=True)
    every = [Keeper(house / f"keeper-{number}.log") for number in range(CORES)]
    keepers: SimpleQueue[Keeper] = SimpleQueue()
    for one in every:
        keepers.put(one)
    timed = [one for one in mutants if one.gate in MEASURED]
    found: dict[str, Judged] = {}

    def judge(mutant: Mutant) -> None:
        made[mutant.id].wait()
        by, begin = keepers.get(), time.monotonic()
        try:
            found[mutant.id] = one = judged(mutant, by, house, mutant.check)
        finally:
            keepers.put(by)
        told(one, len(found), len(mutants), time.monotonic() - begin)

    try:
        with making(mutants, house) as made, ThreadPoolExecutor(CORES) as pool:
            list(pool.map(judge, [one for one in mutants if one not in timed]))
            for mutant in timed:
                judge(mutant)
    finally:
        for one in every:
            one.close()
    return [found[mutant.id] for mutant in mutants]


def full(mutants: Sequence[Mutant]) -> list[Judged]:
    """Each against all gates, one by one, for many of them are timed. What is there from an earlier run is not judged again."""
    house = HOUSE / f"full-{key()}"
    house.mkdir(parents=True, exist_ok=True)
    pending = [one for one in mutants if not (house / one.folder / EVIDENCE).is_file()]
    found, by = [], Keeper(house / "keeper.log")
    print(f"zoo: {len(mutants) - len(pending)} are judged already, {len(pending)} are to be ({house})", flush=True)
    try:
        with making(pending, house) as made:
            for event in made.values():
                event.wait()
            for count, mutant in enumerate(mutants, 1):
                begin = time.monotonic()
                found.append(judged(mutant, by, house, None))
                told(found[-1], count, len(mutants), time.monotonic() - begin)
    finally:
        by.close()
    return found


def judged(mutant: Mutant, by: Keeper, house: Path, named: str | None) -> Judged:
    """What refuses it: the gates, or what else of Fledge."""
    folder = house / mutant.folder
    if mutant.refusal:
        return Judged(mutant, mutant.refusal(champion().candidate, folder))
    if not folder.is_dir():
        raise Problem(f"zoo: {mutant.id} {mutant.name} was not made, expected it in {folder} ({house}/making.log)")
    kept = folder / EVIDENCE
    if kept.is_file() and named is None:
        return score.judged(mutant, evidence.from_json(kept.read_text(), str(kept)).checks)
    return score.judged(mutant, by.judge(keeper.pair(folder, champion()), kept, named))


def told(one: Judged, count: int, total: int, seconds: float) -> None:
    """A line for a person who waits."""
    others = ", ".join(sorted(one.gates - {one.mutant.gate}))
    by = ", ".join(one.refusals)
    said = {
        "named": f"refused by {one.mutant.check}" + (f", also by {others}" if others else ""),
        "other": f"NOT refused by {one.mutant.check} as it says, but by {by}",
        "untold": f"not told by {one.mutant.check} on a machine as busy as this" + (f", refused by {by}" if by else ""),
        "missed": f"MISSED, expected {one.mutant.check}",
        "passed": "passes, as it must",
        "refused": f"REFUSED by {by}, though it is a control",
    }[one.fate]
    print(f"[{count:3}/{total}] {one.mutant.id} {one.mutant.name}: {said} ({seconds:.1f} s)", flush=True)


def key() -> str:
    """12 hex digits for all that a verdict follows from: the champion, its rows, the gates, the zoo."""
    pair = champion()
    sources = (file for name in SOURCES for file in sorted((ROOT / name).rglob("*.*")) if file.suffix != ".pyc")
    parts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sources if file.is_file()]
    parts += [dvc_directory(pair.candidate)[0], *(file.read_text() for file in sorted(pair.model_dir.glob("*.*")))]
    parts += [hashlib.sha256(file.read_bytes()).hexdigest() for file in process.rows(pair)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def written(found: Sequence[Judged]) -> None:
    """Keep what was found beside the code, and the page about it."""
    machine = f"Measured on {os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}."
    report.MATRIX.write_text(json.dumps(report.matrix(found, machine), indent=1, ensure_ascii=False) + "\n")
    report.main()


if __name__ == "__main__":
    raise SystemExit(main())
