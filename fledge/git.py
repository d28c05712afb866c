"""git, as the few questions and acts that Fledge needs."""

import base64
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Sequence
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


def act_as_app() -> None:
    """Commit and tag as the app from here on, and in GitHub Actions fetch and push with its token (GITHUB_TOKEN).

    The token stays in this process' environment: no .git/config and no command line holds it.
    """
    os.environ.update(APP)
    token, server = os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_SERVER_URL")
    if token and server:  # only GitHub Actions says the latter
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        os.environ["GIT_CONFIG_COUNT"] = "3"
        os.environ["GIT_CONFIG_KEY_2"] = f"http.{server}/.extraheader"
        os.environ["GIT_CONFIG_VALUE_2"] = f"AUTHORIZATION: basic {basic}"


def git(root: Path, *arguments: str) -> str:
    """What `git` prints, without the last newline. Raises Problem with git's own reason when it refuses."""
    return run(root, *arguments).removesuffix("\n")


def run(root: Path, *arguments: str, given: str | None = None) -> str:
    """What `git` prints, to the byte; `given` is what it reads."""
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = _reason(done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")
        raise Problem(f"git: {said}, expected `git {' '.join(arguments[:3])} …` to succeed ({root})")
    return done.stdout


def _reason(said: str) -> str:
    """The first line that names an error, or a branch that was refused, else the last: what follows is often advice."""
    lines = said.splitlines()
    named = next((line for line in lines if re.match(r"(remote: )?(fatal|error): | ! \[", line)), lines[-1])
    return re.sub(r"^(remote: )?(fatal|error): ", "", " ".join(named.split()))


def exists(root: Path, revision: str) -> bool:
    return not subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", revision], capture_output=True
    ).returncode


def show(root: Path, revision: str, path: Path | str) -> str | None:
    """The text of a file at a revision, None where it is not there."""
    return shows(root, [revision], path)[0]


def shows(root: Path, revisions: list[str], path: Path | str) -> list[str | None]:
    """As `show` for many revisions, by one process."""
    return blobs(root, [f"{revision}:{path}" for revision in revisions])


def blobs(root: Path, names: Sequence[str]) -> list[str | None]:
    """The texts of `revision:path`, None for what is not there, by one process."""
    if not names:
        return []
    command = ["git", "-C", str(root), "cat-file", "--batch=%(objecttype) %(objectsize)"]
    asked = "".join(f"{name}\n" for name in names)
    answer = subprocess.run(command, input=asked.encode(), capture_output=True, check=True).stdout
    found: list[str | None] = []
    at = 0
    for _ in names:
        end = answer.index(b"\n", at)
        head, at = answer[at:end], end + 1
        if not head.startswith(b"blob "):
            found.append(None)
            continue
        size = int(head.split()[1])
        found.append(answer[at : at + size].decode(errors="replace"))
        at += size + 1  # the content ends with a newline of cat-file's own
    return found


def first_parents(root: Path, revision: str, path: Path | str) -> list[str]:
    """The commits of the first-parent history that changed `path`, newest first."""
    # --diff-merges: a merge commit counts as the change that it brought to its first parent.
    only = ("--first-parent", "--diff-merges=first-parent")
    return git(root, "log", *only, "--format=%H", revision, "--", str(path)).split()


def index(root: Path) -> None:
    """Let git note which commit changed which path (git-commit-graph: changed-path Bloom filters).

    Of a file in a history of 2,000 commits a log then takes 6 ms, not 75. It is git's own cache: where it cannot be
    written everything is the same, only slower.
    """
    command = ["git", "-C", str(root), "commit-graph", "write", "--reachable", "--changed-paths"]
    subprocess.run(command, capture_output=True)


def target(root: Path, branch: str) -> str:
    """The target branch as the remote has it, or the local one where there is no remote."""
    for revision in (f"origin/{branch}", branch):
        if exists(root, revision):
            return revision
    raise Problem(f"git: no branch {branch} found, expected the branch that Argo CD follows (project.yaml: branch)")


def fork(root: Path, base: str, head: str = "HEAD") -> str:
    """The commit where `head` left `base`: what differs from it is what the branch did. `base` where they share none."""
    command = ["git", "-C", str(root), "merge-base", base, head]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or base


