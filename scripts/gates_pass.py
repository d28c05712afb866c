"""The one required check of a pull request: what the jobs before it found, and that nothing was skipped silently."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from fledge import evidence
from fledge.evidence import Evidence
from fledge.gates import required
from fledge.gates.required import Changed, Left
from fledge.problems import Problem, reported
from scripts.affected import CHANGES

LEFT = Path(".fledge/left")  # the evidence that the gates left; what this leaves for the comment goes there too
NAME = "left.json"
SUMMARY = 1_000_000  # characters; GitHub refuses a step summary above 1 MiB


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Read the other jobs' results (NEEDS) and their evidence, and say so in the step summary (GITHUB_STEP_SUMMARY).

    Raises Problem with a line for each fault.
    """
    argparse.ArgumentParser(prog="gates_pass", description=__doc__).parse_args(argv)
    jobs = required.jobs(os.environ.get("NEEDS", ""))
    LEFT.mkdir(parents=True, exist_ok=True)
    found, changed, damaged = read(LEFT)
    left = Left(changes=changed, faults=damaged + required.faults(jobs, changed, found))
    (LEFT / NAME).write_text(left.model_dump_json() + "\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as out:
            out.write(required.report(left, list(found.values()), SUMMARY))
    if left.faults:
        raise Problem(*left.faults)
    print(f"gates-pass: {', '.join(required.JOBS)} are as they must be")
    return 0


def read(folder: Path) -> tuple[dict[str, Evidence], list[Changed], list[str]]:
    """The evidence in a folder by the names of its files, the changes, and a line for each file that is neither."""
    found: dict[str, Evidence] = {}
    changed: list[Changed] = []
    damaged = [] if (folder / CHANGES.name).is_file() else [f"gates-pass: no {CHANGES.name}, expected it of affected"]
    for file in sorted(folder.glob("*.json")):
        try:
            if file.name == CHANGES.name:
                changed = required.changes(file.read_text())
            elif file.name != NAME:
                found[file.name] = evidence.from_json(file.read_text(), str(file))
        except Problem as problem:
            damaged += problem.lines
        except (OSError, UnicodeDecodeError) as error:
            damaged.append(f"evidence: damaged ({error}), expected what the gates wrote ({file})")
    return found, changed, damaged


if __name__ == "__main__":
    raise SystemExit(main())
