"""Close the loop after an abort: deny the delivery, and give git back the last healthy bytes.

Both acts are idempotent by (environment, delivery). A rehearsal calls this, and so does the auto-revert workflow: there
the target branch is protected, so they go by a pull request, which scripts/land.py merges when its gates have passed.
"""

import argparse
import datetime
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from fledge import atomic, commits, git, project, release
from fledge.github import REVERTS, Job
from fledge.problems import Problem, reported
from fledge.release import Denial, Files, history, render
from fledge.rules import problems_of
from scripts import land

# Another merge may land between fetch and push: the acts are then made anew on what it left.
ROUNDS = 5
JOB = Job("auto_revert", ".github/workflows/auto-revert.yml")
WAIT = 3600  # seconds until gates-pass begins, mostly a few minutes: then somebody is told, for the run may be lost
# Of HEAD, which was made on this base of the target branch by these acts: what became of it, None if another came first.
Push = Callable[[Path, str, str, list[str]], list[str] | None]


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Commit and push the denial and, where the branch still holds that delivery, the revert."""
    parser = argparse.ArgumentParser(prog="auto_revert", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--delivery", required=True, help="the aborted delivery: 12 hex digits")
    parser.add_argument("--reason", required=True, help="why it was aborted; it goes into denied.yaml")
    parser.add_argument("--propose", action="store_true", help="by a pull request (GitHub Actions)")
    options = parser.parse_args(argv)
    root = Path.cwd()
    git.require_clean(root)
    git.act_as_app()
    owner = project.load(root)
    files = Files(owner.environment(options.env).name, owner.model(options.model))
    push = partial(offered, files, options.delivery, options.reason) if options.propose else _pushed
    with commits.returning(root):
        for _ in range(ROUNDS):
            said = attempt(root, files, owner.branch, options.delivery, options.reason, push)
            if said is not None:
                print("\n".join(said) or f"{files.who}: {options.delivery} is denied and gone already, nothing to do")
                return 0
    raise Problem(f"{files.who}: found {ROUNDS} pushes overtaken, expected one to land (git push)")


def attempt(root: Path, files: Files, branch: str, delivery: str, reason: str, push: Push) -> list[str] | None:
    """Both acts on the newest target branch. What was done, or None when another push came first.

    Act 2 is checked like any other change. Should a rule refuse it, the denial lands all the same.
    """
    git.git(root, "fetch", "--quiet", "--tags", "origin")
    base = git.git(root, "rev-parse", git.target(root, branch))
    git.git(root, "checkout", "--quiet", "--detach", base)
    done, refused = [], []
    with commits.whole(root, files.denied):
        if written := deny(root, files, base, delivery, reason):
            done.append(committed(root, files, f"Deny {files.who} {delivery}\n\n{reason}", written))
    try:
        with commits.whole(root, files.release, files.rendered):
            if written := revert(root, files, base, delivery):
                version = render.delivered((root / files.rendered).read_text(), files.rendered)[1]
                done.append(
                    committed(root, files, f"Revert {files.who} to {version}\n\nof {delivery}: {reason}", written)
                )
    except Problem as problem:
        refused = problem.lines
    said = push(root, base, branch, done) if done else []
    if refused and said is not None:
        raise Problem(*refused)
    return said


def committed(root: Path, files: Files, message: str, written: Sequence[Path]) -> str:
    """Commit one act; the line that says so."""
    commit = git.commit(root, message, *written)
    return f"{files.who}: {git.git(root, 'log', '-1', '--format=%h %s', commit)}"


def deny(root: Path, files: Files, base: str, delivery: str, reason: str) -> list[Path]:
    """Act 1: write the delivery into denied.yaml, whatever the branch holds by now; the paths written.

    A delivery that was healthy is never denied: when its own pods stay away Argo Rollouts reports an abort too.
    """
    if delivery in {one.delivery for one in history.healthy(root, files, base)}:
        raise Problem(
            f"{files.who}: delivery {delivery} was healthy there, expected a canary (an incident: a person decides)"
        )
    if delivery in {denial.delivery for denial in history.denied_at(root, files, base)}:
        return []
    came = {one.delivery: one.version for one in history.deliveries(root, files, base)}
    if delivery not in came:
        raise Problem(f"{files.who}: delivery {delivery} never came there, expected one of {', '.join(came) or 'none'}")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    denial = Denial(delivery=delivery, version=came[delivery], cause=reason, time=now)
    before = git.show(root, base, files.denied) or ""
    atomic.write(root / files.denied, release.denied_with(before, files.model, denial))
    return [files.denied]


def revert(root: Path, files: Files, base: str, delivery: str) -> list[Path]:
    """Act 2: where the branch still holds the delivery, the last healthy bytes come back; the paths written.

    Raises Problem where a rule refuses them, and where there are none: then a person decides.
    """
    if not holds(root, files, base, delivery):
        return []
    best = history.last_healthy(root, files, base)
    if best is None:
        found = f"{delivery} is denied and nothing was healthy before it"
        raise Problem(
            f"{files.who}: {found}, expected a healthy delivery to go back to (an incident: a person decides)"
        )
    written = render.restore(root, files, best.commit)
    if refused := list(problems_of(root, files, base)):
        raise Problem(*refused)
    return written


def offered(
    files: Files, delivery: str, reason: str, root: Path, base: str, branch: str, done: list[str]
) -> list[str] | None:
    """Open the pull request of what is committed here, into `branch`, unless it lies there on the same `base`.

    None when another push came first. A branch of its own for each delivery: what one run did no other undoes. Where it
    lies there already it is merged as soon as its gates have passed, however often somebody has to ask.
    """
    git.git(root, "fetch", "--quiet", "--prune", "origin")
    mine = f"{REVERTS}/{files.who}/{delivery}"
    there = git.git(root, "rev-parse", f"origin/{mine}") if git.exists(root, f"origin/{mine}") else ""
    known = (
        there and git.fork(root, base, there) == base and set(git.differing(root, there, "HEAD")) <= {str(files.denied)}
    )
    if not known and not git.pushed(root, mine, there):
        return None
    version = render.delivered(git.show(root, "HEAD", files.rendered) or "", files.rendered)[1]
    body = f"- {files.who}: {delivery} was aborted, is denied, and git holds {version}\n\n```\n{_quoted(reason)}\n```\n"
    number = JOB.github().propose(branch, mine, {"title": f"Deny {files.who} {delivery}", "body": body})
    if not known:
        return [*done, f"{files.who}: pull request {number} has it, and lands once {land.CHECK} passed"]
    return landed(root, files, delivery, base, branch, number)


def landed(root: Path, files: Files, delivery: str, base: str, branch: str, number: int) -> list[str] | None:
    """What lies there may have passed its gates while the word of it got lost: then it is merged now, else later.

    None where the target branch moved meanwhile. Raises Problem for what does not land however often one asks: what is
    not the two acts, gates that failed or never began, and whatever GitHub refuses.
    """
    mine, github = f"{REVERTS}/{files.who}/{delivery}", JOB.github()
    sha = git.git(root, "rev-parse", f"origin/{mine}")
    land.require_acts(root, files, delivery, base, sha)
    run = github.checked(sha, land.CHECK)
    if run["status"] != "completed" if run else waited(root, sha) < WAIT:
        return [f"{files.who}: pull request {number} waits for {land.CHECK}"]
    if run is None or run["conclusion"] != "success":
        found = f"{land.CHECK} of pull request {number} {'is ' + run['conclusion'] if run else 'never began'}"
        raise Problem(f"{files.who}: {found}, expected success (its log says why; then run its gates again: {mine})")
    try:
        if land.merged(github, JOB.setting("APP"), branch, mine, sha) is None:
            raise Problem(f"{files.who}: pull request {number} is not the app's, expected its own (close it: {mine})")
    except Problem:
        git.git(root, "fetch", "--quiet", "origin")
        if git.git(root, "rev-parse", git.target(root, branch)) == base:
            raise
        return None
    return [f"{files.who}: pull request {number} is merged"]


def waited(root: Path, sha: str) -> float:
    """For how many seconds a commit has waited for its gates: since it was made."""
    return time.time() - int(git.git(root, "log", "-1", "--format=%ct", sha))


def _quoted(reason: str) -> str:
    # The cluster's words: they may neither leave their block nor call for anybody.
    return reason.replace("`", "'")[:1000]


def holds(root: Path, files: Files, base: str, delivery: str) -> bool:
    """Whether the branch tells the environment to run this delivery."""
    held = git.show(root, base, files.rendered)
    return held is not None and render.delivered(held, files.rendered)[0] == delivery


def _pushed(root: Path, base: str, branch: str, done: list[str]) -> list[str] | None:
    """What was done, once it landed; None when the branch moved meanwhile. Raises Problem for any other refusal."""
    try:
        git.git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    except Problem:
        git.git(root, "fetch", "--quiet", "origin")
        if git.git(root, "rev-parse", git.target(root, branch)) == base:
            raise
        return None
    return done


if __name__ == "__main__":
    raise SystemExit(main())
