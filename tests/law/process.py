"""A script's `main` as somebody runs it: in a folder, under a name, and at times dying in the middle."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fledge import git
from fledge.problems import Main

DIED = 73
ACTS = ("add", "commit", "push", "tag", "checkout", "restore")  # of git, which change something


def run(main: Main, arguments: Sequence[str], folder: Path, crash: int | None = None) -> tuple[int, str]:
    """Exit code and stderr. With `crash`, in a child that dies before its `crash`-th write or change of git."""
    if crash is not None:
        return _forked(main, arguments, folder, crash), ""
    said = io.StringIO()
    with here(folder), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        return main(list(arguments)), said.getvalue()


@contextlib.contextmanager
def here(folder: Path) -> Iterator[None]:
    """Work in `folder`; the folder and the environment are then as before (the app's scripts change who commits)."""
    before, variables = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(variables)


def _forked(main: Main, arguments: Sequence[str], folder: Path, crash: int) -> int:
    child = os.fork()
    if not child:
        code = 1
        try:
            _die_before(crash)
            code, _ = run(main, arguments, folder)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _die_before(crash: int) -> None:
    """Count what this process writes, and end it, as a lost machine would, before the `crash`-th."""
    done = 0

    def counted(act: Callable[..., object], counts: Callable[..., bool]) -> Callable[..., object]:
        def wrapped(*arguments: object, **options: object) -> object:
            nonlocal done
            if counts(*arguments):
                if done == crash:
                    os._exit(DIED)
                done += 1
            return act(*arguments, **options)

        return wrapped

    patch = pytest.MonkeyPatch()
    patch.setattr(git, "git", counted(git.git, lambda root, verb, *_: verb in ACTS))
    patch.setattr(os, "replace", counted(os.replace, lambda *_: True))
