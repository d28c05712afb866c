"""Check that what git says can be served: every rule, every file, all problems in one run."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import git, project
from fledge.problems import Problem, reported
from fledge.release import Files
from fledge.rules import RULES, problems_of


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Raise every problem at once, or say what was checked."""
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("--base", help="the target branch (default: project.yaml: branch)")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    base = options.base or git.target(root, owner.branch)
    pairs = [Files(environment.name, model) for environment in owner.environments for model in owner.models]
    problems = [line for files in pairs for line in problems_of(root, files, base)]
    if problems:
        raise Problem(*problems)
    served = sum((root / files.rendered).exists() for files in pairs)
    print(f"check: {served} rendered files, {len(RULES) + 1} rules, no problem")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