def contains(root: Path, commit: str, revision: str = "HEAD") -> bool:
    """Whether the history of `revision` holds a commit, which is named by its hash: a branch's name is none."""
    if not re.fullmatch("[0-9a-f]{7,64}", commit):
        return False
    command = ["git", "-C", str(root), "merge-base", "--is-ancestor", commit, revision]
    return subprocess.run(command, capture_output=True).returncode == 0


def changed(root: Path, since: str, *paths: Path | str) -> list[str]:
    """The tracked files at or below `paths` in which the working tree differs from the revision `since`."""
    names = run(root, "diff", "--name-only", "-z", "--no-renames", since, "--", *map(str, paths))
    return names.split("\0")[:-1]


def untracked(root: Path) -> list[str]:
    """The files that git does not know, without those that it ignores."""
    return run(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")[:-1]


def differing(root: Path, before: str, after: str, *paths: Path | str) -> list[str]:
    """The files at or below `paths` in which two revisions differ."""
    names = run(root, "diff", "--name-only", "-z", "--no-renames", before, after, "--", *map(str, paths))
    return names.split("\0")[:-1]


def grep(root: Path, pattern: str, paths: Sequence[str], *where: str) -> set[str]:
    """What of the files `paths` an extended regular expression matches, at revisions or, for --untracked, in the tree."""
    command = ["grep", "-h", "--only-matching", "--extended-regexp", "-e", pattern, *where, "--", *paths]
    done = subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True)
    if done.returncode > 1:  # 1: no match
        raise Problem(f"git: {done.stderr.strip()}, expected `git grep` to succeed ({root})")
    return set(done.stdout.splitlines())


def naming(root: Path, pattern: str, *paths: str) -> list[str]:
    """The files of the working tree, ignored ones left out, that an extended regular expression matches in any case."""
    command = ["grep", "-l", "-i", "-I", "--untracked", "--extended-regexp", "-e", pattern, "--", *paths]
    done = subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True)
    if done.returncode > 1:
        raise Problem(f"git: {done.stderr.strip()}, expected `git grep` to succeed ({root})")
    return sorted(done.stdout.splitlines())


def unpack(root: Path, revision: str, folder: Path, *paths: Path | str) -> None:
    """Write the files at or below `paths` (all without any), as the revision has them, into `folder`."""
    command = ["git", "-C", str(root), "archive", "--format=tar", revision, "--", *map(str, paths)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise Problem(f"git: {done.stderr.decode().strip()}, expected {revision} to hold {', '.join(map(str, paths))}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")


def unclean(root: Path) -> list[str]:
    """A line for each file that holds changes which are not committed."""
    dirty = git(root, "status", "--porcelain").splitlines()
    acts = {"??": "git add and git commit, or git clean"}
    return [
        f"git: {line[3:]} is not committed, expected a clean tree ({acts.get(line[:2], 'git commit or git restore')})"
        for line in dirty
    ]


def require_clean(root: Path) -> None:
    """Raises Problem, a line for each file that holds changes which are not committed."""
    if dirty := unclean(root):
        raise Problem(*dirty)


def require_history(root: Path, who: str) -> None:
    """Raises Problem for a clone that lacks the older part of its history: of what was healthy it would say too little."""
    if git(root, "rev-parse", "--is-shallow-repository") == "true":
        raise Problem(f"{who}: this clone is shallow, expected all of the history (git fetch --unshallow)")


def branch(root: Path) -> str:
    """The branch that is checked out, nothing where HEAD is detached."""
    command = ["git", "-C", str(root), "symbolic-ref", "--quiet", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def commit(root: Path, message: str, *paths: Path | str) -> str:
    """Commit exactly `paths` and nothing else; the new commit's hash."""
    git(root, "add", "--", *map(str, paths))
    git(root, "commit", "--quiet", "-m", message, "--", *map(str, paths))
    return git(root, "rev-parse", "HEAD")


def pushed(root: Path, branch: str, there: str) -> bool:
    """Replace `branch` of origin by HEAD where it is still at `there` (nothing: not there); whether it was.

    Raises Problem for any other refusal.
    """
    lease = f"--force-with-lease=refs/heads/{branch}:{there}"
    try:
        git(root, "push", "--quiet", lease, "origin", f"HEAD:refs/heads/{branch}")
    except Problem:
        now = git(root, "ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]
        if now == there:
            raise
        return False
    return True
