"""Fetch an artifact by its DVC hash from any fsspec remote: verified file by file, published by rename.

The same code is the pod's init container, CI's way to candidate and champion, and a laptop's. No TensorFlow.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from fledge.atomic import write
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem, reported

CHUNK = 1 << 20
PARALLEL = 8


def fetch(remote: str, artifact: str, destination: Path, *, sha256: str | None = None) -> Path:
    """The folder `artifact` (DVC's "….dir" hash) at `destination`, complete and verified or not there at all.

    A destination that already holds it is left alone. Raises Problem for a remote that does not answer or lacks the
    hash, a file that is not what the listing says, a tree that is not `sha256`, a name that leaves the folder,
    and a disk that is full or may not be written.
    """
    if _holds(destination, artifact, sha256):
        return destination
    with _aside(destination) as folder:
        filesystem, entries = _listing(remote, artifact)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda e: _file(filesystem, remote, e, folder / e["relpath"]), entries))
        if sha256 and (found := tree_sha256(folder)) != sha256:
            raise Problem(f"fetch: {artifact} has sha256 {found}, expected {sha256} (release.yaml: artifact.sha256)")
        _publish(folder, destination, artifact, sha256)
    return destination


def fetch_one(remote: str, artifact: str, name: str, destination: Path) -> Path:
    """The single file `name` of the folder `artifact`, verified, at `destination`. Raises as `fetch` does."""
    with _aside(destination) as folder:
        filesystem, entries = _listing(remote, artifact)
        entry = next((entry for entry in entries if entry["relpath"] == name), None)
        if entry is None:
            raise Problem(f"fetch: no file {name} found in {artifact}, expected one of its {len(entries)} ({remote})")
        _file(filesystem, remote, entry, folder / "file")
        (folder / "file").replace(destination)
    return destination


def address(md5: str) -> str:
    """Where DVC keeps an object below a remote: files/md5/<2 digits>/<the rest>."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _listing(remote: str, artifact: str) -> tuple[Any, list[dict[str, str]]]:
    if not re.fullmatch(r"[0-9a-f]{32}\.dir", artifact):
        raise Problem(
            f"fetch: found artifact {artifact!r}, expected 32 hex digits and .dir (release.yaml: artifact.md5)"
        )
    filesystem = _filesystem(remote)
    with _answering(remote, artifact):
        content = filesystem.cat_file(f"{remote.rstrip('/')}/{address(artifact)}")
    _verify(artifact, hashlib.md5(content).hexdigest(), artifact.removesuffix(".dir"), remote)
    entries: list[dict[str, str]] = json.loads(content)
    for entry in entries:
        path = PurePosixPath(entry["relpath"])
        if path.is_absolute() or ".." in path.parts:
            raise Problem(f"fetch: {artifact} names {path}, expected paths inside the artifact ({remote})")
    return filesystem, entries


def _filesystem(remote: str) -> Any:
    try:
        return fsspec.core.url_to_fs(remote)[0]
    except (ImportError, ValueError) as error:  # its package is not installed; no such protocol
        raise Problem(
            f"fetch: found remote {remote} ({error}), expected an address that an installed fsspec package reads "
            "(.dvc/config: url of the remote)"
        ) from None


def _file(filesystem: Any, remote: str, entry: dict[str, str], path: Path) -> None:
    """One file of the listing at `path`, hashed while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5()
    with path.open("wb") as target:
        for chunk in _chunks(filesystem, remote, entry):
            digest.update(chunk)
            target.write(chunk)
    _verify(entry["relpath"], digest.hexdigest(), entry["md5"], remote)


def _chunks(filesystem: Any, remote: str, entry: dict[str, str]) -> Iterator[bytes]:
    """The remote's bytes; what goes wrong while they are written is not the remote's fault."""
    with (
        _answering(remote, f"{entry['md5']} ({entry['relpath']})"),
        filesystem.open(f"{remote.rstrip('/')}/{address(entry['md5'])}", "rb") as source,
    ):
        while chunk := source.read(CHUNK):
            yield chunk


@contextlib.contextmanager
def _answering(remote: str, what: str) -> Iterator[None]:
    """A remote's failure as one line. Each fsspec package raises what its own client library raises."""
    try:
        yield
    except FileNotFoundError:
        raise Problem(f"fetch: no {what} found, expected it pushed with `dvc push` ({remote})") from None
    except Exception as error:  # noqa: BLE001  see above
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Problem(f"fetch: {what}: {said}, expected a remote that answers ({remote})") from None


def _verify(name: str, found: str, expected: str, remote: str) -> None:
    if found != expected:
        raise Problem(f"fetch: {name} has md5 {found}, expected {expected}: truncated or changed ({remote})")


def _holds(destination: Path, artifact: str, sha256: str | None) -> bool:
    try:
        right = destination.is_dir() and dvc_directory(destination)[0] == artifact
        return right and (not sha256 or tree_sha256(destination) == sha256)
    except FileNotFoundError:  # another fetcher replaces it at this moment
        return False


def _publish(folder: Path, destination: Path, artifact: str, sha256: str | None) -> None:
    """Rename `folder` to `destination`, unless another fetcher was faster: then the tree is there already."""
    if _holds(destination, artifact, sha256):
        return
    shutil.rmtree(destination, ignore_errors=True)
    try:
        folder.rename(destination)
    except OSError:
        if not _holds(destination, artifact, sha256):
            raise


@contextlib.contextmanager
def _aside(destination: Path) -> Iterator[Path]:
    """A folder beside `destination` to fill and rename from; nothing of it stays behind."""
    with _writing(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=destination.parent, prefix=".fetch-", ignore_cleanup_errors=True
        ) as folder:
            Path(folder).chmod(0o755)
            yield Path(folder)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What this machine's disk refuses, as one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Problem(f"fetch: no space left at {path}, expected room for the artifact (free some)") from None
        raise Problem(f"fetch: {error.strerror} at {path}, expected a folder to write to (--to)") from None


# The server's own configuration lies beside the model: a pod uses no ConfigMap,
# because one that is pruned with its release breaks the rollback (argo-rollouts#2669).
MODELS = """model_config_list {{
  config {{
    name: "{model}"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {number} }} }}
  }}
}}
"""
MONITORING = """prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""


def configure(folder: Path, model: str, number: int) -> None:
    """Write models.config and monitoring.config for one version of one model below `folder`. Raises Problem as `fetch`."""
    with _writing(folder):
        write(folder / "models.config", MODELS.format(model=model, base=folder / model, number=number))
        write(folder / "monitoring.config", MONITORING)


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Fetch an artifact, or one file of it."""
    parser = argparse.ArgumentParser(prog="fledge.fetch", description=__doc__)
    parser.add_argument("--remote", required=True, help="the DVC remote's address")
    parser.add_argument("--artifact", required=True, help="DVC's hash of the folder: 32 hex digits and .dir")
    parser.add_argument("--to", required=True, type=Path, help="the folder to write to")
    parser.add_argument("--sha256", help="of the whole tree")
    parser.add_argument("--model", help="write <to>/<model>/<number> and the server's configuration")
    parser.add_argument("--number", type=int, help="TensorFlow Serving's version, with --model")
    parser.add_argument("--only", help="fetch this one file of the folder")
    options = parser.parse_args(argv)
    if (options.model is None) != (options.number is None):
        found, absent = ("--model", "--number") if options.number is None else ("--number", "--model")
        raise Problem(f"fetch: found {found} without {absent}, expected both or neither ({absent})")
    if options.only:
        path = fetch_one(options.remote, options.artifact, options.only, options.to / options.only)
    elif options.model:
        path = options.to / options.model / str(options.number)
        fetch(options.remote, options.artifact, path, sha256=options.sha256)
        configure(options.to, options.model, options.number)
    else:
        path = fetch(options.remote, options.artifact, options.to, sha256=options.sha256)
    print(f"fetched {options.artifact} to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
