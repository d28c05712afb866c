"""What git says: per environment and model what serves, since when, and what it may be rolled back to."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import git, history, project, render
from fledge.problems import reported
from fledge.release import Files


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """One block for each (environment, model) of the target branch."""
    argparse.ArgumentParser(prog="make status", description=__doc__).parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    base = git.target(root, owner.branch)
    for environment in owner.environments:
        for model in owner.models:
            print("\n".join(said(root, Files(environment.name, model), base)))
    return 0


def said(root: Path, files: Files, base: str) -> list[str]:
    """The lines of one (environment, model) as `base` has it."""
    rendered, wanted = git.show(root, base, files.rendered), history.release_at(root, files, base)
    if rendered is None or wanted is None:
        return [f"{files.who}: nothing yet"]
    delivery, version = render.delivered(rendered)
    brought = history.brought_by(root, files, base, delivery)
    since = git.git(root, "log", "-1", "--format=%h, %ci", brought.commit) if brought else "unknown"
    known = history.healthy(root, files, base)
    state = "healthy" if delivery in {one.delivery for one in known} else "not healthy yet"
    back = dict.fromkeys(
        f"{one.version} ({one.delivery})" for one in history.restorable(root, files, base) if one.delivery != delivery
    )
    denied = [f"{one.version} ({one.delivery}: {one.cause})" for one in history.denied_at(root, files, base)]
    return [
        f"{files.who}: {version} ({delivery}), {state}, since {since}",
        f"  artifact {wanted.artifact.md5}, parent {wanted.parent or 'none'}, trained at {wanted.training.commit[:10]}",
        f"  roll back to: {', '.join(back) or 'nothing'}",
        *[f"  denied: {one}" for one in denied],
    ]


if __name__ == "__main__":
    raise SystemExit(main())
