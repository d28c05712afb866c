"""Merge the pull request that auto-revert opened, once its gates passed: the one merge that no person reviews.

It is the target branch's code, and what it merges is read from git: nothing but the denial, and the last healthy bytes.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from fledge import git, project
from fledge.gates import required
from fledge.github import REVERTS, Github, Job, Run
from fledge.problems import Problem, reported
from fledge.project import Project
from fledge.release import Denial, Files, history

JOB = Job("land", ".github/workflows/auto-revert.yml")
CHECK = "gates-pass"  # the job that the target branch requires (gates.yml)


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Merge what the run that GITHUB_EVENT_PATH tells of has passed. Raises Problem for anything but the two acts."""
    argparse.ArgumentParser(prog="make land", description=__doc__).parse_args(argv)
    root, run, github = Path.cwd(), JOB.event(), JOB.github()
    JOB.require_run_of(required.WORKFLOW, run)
    git.act_as_app()
    git.git(root, "fetch", "--quiet", "--prune", "--tags", "origin")
    owner = project.load(root)
    files, delivery = acted(owner, run, github.repository)
    require_acts(root, files, delivery, git.target(root, owner.branch), run.head_sha)
    app = JOB.setting("APP")
    number = merged(github, app, owner.branch, run.head_branch, run.head_sha)
    if number is None:
        print(f"{files.who}: no open pull request of {app} ends at {run.head_sha}, so nothing is merged")
    else:
        print(f"{files.who}: pull request {number} is merged, {delivery} is denied")
    return 0


def merged(github: Github, app: str, branch: str, head: str, sha: str) -> int | None:
    """Merge the pull request of `app` from the repository's branch `head` that ends at `sha`; its number, None for none.

    Raises Problem where GitHub refuses: gates-pass did not succeed on that commit, or `branch` moved.
    """
    owner = github.repository.partition("/")[0]
    for found in github.open_pulls(branch, f"{owner}:{head}"):
        if found["head"]["sha"] == sha and found["user"]["login"] == app:
            github.call("PUT", f"pulls/{found['number']}/merge", json={"sha": sha, "merge_method": "merge"})
            return int(found["number"])
    return None


def acted(owner: Project, run: Run, repository: str) -> tuple[Files, str]:
    """Of what the run's branch is the repair. Raises Problem for a run that did not pass, or of another branch."""
    match = re.fullmatch(rf"{REVERTS}/([^/]+)/([^/]+)/([0-9a-f]{{12}})", run.head_branch)
    if match is None or (run.conclusion, run.head_repository.full_name) != ("success", repository):
        found = f"a run of {run.head_repository.full_name}:{run.head_branch} that ended with {run.conclusion}"
        raise Problem(f"land: found {found}, expected the success of one that auto-revert pushed ({JOB.workflow}: on)")
    files = Files(owner.environment(match[1]).name, owner.model(match[2]))
    return files, match[3]


def require_acts(root: Path, files: Files, delivery: str, base: str, head: str) -> None:
    """Raises Problem unless `head` does to `base` what auto-revert does: deny this delivery, restore the last healthy."""
    changed = set(map(Path, git.differing(root, git.fork(root, base, head), head)))
    if more := sorted(map(str, changed - {files.denied, files.release, files.rendered})):
        raise Problem(f"land: found {', '.join(more)} changed, expected only the files of {files.who} ({head[:10]})")
    before, after = (history.denied_at(root, files, revision) for revision in (base, head))
    require_denied(before, after, delivery, f"{head[:10]}: {files.denied}")
    if delivery in {one.delivery for one in history.healthy(root, files, base)}:
        raise Problem(f"land: delivery {delivery} was healthy there, expected one that was not ({head[:10]})")
    best = history.last_healthy(root, files, base)
    for path in changed & {files.release, files.rendered}:
        if best is None or git.show(root, head, path) != git.show(root, best.commit, path):
            healthy = best.version if best else "a healthy release"
            raise Problem(f"land: {path} is not what {healthy} had, expected those bytes ({head[:10]})")


def require_denied(before: Sequence[Denial], after: Sequence[Denial], delivery: str, where: str) -> None:
    """Raises Problem unless the denials of the target branch become those and this delivery's.

    With nothing healthy to go back to the denial lands alone; the revert that follows it one day adds none.
    """
    if delivery in {one.delivery for one in before}:
        if after != before:
            raise Problem(f"land: found other denials, expected no more, for {delivery} is denied ({where})")
    elif [one for one in after if one.delivery != delivery] != before or len(after) != len(before) + 1:
        raise Problem(f"land: found other denials, expected one more, of {delivery} ({where})")


if __name__ == "__main__":
    raise SystemExit(main())
