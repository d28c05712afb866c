"""The contract of a release, found in git by the hash that the release names."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fledge import git
from fledge.problems import Problem
from fledge.release import Files, Release


def home(root: Path, files: Files, wanted: Release, revision: str) -> tuple[str, str]:
    """A commit at or before `revision` that holds the contract.yaml of a release, and that text, found by its hash.

    Not simply the commit of the release: a promotion is merged beside whatever contract the next release has by then.
    Raises Problem where no commit holds it.
    """
    path = f"models/{files.model}/contract.yaml"
    for commits in _homes(root, revision, path):
        for commit, text in zip(commits, git.shows(root, commits, path), strict=True):
            if text is not None and hashlib.sha256(text.encode()).hexdigest() == wanted.contract:
                return commit, text
    raise Problem(
        f"{files.who}: no {path} with sha256 {wanted.contract[:12]}… in the history of {revision}, "
        f"expected the contract of {wanted.version} ({files.release}: spec.contract)"
    )


def _homes(root: Path, revision: str, path: str) -> Iterator[list[str]]:
    """`revision` itself, which is mostly enough; then whatever before it changed the file, for which git walks far."""
    yield [revision]
    yield git.git(root, "log", "--full-history", "--format=%H", revision, "--", path).split()
