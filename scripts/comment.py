"""Put what the gates left into the one comment of its pull request, by GitHub's REST API.

It runs the target branch's code with a token that can comment, so all that it reads is data: a stranger's pull request
may have written it. Which pull request that is, and whether the run passed, is GitHub's word, never the artifact's.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fledge import evidence, project
from fledge.evidence import Evidence
from fledge.gates import required
from fledge.gates.required import Left
from fledge.github import Github, Job, Run
from fledge.problems import Problem, reported
from scripts.affected import CHANGES
from scripts.gates_pass import NAME

MARKER = "<!-- fledge: gates-pass -->"
BOT = "github-actions[bot]"  # whose comments the token edits: anybody can copy the marker
LIMIT = 60_000  # characters; GitHub refuses a comment above 65,536
FILES, BYTES = 500, 2_000_000  # as many files may be left, each as large
JOB = Job("comment", ".github/workflows/comment.yml")


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write the comment of the run that GITHUB_EVENT_PATH tells of, from the files in the folder LEFT."""
    argparse.ArgumentParser(prog="comment", description=__doc__).parse_args(argv)
    run = JOB.event()
    JOB.require_run_of(required.WORKFLOW, run)
    github = JOB.github()
    number = pull_request(github, run, project.load(Path.cwd()).branch)
    if number is None:
        print(f"comment: no open pull request ends at {run.head_sha}, so nobody is told")
        return 0
    known = comment(github, number)
    body = {"body": text(run, Path(JOB.setting("LEFT")))}
    if known is None:
        github.call("POST", f"issues/{number}/comments", 201, json=body)
    else:
        github.call("PATCH", f"issues/comments/{known}", json=body)
    print(f"comment: pull request {number} has the word of {run.html_url}")
    return 0


def pull_request(github: Github, run: Run, base: str) -> int | None:
    """The open pull request into `base` that ends at the run's commit; None where there is none any more.

    The event names it for a branch of the repository itself, never for a fork (github/docs#22501), so it is asked for.
    """
    head = f"{run.head_repository.owner.login}:{run.head_branch}"
    for found in github.open_pulls(base, head):
        home = (found["head"]["repo"] or {}).get("full_name")
        if (found["head"]["sha"], home) == (run.head_sha, run.head_repository.full_name):
            return int(found["number"])
    return None


def comment(github: Github, number: int) -> int | None:
    """The comment that an earlier run made; None where there is none."""
    for found in comments(github, number):
        if found["user"]["login"] == BOT and found["body"].startswith(MARKER):
            return int(found["id"])
    return None


def comments(github: Github, number: int) -> Iterator[Any]:
    """All comments of a pull request, page by page."""
    answer = github.call("GET", f"issues/{number}/comments", params={"per_page": "100"})
    yield from answer.json()
    while following := answer.links.get("next"):
        answer = github.call("GET", following["url"])
        yield from answer.json()


def text(run: Run, folder: Path) -> str:
    """The comment: the report of what was left in `folder`, and where the run is."""
    end = f"\n[The run]({run.html_url}) at {run.head_sha}.\n"
    try:
        left, found = read(folder)
    except Problem as problem:
        left, found = Left(changes=[], faults=problem.lines), []
    if run.conclusion != "success" and not left.faults:
        left = Left(changes=left.changes, faults=[f"gates-pass: the run ended with {run.conclusion}, expected success"])
    return f"{MARKER}\n{required.report(left, found, LIMIT - len(MARKER) - len(end) - 2)}{end}"


def read(folder: Path) -> tuple[Left, list[Evidence]]:
    """What the run left. Raises Problem for nothing, for too much, and for what is no evidence."""
    files = sorted(folder.glob("*.json"))
    large = [file.name for file in files if file.is_symlink() or file.stat().st_size > BYTES]
    if len(files) > FILES or large:
        what = f"{len(files)} files" if len(files) > FILES else f"{large[0]} too large"
        raise Problem(f"comment: found {what}, expected at most {FILES} of {BYTES:,} bytes (the run's artifact)")
    if not (folder / NAME).is_file():
        raise Problem("comment: the run left nothing, expected its evidence (see the run)")
    try:
        left = Left.model_validate_json((folder / NAME).read_bytes())
        others = [file for file in files if file.name not in (NAME, CHANGES.name)]
        found = [evidence.from_json(file.read_text(), file.name) for file in others]
    except (ValidationError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise Problem(f"comment: {said}, expected what gates-pass leaves (the run's artifact)") from None
    return left, found


if __name__ == "__main__":
    raise SystemExit(main())
