"""Hashes of whole folders: DVC's, which names an artifact, and ours, which proves it."""

import hashlib
import json
from pathlib import Path


def dvc_directory(path: Path) -> tuple[str, list[dict[str, str]]]:
    """Return the hash that DVC 3 gives the folder `path`, and the listing that it is the hash of.

    The hash is the md5 of the listing's JSON followed by `.dir`. The listing holds
    `{"md5": …, "relpath": …}` of every file below `path`, sorted by path as a string.
    Source: `Tree.as_bytes` of dvc_data.hashfile.tree (3.18).
    """
    listing = [{"md5": _digest("md5", file), "relpath": name} for name, file in sorted(_files(path))]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir", listing


def tree_sha256(path: Path) -> str:
    r"""Return the sha256 over the sorted lines `relpath\0sha256\n` of every file below `path`.

    Lines are sorted by the bytes of their path in UTF-8, so every language sorts them alike.
    """
    lines = sorted(f"{name}\0{digest}\n".encode() for name, digest in sha256s(path).items())
    return hashlib.sha256(b"".join(lines)).hexdigest()


def sha256s(path: Path) -> dict[str, str]:
    """The sha256 of every file below `path`, by its path within."""
    return {name: _digest("sha256", file) for name, file in _files(path)}


def _files(path: Path) -> list[tuple[str, Path]]:
    return [(file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file()]


def _digest(algorithm: str, file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
