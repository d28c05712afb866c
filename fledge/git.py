"""git, as the few questions and acts that Fledge needs."""

import subprocess
from pathlib import Path

from fledge.problems import Problem

# Who commits and tags when no person does. A person's wish to sign is not the app's.
APP = {
    "GIT_AUTHOR_NAME": "fledge[bot]",
    "GIT_AUTHOR_EMAIL": "fledge@users.noreply.example.com",
    "GIT_COMMITTER_NAME": "fledge[bot]",
    "GIT_COMMITTER_EMAIL": "fledge@users.noreply.example.com",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "commit.gpgsign",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "tag.gpgsign",
    "GIT_CONFIG_VALUE_1": "false",
}


def git(root: Path, *arguments: str) -> str:
    """What `git` prints, without the last newline. Raises Problem with git's own last line when it refuses."""
    return run(root, *arguments).removesuffix("\n")


def run(root: Path, *arguments: str) -> str:
    """What `git` prints, to the byte."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise Problem(f"git: {last}, expected `git {' '.join(arguments[:3])} …` to succeed ({root})")
    return done.stdout


def exists(root: Path, revision: str) -> bool:
    return not subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", revision], capture_output=True
    ).returncode


def show(root: Path, revision: str, path: Path | str) -> str | None:
    """The text of a file at a revision, None where it is not there."""
    return run(root, "show", f"{revision}:{path}") if exists(root, f"{revision}:{path}") else None


def shows(root: Path, revisions: list[str], path: Path | str) -> list[str | None]:
    """As `show` for many revisions, by one process."""
    asked = "".join(f"{revision}:{path}\n" for revision in revisions)
    command = ["git", "-C", str(root), "cat-file", "--batch=%(objecttype) %(objectsize)"]
    answer = subprocess.run(command, input=asked.encode(), capture_output=True, check=True).stdout
    texts: list[str | None] = []
    for _ in revisions:
        head, _, answer = answer.partition(b"\n")
        if not head.startswith(b"blob "):
            texts.append(None)
            continue
        size = int(head.split()[1])
        texts.append(answer[:size].decode())
        answer = answer[size + 1 :]  # the content ends with a newline of cat-file's own
    return texts


def first_parents(root: Path, revision: str, path: Path | str) -> list[str]:
    """The commits of the first-parent history that changed `path`, newest first."""
    # --diff-merges: a merge commit counts as the change that it brought to its first parent.
    return git(
        root, "log", "--first-parent", "--diff-merges=first-parent", "--format=%H", revision, "--", str(path)
    ).split()


def target(root: Path, branch: str) -> str:
    """The target branch as the remote has it, or the local one where there is no remote."""
    for revision in (f"origin/{branch}", branch):
        if exists(root, revision):
            return revision
    raise Problem(f"git: no branch {branch} found, expected the branch that Argo CD follows (project.yaml: branch)")


def require_clean(root: Path) -> None:
    """Raises Problem, a line for each file that holds changes which are not committed."""
    dirty = git(root, "status", "--porcelain").splitlines()
    if dirty:
        raise Problem(
            *(f"git: {line[3:]} is not committed, expected a clean tree (git commit or git restore)" for line in dirty)
        )


def commit(root: Path, message: str, *paths: Path | str) -> str:
    """Commit exactly `paths` and nothing else; the new commit's hash."""
    git(root, "add", "--", *map(str, paths))
    git(root, "commit", "--quiet", "-m", message, "--", *map(str, paths))
    return git(root, "rev-parse", "HEAD")
