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
from fledge.rules import problems_of

# Another merge may land between fetch and push: the acts are then made anew on what it left.
ROUNDS = 5


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
    os.environ.update(git.APP)
    owner = project.load(root)
    files = Files(owner.environment(options.env).name, owner.model(options.model))
    for _ in range(ROUNDS):
        said = attempt(root, files, owner.branch, options.delivery, options.reason)
        if said is not None:
            print("\n".join(said) or f"{files.who}: {options.delivery} is denied and gone already, nothing to do")
            return 0
    raise Problem(f"{files.who}: found {ROUNDS} pushes overtaken, expected one to land (git push)")


def attempt(root: Path, files: Files, branch: str, delivery: str, reason: str) -> list[str] | None:
    """Both acts on the newest target branch. What was done, or None when another push came first.

    Act 2 is checked like any other change. Should a rule refuse it, the denial lands all the same.
    """
    git.git(root, "fetch", "--quiet", "--tags", "origin")
    base = git.git(root, "rev-parse", git.target(root, branch))
    git.git(root, "checkout", "--quiet", "--detach", base)
    done, refused = [], []
    if written := deny(root, files, base, delivery, reason):
        git.commit(root, f"Deny {files.who} {delivery}\n\n{reason}", *written)
        done.append(f"{files.who}: {git.git(root, 'log', '-1', '--format=%h %s')}")
    if written := revert(root, files, base, delivery):
        refused = list(problems_of(root, files, base))
        if refused:
            git.git(root, "restore", *map(str, written))
        else:
            version = render.delivered((root / files.rendered).read_text())[1]
            git.commit(root, f"Revert {files.who} to {version}\n\nof {delivery}: {reason}", *written)
            done.append(f"{files.who}: {git.git(root, 'log', '-1', '--format=%h %s')}")
    if done and not _pushed(root, base, branch):
        return None
    if refused:
        raise Problem(*refused)
    return done


def deny(root: Path, files: Files, base: str, delivery: str, reason: str) -> list[Path]:
    """Act 1: write the delivery into denied.yaml, whatever the branch holds by now; the paths written.

    A delivery that was healthy is never denied: when its own pods stay away Argo Rollouts reports an abort too.
    """
    if delivery in {one.delivery for one in history.healthy(root, files, base)}:
        raise Problem(
            f"{files.who}: delivery {delivery} was healthy there, expected a canary (an incident: a person decides)"
        )
    denials = history.denied_at(root, files, base)
    if delivery in {denial.delivery for denial in denials}:
        return []
    came = {one.delivery: one.version for one in history.deliveries(root, files, base)}
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
    # Without a healthy one there is nothing to go back to: a person decides (architecture: last healthy).
    return render.restore(root, files, best.commit) if best else []


def _pushed(root: Path, base: str, branch: str) -> bool:
    """Whether the push landed; False when the branch moved meanwhile. Raises Problem for any other refusal."""
    try:
        git.git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    except Problem:
        git.git(root, "fetch", "--quiet", "origin")
        if git.git(root, "rev-parse", git.target(root, branch)) == base:
            raise
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
