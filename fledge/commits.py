"""A verb's own commit: on a branch, from a clean tree, and whole or not at all."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from fledge import atomic, git
from fledge.problems import Problem
from fledge.release import Files


def require_ready(root: Path) -> None:
    """Raises Problem, a line each, for changes that are not committed, and where a commit would be on no branch."""
    lines = git.unclean(root)
    if not git.branch(root):
        at = git.git(root, "rev-parse", "--short=10", "HEAD")
        lines.append(f"git: HEAD is detached at {at}, expected a branch to commit to (git switch -c NAME)")
    if lines:
        raise Problem(*lines)


def require_based(root: Path, base: str, files: Files) -> None:
    """Raises Problem where the target branch `base` changed the pair since this branch left it: both would conflict."""
    if git.differing(root, git.fork(root, base), base, files.release, files.rendered):
        found = f"{base} changed it since this branch left"
        raise Problem(f"{files.who}: {found}, expected a branch that has the change (git merge {base})")


@contextlib.contextmanager
def whole(root: Path, *paths: Path) -> Iterator[None]:
    """Should anything fail inside, the files `paths` are again as they were, for the index too."""
    before = {path: (root / path).read_bytes() if (root / path).is_file() else None for path in paths}
    absent = {folder for path in paths for folder in (root / path).parents if not folder.exists()}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                (root / path).unlink(missing_ok=True)
            else:
                (root / path).write_bytes(content)
        for folder in sorted(absent, reverse=True):
            with contextlib.suppress(OSError):  # not made, or somebody else put something there
                folder.rmdir()
        # What failed may be the index itself: then it holds nothing of this.
        subprocess.run(["git", "-C", str(root), "reset", "--quiet", "--", *map(str, paths)], capture_output=True)
        raise


def commit(root: Path, message: str, contents: Mapping[Path, str]) -> str:
    """Write these texts to these files and commit them, whole or not at all; the commit's hash."""
    with whole(root, *contents):
        for path, text in contents.items():
            atomic.write(root / path, text)
        return git.commit(root, message, *contents)


def holds(root: Path, contents: Mapping[Path, str]) -> bool:
    """Whether the clean tree has these texts already: a commit of them would hold nothing."""
    return all(
        (root / path).is_file() and (root / path).read_bytes() == text.encode() for path, text in contents.items()
    )


@contextlib.contextmanager
def returning(root: Path) -> Iterator[None]:
    """Whatever is checked out inside: afterwards HEAD is where it was."""
    branch, commit = git.branch(root), git.git(root, "rev-parse", "HEAD")
    try:
        yield
    finally:
        git.git(root, "checkout", "--quiet", *([branch] if branch else ["--detach", commit]))
