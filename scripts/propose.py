"""A healthy tag opens the next environment's pull request, or brings the open one up to date (GitHub Actions)."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fledge import commits, git, project, promotion
from fledge.artifact import compatibility
from fledge.evidence import stored
from fledge.github import Job
from fledge.problems import Problem, reported
from fledge.project import Project, parsed_yaml
from fledge.release import Files, Release, contracts, history, render
from fledge.release.history import Delivery
from fledge.rules import problems_of

JOB = Job("propose", ".github/workflows/promote.yml")
ROUNDS = 5  # another run may push the same branch meanwhile: what is to be proposed is then asked anew


class Proposal(NamedTuple):
    """A release that is healthy in `source` and may go to `files`, from the target branch at `base`."""

    source: Files
    best: Delivery
    files: Files
    wanted: Release
    base: str

    @property
    def branch(self) -> str:
        """One for each (environment, model): a newer release takes the place of an older one."""
        return f"fledge/promote/{self.files.who}"

    @property
    def title(self) -> str:
        return f"Promote {self.files.model} {self.wanted.version} to {self.files.environment}"


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Push the branch of the promotion and open its pull request. Twice is once; what is out of date proposes nothing."""
    parser = argparse.ArgumentParser(prog="make propose", description=__doc__)
    parser.add_argument("--tag", required=True, help="healthy/<environment>/<model>/<version>-<delivery>")
    options = parser.parse_args(argv)
    root, github = Path.cwd(), JOB.github()
    git.require_clean(root)
    git.act_as_app()
    with commits.returning(root):
        for _ in range(ROUNDS):
            found = proposed(root, options.tag)
            if isinstance(found, str):
                print(f"propose: {found}, so there is nothing to propose")
                return 0
            if pushed(root, found):
                said = {"title": found.title, "body": text(root, found)}
                number = github.propose(project.load(root).branch, found.branch, said)
                print(f"{found.files.who}: {found.wanted.version} is pull request {number}")
                return 0
    raise Problem(f"propose: found {ROUNDS} pushes overtaken, expected one to land ({options.tag})")


def proposed(root: Path, tag: str) -> Proposal | str:
    """What the newest target branch, which is checked out, says is to be promoted; or why nothing is.

    Raises Problem for a tag that is no healthy one.
    """
    git.git(root, "fetch", "--quiet", "--prune", "--tags", "origin")
    owner = project.load(root)
    base = git.git(root, "rev-parse", git.target(root, owner.branch))
    git.git(root, "checkout", "--quiet", "--detach", base)
    owner = project.load(root)
    source, delivery = named(owner, tag)
    above = owner.environments[owner.environments.index(owner.environment(source.environment)) + 1 :]
    if not above:
        return f"{source.environment} is the last environment"
    best = history.last_healthy(root, source, base)
    if best is None or best.delivery != delivery:
        return f"{source.who} is last healthy with {best.version if best else 'nothing'}, not with {tag}"
    files, wanted = Files(above[0].name, source.model), history.release_at(root, source, best.commit)
    if wanted is None:
        raise Problem(f"{source.who}: {best.version} is healthy and has no release, expected it ({source.release})")
    if history.release_at(root, files, base) == wanted:
        return f"{files.who} holds {wanted.version} already"
    fresh = promotion.delivery_on_these(root, source, wanted)
    if fresh not in {one.delivery for one in history.healthy(root, source, base)}:
        return f"{source.who} was healthy with {wanted.version} on other sources, and not yet as {fresh}"
    return Proposal(source, best, files, wanted, base)


def named(owner: Project, tag: str) -> tuple[Files, str]:
    """The (environment, model) and the delivery that a tag names. Raises Problem for another name."""
    match = re.fullmatch(r"healthy/([^/]+)/([^/]+)/[^/]+-([0-9a-f]{12})", tag.removeprefix("refs/tags/"))
    if match is None:
        raise Problem(f"propose: found the tag {tag!r}, expected healthy/<environment>/<model>/<version>-<delivery>")
    return Files(owner.environment(match[1]).name, owner.model(match[2])), match[3]


def pushed(root: Path, found: Proposal) -> bool:
    """Commit and push the promotion, unless it lies there; False where another push came first.

    Raises Problem with what `make check` would say of it, such as a denial: then nobody is asked.
    """
    known = f"origin/{found.branch}"
    there = git.git(root, "rev-parse", known) if git.exists(root, known) else ""
    with commits.whole(root, found.files.release, found.files.rendered):
        written = render.write(root, found.files, found.wanted)
        if problems := list(problems_of(root, found.files, found.base)):
            raise Problem(*problems)
        commit = git.commit(root, f"{found.title}\n\nhealthy in {found.source.environment}", *written)
    if there and git.fork(root, found.base, there) == found.base and not git.differing(root, there, commit):
        return True
    return git.pushed(root, found.branch, there)


def text(root: Path, found: Proposal) -> str:
    """What a reviewer is told: what it is, what is known of it, and who gets it."""
    champion = history.last_healthy(root, found.files, found.base)
    before = history.release_at(root, found.files, champion.commit) if champion else None
    served, wanted = history.release_at(root, found.files, found.base), found.wanted
    who = f"{found.files.model} {wanted.version}"
    to, proved = found.files.environment, found.source.environment
    lines = [
        f"{who} is healthy in {proved}: `{history.tag_name(found.source, found.best.version, found.best.delivery)}`",
        f"artifact `{wanted.artifact.md5}`, trained at {wanted.training.commit[:10]} on data `{wanted.data.md5}`",
        f"{to} holds {served.version if served else 'nothing'}, last healthy there: {before.version if before else 'nothing'}",
        f"contract: {contract(root, found, before) if before else 'nothing to compare with'}",
        f"evidence of {proved}: `{_evidence(root, found)}`; that of {to} is the comment of this pull request",
    ]
    if champion is None:
        lines.append(f"**all users of {to} get it at once**: a first delivery has no canary")
    return "\n".join(f"- {line}" for line in lines) + "\n"


def contract(root: Path, found: Proposal, champion: Release) -> str:
    """What the clients of the next environment's champion would notice."""
    path = f"models/{found.files.model}/contract.yaml"
    texts = [contracts.home(root, found.files, one, found.base)[1] for one in (champion, found.wanted)]
    if texts[0] == texts[1]:
        return f"that of {champion.version}"
    old, new = (parsed_yaml(one, path) for one in texts)
    return "; ".join(compatibility.breaks(old, new)) or f"another than that of {champion.version}, and compatible"


def _evidence(root: Path, found: Proposal) -> str:
    """Where the gates of the environment below left their word, by candidate's and champion's hash."""
    parents = (one for one in history.healthy(root, found.source, found.base) if one.version == found.wanted.parent)
    parent = next((history.release_at(root, found.source, one.commit) for one in parents), None)
    champion = parent.artifact.md5 if parent else None
    return stored.address("<remote>", found.wanted.artifact.md5, champion, found.source.environment)


if __name__ == "__main__":
    raise SystemExit(main())
