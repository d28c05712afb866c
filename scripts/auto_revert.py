"""Close the loop after an abort: deny the delivery, and give git back the last healthy bytes.

Both acts are idempotent by (environment, delivery). The auto-revert workflow calls this, and so does a rehearsal.
"""

import argparse
import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from fledge import atomic, git, history, project, release, render
from fledge.problems import Problem, reported
from fledge.release import Denial, Files
from scripts.check import problems_of
from scripts.rollback import restore

# Another merge may land between fetch and push: the acts are then made anew on what it left.
ROUNDS = 5
APP = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "fledge[bot]"), ("EMAIL", "fledge@users.noreply.example.com"))
}


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Commit and push the denial and, where the branch still holds that delivery, the revert."""
    parser = argparse.ArgumentParser(prog="auto_revert", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--delivery", required=True, help="the aborted delivery: 12 hex digits")
    parser.add_argument("--reason", required=True, help="why it was aborted; it goes into denied.yaml")
    options = parser.parse_args(argv)
    root = Path.cwd()
    git.require_clean(root)
    os.environ.update(APP)
    for _ in range(ROUNDS):
        said = attempt(root, options.env, options.model, options.delivery, options.reason)
        if said:
            print(said)
            return 0
    raise Problem(f"{options.env}/{options.model}: found {ROUNDS} refused pushes, expected one to land (git push)")


def attempt(root: Path, environment: str, model: str, delivery: str, reason: str) -> str | None:
    """Both acts on the newest target branch. What was done, or None when the push was overtaken."""
    git.git(root, "fetch", "--quiet", "--tags", "origin")
    owner = project.load(root)
    files = Files(owner.environment(environment).name, owner.model(model))
    base = git.target(root, owner.branch)
    git.git(root, "checkout", "--quiet", "--detach", base)
    written = [*deny(root, files, base, delivery, reason), *revert(root, files, base, delivery)]
    if not written:
        return f"{files.who}: {delivery} is denied and gone already, nothing to do"
    problems = list(problems_of(root, files, base))
    if problems:
        git.git(root, "restore", ".")
        raise Problem(*problems)
    git.commit(root, _message(files, delivery, reason, written), *written)
    try:
        git.git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{owner.branch}")
    except Problem:
        return None
    return f"{files.who}: {git.git(root, 'log', '-1', '--format=%h %s')}"


def deny(root: Path, files: Files, base: str, delivery: str, reason: str) -> list[Path]:
    """Act 1: write the delivery into denied.yaml, whatever the branch holds by now; the paths written.

    A delivery that was healthy is never denied: when its own pods stay away Argo Rollouts reports an abort too.
    """
    if delivery in {one.delivery for one in history.healthy(root, files)}:
        raise Problem(
            f"{files.who}: delivery {delivery} was healthy there, expected a canary (an incident: a person decides)"
        )
    denials = history.denied_at(root, files, base)
    if delivery in {denial.delivery for denial in denials}:
        return []
    came = {one: version for one, version, _ in history.deliveries(root, files, base)}
    if delivery not in came:
        raise Problem(f"{files.who}: delivery {delivery} never came there, expected one of {', '.join(came) or 'none'}")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    denial = Denial(delivery=delivery, version=came[delivery], cause=reason, time=now)
    atomic.write(root / files.denied, release.denied_to_text(files.model, [*denials, denial]))
    return [files.denied]


def revert(root: Path, files: Files, base: str, delivery: str) -> list[Path]:
    """Act 2: where the branch still holds the delivery, the last healthy bytes come back; the paths written."""
    held = git.show(root, base, files.rendered)
    if held is None or render.delivered(held)[0] != delivery:
        return []
    best = history.last_healthy(root, files, base)
    if best is None or best.delivery == delivery:
        return []  # Never healthy here before: a person decides (architecture: last healthy).
    return restore(root, files, best.commit)


def _message(files: Files, delivery: str, reason: str, written: list[Path]) -> str:
    act = "Revert" if files.rendered in written else "Deny"
    return f"{act} {files.who} {delivery}\n\n{reason}"


if __name__ == "__main__":
    raise SystemExit(main())
