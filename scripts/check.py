"""Check that what git says can be served: every rule, all problems in one run.

On a branch that changes nothing but models, of those models; else of every one.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fledge import git, project
from fledge.branch.scope import touched
from fledge.problems import Problem, reported
from fledge.release import Files, everywhere, history
from fledge.rules import RULES, problems_beside, problems_of


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Raise every problem at once, or say what was checked."""
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what this branch does not touch, all of it anew")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    base = git.target(root, owner.branch)
    every = everywhere(owner)
    pairs = every if options.all else touched(root, owner, base)
    found = history.of_each(root, partial(_problems, root, base, options.all), pairs, "check")
    problems = [*problems_beside(root, base, anew=options.all), *(line for lines in found for line in lines)]
    if problems:
        raise Problem(*dict.fromkeys(problems))
    served = [(root / files.rendered).exists() for files in pairs]
    others = f" of what differs from {base}" if len(pairs) < len(every) else ""
    print(f"check: {sum(served)} rendered files{others}, {len(RULES)} rules, no problem")
    return 0


def _problems(root: Path, base: str, anew: bool, files: Files) -> list[str]:
    return list(problems_of(root, files, base, anew=anew))


if __name__ == "__main__":
    raise SystemExit(main())
