"""Restore a healthy delivery of one (environment, model), byte for byte, as one commit."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import asked, commits, git, project
from fledge.problems import Problem, reported
from fledge.release import Files, history, render
from fledge.release.history import Delivery


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Commit what the healthy tag holds."""
    parser = argparse.ArgumentParser(prog="make rollback", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    parser.add_argument("--env", required=True, help="an environment of project.yaml")
    parser.add_argument("--to", help="a version; without it what served before, each time one step further back")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    typed = f"make rollback MODEL={owner.models[0]} ENV={owner.environments[-1].name}"
    [files] = asked.pairs(owner, [options.model], options.env, typed)
    git.require_history(root, "rollback")
    commits.require_ready(root)
    base = git.target(root, owner.branch)
    wanted = chosen(root, files, base, options.to)
    commits.require_based(root, base, files)
    contents = render.held(root, files, wanted.commit)
    if commits.holds(root, contents):
        found = f"this branch holds {wanted.version} ({wanted.delivery}) already"
        raise Problem(f"{files.who}: {found}, expected it merged before the next step back (git log -1)")
    commits.commit(root, f"Roll {files.who} back to {wanted.version}", contents)
    print(f"{files.who}: {wanted.version}, delivery {wanted.delivery}")
    return 0


def chosen(root: Path, files: Files, base: str, version: str | None) -> Delivery:
    """The delivery to restore, by what the target branch `base` holds. Raises Problem, naming what would do, for none."""
    now, came = history.held(root, files, base), history.deliveries(root, files, base)
    restorable = history.restorable(root, files, base)
    others = [one for one in history.served(came, restorable) if now is None or one.delivery != now.delivery]
    found = [one for one in others if one.version == version] if version else history.steps(now, came, restorable)
    if found:
        return found[0]
    why = refusal(root, files, base, version) if version else ending(root, files, base, now)
    would_do = ", ".join(f"{one.version} ({one.delivery})" for one in others) or "none: nothing else was healthy"
    raise Problem(f"{files.who}: {why}, expected {'' if version else 'TO='}one of: {would_do} (make status)")


def ending(root: Path, files: Files, base: str, now: Delivery | None) -> str:
    """Why there is no step back."""
    if now is None:
        return "nothing is delivered there"
    if now.delivery in {one.delivery for one in history.healthy(root, files, base)}:
        return f"{now.version} ({now.delivery}) is the oldest healthy delivery"
    return f"nothing was healthy before {now.version} ({now.delivery})"


def refusal(root: Path, files: Files, base: str, version: str) -> str:
    """Why that version does not return."""
    for denial in reversed(history.denied_at(root, files, base)):
        if denial.version == version:
            return f"delivery {denial.delivery} ({version}) {denial.said}"
    came = history.deliveries(root, files, base)
    if came and came[0].version == version:
        return f"{version} ({came[0].delivery}) is what it holds"
    if version in {one.version for one in came}:
        return f"{version} left without becoming healthy"
    return f"no healthy delivery {version} found"


if __name__ == "__main__":
    raise SystemExit(main())
