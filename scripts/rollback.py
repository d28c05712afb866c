"""Restore a healthy delivery of one (environment, model), byte for byte, as one commit."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import git, history, project, render
from fledge.history import Delivery
from fledge.problems import Problem, reported
from fledge.release import Files


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Commit what the healthy tag holds."""
    parser = argparse.ArgumentParser(prog="make rollback", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    parser.add_argument("--env", required=True, help="an environment of project.yaml")
    parser.add_argument("--to", help="a version; without it the last healthy one before the current")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    files = Files(owner.environment(options.env).name, owner.model(options.model))
    git.require_clean(root)
    wanted = chosen(root, files, git.target(root, owner.branch), options.to)
    git.commit(root, f"Roll {files.who} back to {wanted.version}", *render.restore(root, files, wanted.commit))
    print(f"{files.who}: {wanted.version}, delivery {wanted.delivery}")
    return 0


def chosen(root: Path, files: Files, base: str, version: str | None) -> Delivery:
    """The delivery to restore. Raises Problem, naming what would do, where there is none."""
    candidates = _others(root, files, base)
    for one in candidates:
        if version in (None, one.version):
            return one
    would_do = ", ".join(f"{one.version} ({one.delivery})" for one in candidates) or "none: nothing else was healthy"
    raise Problem(f"{files.who}: no healthy delivery {version or ''} found, expected one of: {would_do} (make status)")


def _others(root: Path, files: Files, base: str) -> list[Delivery]:
    """Delivery, not denied deliveries other than the current one, most recently served first."""
    now = git.show(root, base, files.rendered)
    current = render.delivered(now)[0] if now else None
    known = {one.delivery: one for one in history.restorable(root, files, base)}
    served = dict.fromkeys(one.delivery for one in history.deliveries(root, files, base))
    return [known[delivery] for delivery in served if delivery in known and delivery != current]


if __name__ == "__main__":
    raise SystemExit(main())
