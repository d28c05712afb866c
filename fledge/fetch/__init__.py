"""Fetch an artifact by its DVC hash from any fsspec remote: verified file by file, published by rename.

The same code is the pod's init container, CI's way to candidate and champion, and a laptop's. No TensorFlow.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fledge import remote as remotes
from fledge.artifact import signing
from fledge.fetch.aside import aside
from fledge.fetch.meter import Meter, metered
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.remote import address
from fledge.remote.listing import contents, verify

CHUNK = 1 << 20
PARALLEL = 8


def fetch(
    remote: str, artifact: str, destination: Path, *, sha256: str | None = None, keys: Sequence[str] = ()
) -> Path:
    """The folder `artifact` (DVC's "….dir" hash) at `destination`, complete and verified or not there at all.

    With `keys` (public keys, base64 of DER) one of them must have signed it. A destination that already holds it is
    left alone. What a lost connection or an end by force leaves, half a file too, is kept aside and is not fetched again.
    Raises Problem for a remote that does not answer or lacks the hash, a file that is not what the listing says, a tree
    that is not `sha256` or not signed, a name that leaves the folder, and a disk that is full or may not be written.
    """
    if _holds(destination, artifact, sha256):
        signing.require_signed(destination, remote, artifact, keys)
        return destination
    with aside(destination, artifact) as folder:
        if not _holds(destination, artifact, sha256):  # else another fetcher was faster
            _fill(folder, remote, contents(remote, artifact))
            if sha256 and (found := tree_sha256(folder)) != sha256:
                raise Problem(
                    f"fetch: {artifact} has sha256 {found}, expected {sha256} (release.yaml: artifact.sha256)"
                )
            signing.require_signed(folder, remote, artifact, keys)
            _publish(folder, destination, artifact, sha256)
    return destination


def fetch_one(remote: str, artifact: str, name: str, destination: Path) -> Path:
    """The single file `name` of the folder `artifact`, verified, at `destination`. Raises as `fetch` does."""
    with aside(destination, f"{artifact}-one") as folder:
        listing = contents(remote, artifact)
        if name not in listing:
            raise Problem(f"fetch: no file {name} found in {artifact}, expected one of its {len(listing)} ({remote})")
        _fill(folder, remote, {"file": listing[name]})
        (folder / "file").replace(destination)
    return destination


def _fill(folder: Path, remote: str, listing: Mapping[str, str]) -> None:
    """Bring `folder` to hold the listing's files and nothing else; those that an earlier try left are kept or gone on with."""
    missing = {name: listing[name] for name in listing.keys() - set(_kept(folder, listing))}
    system = remotes.filesystem(remote)
    with metered("fetch", len(missing)) as meter, ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda one: _file(system, remote, one, folder, meter), sorted(missing.items())))


def _kept(folder: Path, listing: Mapping[str, str]) -> Iterator[str]:
    """The files of an earlier try that are right. Those that are not whole yet stay; whatever else is there is removed,
    a link before it is followed.
    """
    for path in list(_below(folder)):
        name = path.relative_to(folder).as_posix()
        if name not in listing or path.is_symlink() or not path.is_file():
            path.unlink()
        elif _begun(path)[0].hexdigest() == listing[name]:
            yield name


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder itself; a link to one is not followed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _begun(path: Path) -> tuple[Any, int]:
    """The md5 of what of a file is there, to go on with, and how many bytes that is."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    if path.exists():
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    return digest, size


def _file(system: Any, remote: str, entry: tuple[str, str], folder: Path, meter: Meter) -> None:
    """One file of the listing below `folder`, from where an earlier try left it, or from its beginning."""
    name, md5 = entry
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.exists()
    found = _appended(system, remote, entry, path, meter)
    if begun and found != md5:  # what was left is no beginning of it, or nobody sends the rest alone
        path.unlink()
        found = _appended(system, remote, entry, path, meter)
    verify(name, found, md5, remote)
    meter.add(files=1)


def _appended(system: Any, remote: str, entry: tuple[str, str], path: Path, meter: Meter) -> str:
    """The md5 of `path` once the rest of the remote's bytes is there, hashed while it is written; "" where it is not sent."""
    digest, begun = _begun(path)
    with path.open("ab") as target, contextlib.suppress(Rangeless):
        for chunk in _chunks(system, remote, *entry, begun):
            digest.update(chunk)
            target.write(chunk)
            meter.add(len(chunk))
        return str(digest.hexdigest())
    return ""


class Rangeless(Problem):
    """The remote sends whole files alone, as some web servers do."""


def _chunks(system: Any, remote: str, name: str, md5: str, start: int) -> Iterator[bytes]:
    """The remote's bytes from `start` on; what goes wrong while they are written is not the remote's fault."""
    what = f"{md5} ({name})"
    with (
        remotes.answering(f"fetch: {what}", remote, f"fetch: no {what} found, expected it pushed with `dvc push`"),
        system.open(remotes.below(remote, address(md5)), "rb") as source,
    ):
        chunk = _first(source, start)
        while chunk:
            yield chunk
            chunk = source.read(CHUNK)


def _first(source: Any, start: int) -> bytes:
    """The first bytes from `start` on. Raises Rangeless, where fsspec says ValueError."""
    if not start:
        return bytes(source.read(CHUNK))
    try:
        source.seek(start)
        return bytes(source.read(CHUNK))
    except ValueError:
        raise Rangeless from None


def _holds(destination: Path, artifact: str, sha256: str | None) -> bool:
    try:
        right = _plain(destination) and dvc_directory(destination)[0] == artifact
        return right and (not sha256 or tree_sha256(destination) == sha256)
    except FileNotFoundError:  # another fetcher replaces it at this moment
        return False


def _plain(folder: Path) -> bool:
    """Whether it is a folder of folders and files alone: no link, no pipe."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(path.is_file() and not path.is_symlink() for path in _below(folder))


def _publish(folder: Path, destination: Path, artifact: str, sha256: str | None) -> None:
    """Rename `folder` to `destination`, unless another fetcher was faster: then the tree is there already."""
    shutil.rmtree(destination, ignore_errors=True)
    try:
        folder.rename(destination)
    except OSError:
        if not _holds(destination, artifact, sha256):
            raise
