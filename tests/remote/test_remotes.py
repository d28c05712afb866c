"""Fetching from what DVC pushes to, with and without a signature: an HTTP server, and a real S3."""

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from fledge import fetch, remote
from fledge.artifact import keys, signing
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.retention import garbage
from tests.buckets import BUCKET, OWNER, READER, Store, become, serving
from tests.conftest import ROOT
from tests.workspace import run

REMOTE = f"s3://{BUCKET}/models"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real S3 with an owner and a reader."""
    with serving(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def s3(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The real S3, with the owner's credentials and its address in the environment, as a verb gets them."""
    become(store.environment(OWNER), monkeypatch)
    return store


@pytest.fixture
def owner(tmp_path: Path, trained: Path) -> Path:
    """An owner's DVC repository with a trained artifact, added and not pushed."""
    return Path(shutil.copytree(trained, tmp_path / "owner"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `owner` is a copy of, for the real DVC takes its time."""
    root = tmp_path_factory.mktemp("trained")
    (root / "model" / "variables").mkdir(parents=True)
    (root / "model" / "saved_model.pb").write_bytes(b"graph" * 1000)
    (root / "model" / "variables" / "variables.data-00000-of-00001").write_bytes(os.urandom(3 << 20))
    dvc(root, "init", "--quiet", "--no-scm")
    dvc(root, "add", "--quiet", "model")
    return root


def dvc(root: Path, *arguments: str) -> None:
    done = run(root, "dvc", *arguments)
    assert done.returncode == 0, done.stderr


def pushed(root: Path, remote: str) -> str:
    """Push the artifact of `owner` with the real DVC; its hash."""
    dvc(root, "remote", "add", "--quiet", "--default", "--force", "storage", remote)
    dvc(root, "push", "--quiet")
    return dvc_directory(root / "model")[0]


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """The address of an HTTP server over a folder: what is pushed there by other means is read."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """An HTTP server's answers, without its log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_dvc_pushed_to_s3_is_fetched_from_it(s3: Store, owner: Path, tmp_path: Path) -> None:
    """With credentials and address from the environment alone, DVC pushes to an S3 and the fetched tree is the same."""
    md5, sha256 = pushed(owner, REMOTE), tree_sha256(owner / "model")
    fetched = fetch.fetch(REMOTE, md5, tmp_path / "pod" / "1000000", sha256=sha256)
    assert (dvc_directory(fetched)[0], tree_sha256(fetched)) == (md5, sha256)
    assert (s3.folder / BUCKET / "models" / remote.address(md5)).is_file()


def begun(owner: Path, pod: Path, md5: str) -> None:
    """What a fetch leaves that is ended by force in the middle of the large file."""
    left = pod / f".fetch-{md5}" / "variables" / "variables.data-00000-of-00001"
    left.parent.mkdir(parents=True)
    left.write_bytes((owner / "model" / "variables" / left.name).read_bytes()[: 2 << 20])


def test_a_large_file_that_was_begun_is_finished(s3: Store, owner: Path, tmp_path: Path) -> None:
    """From S3 the rest comes alone; a web server without ranges sends all of it once more. Either way it is the same tree."""
    md5 = pushed(owner, REMOTE)
    begun(owner, tmp_path / "s3-pod", md5)
    assert dvc_directory(fetch.fetch(REMOTE, md5, tmp_path / "s3-pod" / "1"))[0] == md5
    begun(owner, tmp_path / "web-pod", md5)
    with web(s3.folder / BUCKET / "models") as address:
        assert dvc_directory(fetch.fetch(address, md5, tmp_path / "web-pod" / "1"))[0] == md5


def test_a_signed_artifact_comes_from_s3_in_a_process_of_its_own(s3: Store, owner: Path, tmp_path: Path) -> None:
    """The init container's command, with the reader's credentials, fetches and verifies what a release signed."""
    md5 = pushed(owner, REMOTE)
    signing.sign_and_store(owner, REMOTE, owner / "model", md5)
    options = [f"--remote={REMOTE}", f"--artifact={md5}", f"--key={','.join(keys.public(owner))}"]
    options += ["--model=delays", "--number=1000000", f"--to={tmp_path / 'pod'}"]
    environment = os.environ | s3.environment(READER) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fledge.fetch", *options]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert dvc_directory(tmp_path / "pod" / "delays" / "1000000")[0] == md5
    assert sorted(path.name for path in (tmp_path / "pod").rglob(".*")) == []


def test_a_remote_that_may_only_be_read_is_one_line(
    s3: Store, owner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may read alone can fetch, and cannot sign: the line says that the address may not be written."""
    md5 = pushed(owner, REMOTE)
    private_key, _ = keys.pair(owner)
    become(s3.environment(READER), monkeypatch)
    fetch.fetch(REMOTE, md5, tmp_path / "pod")
    with pytest.raises(
        Problem, match=r"signing: .*(Access ?Denied|Forbidden).*, expected an address that may be written"
    ) as problem:
        signing.sign(owner / "model", REMOTE, md5, private_key)
    assert len(problem.value.lines) == 1


def test_an_s3_that_knows_no_such_account_is_one_line(
    s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong credentials are told in one line, with the remote."""
    become(s3.environment({"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}), monkeypatch)
    with pytest.raises(Problem, match=rf"fetch: .*, expected a remote that answers \({REMOTE}\)") as problem:
        fetch.fetch(REMOTE, "0" * 32 + ".dir", tmp_path / "pod")
    assert len(problem.value.lines) == 1


def test_an_s3_that_is_away_is_one_line(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody listens is told in one line, within a minute."""
    become({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, monkeypatch)
    began = time.monotonic()
    with pytest.raises(Problem, match=r"fetch: .*127\.0\.0\.1:9.*, expected a remote that answers") as problem:
        fetch.fetch(REMOTE, "0" * 32 + ".dir", tmp_path / "pod")
    assert len(problem.value.lines) == 1
    assert time.monotonic() - began < 60


def test_a_tampered_object_of_s3_is_named(s3: Store, owner: Path, tmp_path: Path) -> None:
    """An object that was replaced in the bucket is refused by its hash, and nothing is published."""
    md5 = pushed(owner, REMOTE)
    entry = next(entry for entry in dvc_directory(owner / "model")[1] if entry["relpath"] == "saved_model.pb")
    with fsspec.open(f"{REMOTE}/{remote.address(entry['md5'])}", "wb") as target:
        target.write(b"other")
    with pytest.raises(Problem, match=r"saved_model\.pb has md5 .*: truncated or changed"):
        fetch.fetch(REMOTE, md5, tmp_path / "pod" / "1")
    assert list((tmp_path / "pod").iterdir()) == []


def test_what_lies_behind_a_web_server_is_fetched(owner: Path, tmp_path: Path) -> None:
    """An artifact and its signature come by HTTP as they do from a folder."""
    md5 = pushed(owner, str(tmp_path / "remote"))
    signing.sign_and_store(owner, str(tmp_path / "remote"), owner / "model", md5)
    with web(tmp_path / "remote") as address:
        fetched = fetch.fetch(address, md5, tmp_path / "pod" / "1", keys=keys.public(owner))
        with pytest.raises(
            Problem, match=rf"no {'0' * 32}\.dir found, expected it pushed with `dvc push` \({address}\)"
        ):
            fetch.fetch(address, "0" * 32 + ".dir", tmp_path / "pod" / "2")
    assert dvc_directory(fetched)[0] == md5


def test_what_was_tidied_away_can_be_pushed_again(owner: Path, tmp_path: Path) -> None:
    """DVC notices that a folder's listing is gone, and pushes listing and files anew, whatever it remembers."""
    where = str(tmp_path / "remote")
    md5 = pushed(owner, where)
    found = garbage.found(where, {}, set(), datetime.now(UTC) + 2 * garbage.GRACE)
    garbage.remove(where, found)
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] == []
    assert pushed(owner, where) == md5
    assert dvc_directory(fetch.fetch(where, md5, tmp_path / "pod"))[0] == md5
