"""DVC's remote: what lies where below its address, and whatever goes wrong with it as one line.

    files/md5/<2 digits>/<rest>              DVC's objects; a folder's listing ends in .dir
    signatures/<2 digits>/<rest>.json        of an artifact, by the same hash (fledge.artifact)
    evidence/<candidate>/<champion>-….json   what the gates found (fledge.evidence.stored)

The address is any that an installed fsspec package reads. Credentials, and where an S3 that is not Amazon's answers,
come from the environment, for DVC as for us: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from fledge.atomic import write as write_file
from fledge.problems import Problem

ANSWERS = "a remote that answers"


class Unanswered(Problem):
    """The remote failed or refused: what was fetched so far is right, and the same may work later."""


def address(md5: str) -> str:
    """Where DVC keeps an object below a remote: files/md5/<2 digits>/<the rest>."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def signature(md5: str) -> str:
    """Where the signature of an artifact ("….dir") lies below a remote."""
    return f"signatures/{md5[:2]}/{md5[2:]}.json"


def below(remote: str, name: str) -> str:
    return f"{remote.rstrip('/')}/{name}"


def filesystem(remote: str) -> Any:
    """The fsspec file system of an address. Raises Problem where no installed package reads it."""
    try:
        return fsspec.core.url_to_fs(remote)[0]
    except (ImportError, ValueError) as error:  # its package is not installed; no such protocol
        raise Problem(
            f"fetch: found remote {remote} ({error}), expected an address that an installed fsspec package reads "
            "(.dvc/config: url of the remote)"
        ) from None


def write(where: str, text: str) -> None:
    """Replace the text at an address in one step. Raises what its fsspec package raises: see `answering`.

    An object store shows whole objects only; on a disk the file is written aside and renamed.
    """
    system, path = fsspec.core.url_to_fs(where)
    if isinstance(system, LocalFileSystem):
        write_file(Path(path), text)
    else:
        system.pipe_file(path, text.encode())


@contextlib.contextmanager
def answering(who: str, where: str, absent: str, expected: str = ANSWERS) -> Iterator[None]:
    """A remote's failure as one line: `absent` for what is not there, else what was said and what was `expected`."""
    try:
        yield
    except FileNotFoundError:
        raise Problem(f"{absent} ({where})") from None
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001  each fsspec package raises what its own client library raises
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Unanswered(f"{who}: {said}, expected {expected} ({where})") from None
