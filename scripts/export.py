"""Print what of requirements.lock the image needs: `python -m scripts.export image [replay]`. Standard library alone."""

import argparse
import sys
from collections.abc import Sequence

from scripts.setup import ROOT, part

PROJECT = "fledge (pyproject.toml)"


def main(argv: Sequence[str] | None = None) -> int:
    """Pins and hashes of [project.dependencies] and of the named groups, for `pip install --require-hashes`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.export", description=__doc__)
    parser.add_argument("groups", nargs="+", help="of pyproject.toml: dependency-groups")
    options = parser.parse_args(argv)
    groups = [f"fledge (pyproject.toml:{group})" for group in options.groups]
    lock = (ROOT / "requirements.lock").read_text()
    if absent := [group for group in groups if group not in lock]:
        print(
            f"export: no {', '.join(absent)} found, expected its packages (requirements.lock; make lock)",
            file=sys.stderr,
        )
        return 1
    print(part(lock, PROJECT, *groups), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
