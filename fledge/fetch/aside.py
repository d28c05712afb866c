"""A folder beside a destination, to fill and to rename: a name that stays, so that the next try finds what this one left."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fledge.problems import Problem
from fledge.remote import Unanswered


@contextlib.contextmanager
def aside(destination: Path, name: str) -> Iterator[Path]:
    """`.fetch-<name>` beside `destination`, for one process at a time: a second one waits for the first.

    It stays behind where the remote failed or the process was ended, with the files that were fetched until then; else
    nothing does. Raises Problem for what the disk refuses.
    """
    folder = destination.parent / f".fetch-{name}"
    with writing(destination), _locked(folder):
        try:
            yield folder
        except Unanswered:
            if not any(folder.iterdir()):
                folder.rmdir()
            raise
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder, made and locked. The lock is the folder's own and ends with the process, so none is left behind."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _same(handle, folder):
                yield
                return
        finally:
            os.close(handle)


def _same(handle: int, folder: Path) -> bool:
    """Whether the locked folder is the one that has the name: who held the lock before may have renamed it."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), folder.lstat())
    return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What this machine's disk refuses, as one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Problem(f"fetch: no space left at {path}, expected room for the artifact (free some)") from None
        raise Problem(f"fetch: {error.strerror} at {path}, expected a folder to write to (--to)") from None
