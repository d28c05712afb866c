"""The listing of a folder in DVC's remote: which files it has, and that nothing in it leads out of the folder."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from fledge import remote as remotes
from fledge.problems import Problem

MD5 = r"[0-9a-f]{32}"


def contents(remote: str, artifact: str) -> dict[str, str]:
    """The files of the folder `artifact` (DVC's "….dir" hash): path within it -> md5.

    Raises Problem for what is no such hash, a remote that does not answer or lacks it, and a listing that was changed
    or names what no folder can hold.
    """
    if not re.fullmatch(MD5 + r"\.dir", artifact):
        raise Problem(
            f"fetch: found artifact {artifact!r}, expected 32 hex digits and .dir (release.yaml: artifact.md5)"
        )
    system = remotes.filesystem(remote)
    absent = f"fetch: no {artifact} found, expected it pushed with `dvc push`"
    with remotes.answering(f"fetch: {artifact}", remote, absent):
        content = system.cat_file(remotes.below(remote, remotes.address(artifact)))
    verify(artifact, hashlib.md5(content, usedforsecurity=False).hexdigest(), artifact.removesuffix(".dir"), remote)
    return parsed(content, artifact, remote)


def parsed(content: bytes, artifact: str, remote: str) -> dict[str, str]:
    """A listing's JSON `[{"md5": …, "relpath": …}, …]` as path -> md5. Raises Problem, a line for each wrong entry."""
    try:
        entries = json.loads(content)
        named = [(entry["relpath"], entry["md5"]) for entry in entries]
    except (ValueError, TypeError, KeyError):
        raise Problem(f"fetch: {artifact} is no listing, expected what `dvc push` wrote ({remote})") from None
    if wrong := list(_wrong(named, artifact, remote)):
        raise Problem(*wrong)
    return dict(named)


def _wrong(named: list[tuple[Any, Any]], artifact: str, remote: str) -> Iterator[str]:
    seen: set[str] = set()
    folders = {str(parent) for name, _ in named if isinstance(name, str) for parent in PurePosixPath(name).parents}
    for name, md5 in named:
        if not _inside(name):
            yield f"fetch: {artifact} names {name}, expected paths inside the artifact ({remote})"
        elif name in seen:
            yield f"fetch: {artifact} names {name} twice, expected each file once ({remote})"
        elif name in folders:
            yield f"fetch: {artifact} names {name} as file and as folder, expected one of them ({remote})"
        if not (isinstance(md5, str) and re.fullmatch(MD5, md5)):
            yield f"fetch: {artifact} gives {name} the md5 {md5!r}, expected 32 hex digits ({remote})"
        seen.add(str(name))


def _inside(name: Any) -> bool:
    """Whether a name is a relative path in its one spelling: no "..", ".", "//" or NUL."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name and name != "."


def verify(name: str, found: str, expected: str, remote: str) -> None:
    """Raises Problem for a file that is not what its hash says."""
    if found != expected:
        raise Problem(f"fetch: {name} has md5 {found}, expected {expected}: truncated or changed ({remote})")
