"""Ask what serves random questions within its contract, other ones each time: the gates ask the same ones always."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fledge import project
from fledge.branch.affected import Change
from fledge.gates import process
from fledge.gates.pairs import pairs
from fledge.gates.telling import told
from fledge.problems import Problem, reported
from fledge.release import Files, Release, everywhere, history

EXAMPLES = 5000  # see a fault of 0.06 % of such rows with 95 %: 1 - 0.05 ** (1 / 5000)


class Served(NamedTuple):
    files: Files
    release: Release


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Ask each model that is healthy somewhere; 1 if one answers as it must not. All problems come in one run."""
    argparse.ArgumentParser(prog="explore", description=__doc__).parse_args(argv)
    root, problems = Path.cwd(), list[str]()
    everything = served(root)
    if not everything:
        print("explore: nothing is healthy yet, nothing to ask")
    for one in everything:
        try:
            problems += explored(root, one)
        except Problem as problem:
            problems += problem.lines
    if problems:
        raise Problem(*problems)
    return 0


def served(root: Path) -> list[Served]:
    """What git says is healthy, in the order of project.yaml; an artifact that serves twice is asked once."""
    where = everywhere(project.load(root))
    found = zip(where, history.of_each(root, partial(_champion, root), where, "explore"), strict=True)
    once = {(files.model, one.artifact.md5): Served(files, one) for files, one in reversed(list(found)) if one}
    return list(once.values())[::-1]


def _champion(root: Path, files: Files) -> Release | None:
    return history.champion(root, files, "HEAD")


def explored(root: Path, one: Served) -> list[str]:
    """Ask, and say so where all is well; else the fault in a line. Raises Problem for what is nowhere, as the gates do."""
    [pair, *_] = pairs(root, "HEAD", Change(one.files, "candidate", one.release, None))
    who = f"{one.files.who}: {one.release.version}"
    with told(f"{EXAMPLES} random rows to {one.files.who}") as tell:
        found = process.explored(pair, EXAMPLES, tell)
    if found.blocks:
        return [f"{who}: {found.reason}, expected an answer as promised ({found.remedy})"]
    print(f"{who}: {found.line}", flush=True)
    return []


if __name__ == "__main__":
    raise SystemExit(main())
