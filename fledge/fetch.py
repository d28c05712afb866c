"""Fetch an artifact by its DVC hash from any fsspec remote: verified file by file, published by rename.

The same code is the pod's init container, CI's way to candidate and champion, and a laptop's. No TensorFlow.
"""

import argparse
import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

    A destination that already holds it is left alone. Raises Problem for a hash that the remote lacks,
    a file that is not what the listing says, a tree that is not `sha256`, a name that leaves the folder,
    and a disk that is full.
    """
    if destination.exists() and dvc_directory(destination)[0] == artifact:
        return destination
    with _aside(destination) as folder:
        filesystem, entries = _listing(remote, artifact)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda e: _file(filesystem, remote, e, folder / e["relpath"]), entries))
        if sha256 and (found := tree_sha256(folder)) != sha256:
            raise Problem(f"fetch: {artifact} has sha256 {found}, expected {sha256} (release.yaml: artifact.sha256)")
        shutil.rmtree(destination, ignore_errors=True)
        folder.rename(destination)
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
    filesystem, _ = fsspec.core.url_to_fs(remote)
    content = _read(filesystem, remote, artifact)
    _verify(artifact, hashlib.md5(content).hexdigest(), artifact.removesuffix(".dir"), remote)
    entries: list[dict[str, str]] = json.loads(content)
    for entry in entries:
        path = PurePosixPath(entry["relpath"])
        if path.is_absolute() or ".." in path.parts:
            raise Problem(f"fetch: {artifact} names {path}, expected paths inside the artifact ({remote})")
    return filesystem, entries


def _read(filesystem: Any, remote: str, md5: str) -> bytes:
    try:
        content: bytes = filesystem.cat_file(f"{remote.rstrip('/')}/{address(md5)}")
    except FileNotFoundError:
        raise _absent(md5, remote) from None
    except OSError as error:
        raise Problem(f"fetch: {error}, expected a remote that answers ({remote})") from None
    return content


def _file(filesystem: Any, remote: str, entry: dict[str, str], path: Path) -> None:
    """One file of the listing at `path`, hashed while it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5()
    try:
        source = filesystem.open(f"{remote.rstrip('/')}/{address(entry['md5'])}", "rb")
    except FileNotFoundError:
        raise _absent(f"{entry['md5']} ({entry['relpath']})", remote) from None
    with source, path.open("wb") as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    _verify(entry["relpath"], digest.hexdigest(), entry["md5"], remote)


def _absent(what: str, remote: str) -> Problem:
    return Problem(f"fetch: no {what} found, expected it pushed with `dvc push` ({remote})")


def _verify(name: str, found: str, expected: str, remote: str) -> None:
    if found != expected:
        raise Problem(f"fetch: {name} has md5 {found}, expected {expected}: truncated or changed ({remote})")


@contextmanager
def _aside(destination: Path) -> Iterator[Path]:
    """A folder beside `destination` to fill and rename from; nothing of it stays behind."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=destination.parent, prefix=".fetch-"))
    try:
        folder.chmod(0o755)
        yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Problem(f"fetch: no space left at {destination}, expected room for the artifact (free some)") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    """Write models.config and monitoring.config for one version of one model below `folder`."""
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
    parser.add_argument("--number", type=int, help="TensorFlow Serving's version")
    parser.add_argument("--only", help="fetch this one file of the folder")
    options = parser.parse_args(argv)
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
