"""Fetching by hash: complete and verified, or nothing at all."""

import contextlib
import errno
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import fsspec
import pytest

from fledge import atomic, fetch
from fledge.fetch.__main__ import main as fetch_main
from fledge.fetch.aside import aside
from fledge.fetch.served import configure
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.remote import address, listing
from tests.workspace import run


def pushed(remote: Path, folder: Path) -> str:
    """What `dvc push` leaves of a folder in a local remote; the folder's hash."""
    md5, listing = dvc_directory(folder)
    for entry in listing:
        target = remote / address(entry["md5"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((folder / entry["relpath"]).read_bytes())
    target = remote / address(md5)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(listing))
    return md5


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph" * 1000)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_a_fetched_artifact_is_the_pushed_one(tmp_path: Path, artifact: Path) -> None:
    """Only the remote is shared: workspace gone, the fetched tree has the same hashes."""
    remote, sha256 = tmp_path / "remote", tree_sha256(artifact)
    md5 = pushed(remote, artifact)
    fetched = fetch.fetch(str(remote), md5, tmp_path / "pod" / "1000000", sha256=sha256)
    assert (dvc_directory(fetched)[0], tree_sha256(fetched)) == (md5, sha256)


def test_between_release_and_fetch_only_the_remote_is_shared(tmp_path: Path, artifact: Path) -> None:
    """What the real DVC added and pushed is fetched by its hash with workspace and cache deleted: the same tree."""
    owner, remote = tmp_path / "owner", tmp_path / "remote"
    (owner / "models").mkdir(parents=True)
    artifact.rename(owner / "models" / "saved_model")
    for command in (
        ("init", "--quiet", "--no-scm"),
        ("remote", "add", "--quiet", "--default", "storage", str(remote)),
        ("add", "--quiet", "models/saved_model"),
        ("push", "--quiet"),
    ):
        done = run(owner, "dvc", *command)
        assert done.returncode == 0, done.stderr
    before = dvc_directory(owner / "models" / "saved_model")[0], tree_sha256(owner / "models" / "saved_model")
    assert before[0] in (owner / "models" / "saved_model.dvc").read_text(), "DVC and we give it one name"
    shutil.rmtree(owner)
    fetched = fetch.fetch(str(remote), before[0], tmp_path / "pod" / "1000000", sha256=before[1])
    assert (dvc_directory(fetched)[0], tree_sha256(fetched)) == before


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_file_is_named_and_nothing_is_left(tmp_path: Path, artifact: Path, damage: str) -> None:
    """A file that is not what the listing says is named, and the destination stays empty."""
    remote = tmp_path / "remote"
    md5 = pushed(remote, artifact)
    entry = next(e for e in dvc_directory(artifact)[1] if e["relpath"] == "saved_model.pb")
    path = remote / address(entry["md5"])
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage == "truncated" else b"X" + content[1:])
    with pytest.raises(Problem, match=r"saved_model\.pb has md5 .*, expected .*: truncated or changed"):
        fetch.fetch(str(remote), md5, tmp_path / "pod" / "1000000")
    assert list((tmp_path / "pod").iterdir()) == []


def test_a_damaged_file_is_never_taken_for_a_finished_one(tmp_path: Path, artifact: Path) -> None:
    """A destination that was changed after fetching is fetched again."""
    remote = tmp_path / "remote"
    md5 = pushed(remote, artifact)
    fetched = fetch.fetch(str(remote), md5, tmp_path / "pod")
    (fetched / "saved_model.pb").write_bytes(b"other")
    assert dvc_directory(fetch.fetch(str(remote), md5, tmp_path / "pod"))[0] == md5


def test_what_is_there_already_is_checked_by_sha256_too(tmp_path: Path, artifact: Path) -> None:
    """A destination whose md5 fits is still refused when the release's sha256 does not."""
    md5 = pushed(tmp_path / "remote", artifact)
    fetched = fetch.fetch(str(tmp_path / "remote"), md5, tmp_path / "pod")
    with pytest.raises(Problem, match=rf"has sha256 {tree_sha256(fetched)}, expected {'0' * 64}"):
        fetch.fetch(str(tmp_path / "remote"), md5, fetched, sha256="0" * 64)


def faster(destination: Path, artifact: Path, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another fetcher publishes `artifact` before this one looks (`when` is "early"), or right before it renames."""
    rename, holds = Path.rename, fetch._holds
    looks: list[bool] = []

    def late(self: Path, target: Path) -> Path:
        shutil.copytree(artifact, destination)
        return rename(self, target)

    def early(*asked: Any) -> bool:
        if len(looks) == 1:
            shutil.copytree(artifact, destination)
        looks.append(holds(*asked))
        return looks[-1]

    if when == "late":
        monkeypatch.setattr(Path, "rename", late)
    else:
        monkeypatch.setattr(fetch, "_holds", early)


@pytest.mark.parametrize("when", ["early", "late"])
def test_two_fetchers_of_one_destination_both_succeed(
    tmp_path: Path, artifact: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second finds the tree there and right: that is what it was asked for, and its own copy is gone."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    faster(pod / "1", artifact, when, monkeypatch)
    assert dvc_directory(fetch.fetch(str(tmp_path / "remote"), md5, pod / "1"))[0] == md5
    assert list(pod.iterdir()) == [pod / "1"]


def test_a_destination_that_is_in_the_way_is_one_line(tmp_path: Path, artifact: Path) -> None:
    """Where a file lies at the destination nothing is published, and the line says what was expected."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    pod.write_text("a file")
    with pytest.raises(Problem, match=r"fetch: Not a directory at .*pod, expected a folder to write to \(--to\)"):
        fetch.fetch(str(tmp_path / "remote"), md5, pod)
    assert pod.read_text() == "a file"


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        ("nope://bucket/models", "Protocol not known: nope"),
        ("s3://bucket/models", "Install s3fs to access S3"),
    ],
)
def test_a_remote_that_no_package_reads_is_one_line(
    remote: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown protocol, and one whose package is not installed, name the remote's key in .dvc/config."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(Problem) as problem:
        fetch.fetch(remote, "0" * 32 + ".dir", tmp_path / "pod")
    (line,) = problem.value.lines
    assert line.startswith(f"fetch: found remote {remote} (")
    assert reason in line
    assert line.endswith("(.dvc/config: url of the remote)")


def refuse(*_: object, **__: object) -> Any:
    raise PermissionError(errno.EACCES, "Forbidden")


def reset(*_: object) -> Any:
    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def breaks(*_: object) -> Any:
    """A file whose connection is lost while it is read."""
    return contextlib.nullcontext(SimpleNamespace(read=reset))


class Unsigned(Exception):
    """What a remote's own client library raises, no OSError."""


def unsigned(*_: object, **__: object) -> Any:
    raise Unsigned("Unable to locate credentials")


@pytest.mark.parametrize(
    ("method", "failure", "reason"),
    [
        ("cat_file", refuse, "PermissionError: .*Forbidden"),
        ("cat_file", unsigned, "Unsigned: Unable to locate credentials"),
        ("open", refuse, "PermissionError: .*Forbidden"),
        ("open", breaks, "ConnectionResetError: .*Connection reset by peer"),
    ],
)
def test_a_remote_that_fails_is_one_line(
    tmp_path: Path,
    artifact: Path,
    method: str,
    failure: Callable[..., Any],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A remote that refuses or breaks off, at the listing or at a file, is told from a full disk; nothing is published."""
    md5 = pushed(tmp_path / "remote", artifact)
    remote = fsspec.implementations.local.LocalFileSystem
    before = getattr(remote, method)

    def failing(self: object, path: str, *rest: object) -> Any:
        return before(self, path, *rest) if method == "open" and path.endswith(".dir") else failure(self, path)

    monkeypatch.setattr(remote, method, failing)
    with pytest.raises(Problem, match=rf"fetch: .*{reason}, expected a remote that answers \(.*remote\)"):
        fetch.fetch(str(tmp_path / "remote"), md5, tmp_path / "pod" / "1000000")
    left = [] if method == "cat_file" else [f".fetch-{md5}"]  # what another try need not fetch again
    assert [path.name for path in (tmp_path / "pod").iterdir()] == left


@pytest.mark.parametrize(("given", "absent"), [("--model", "--number"), ("--number", "--model")])
def test_model_and_number_go_together(
    tmp_path: Path, artifact: Path, given: str, absent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model without its number would be served from a folder that no server reads: refused before anything is written."""
    md5 = pushed(tmp_path / "remote", artifact)
    value = {"--model": "delays", "--number": "1000000"}[given]
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", md5, "--to", str(tmp_path / "pod")]
    assert fetch_main([*arguments, given, value]) == 1
    assert capsys.readouterr().err == f"fetch: found {given} without {absent}, expected both or neither ({absent})\n"
    assert not (tmp_path / "pod").exists()


def test_a_hash_that_no_remote_has_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command exits 1 with one line that names the hash, the remote and what to do."""
    (tmp_path / "remote").mkdir()
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", "0" * 32 + ".dir", "--to", str(tmp_path / "pod")]
    assert fetch_main(arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"fetch: no {'0' * 32}.dir found, expected it pushed with `dvc push` ({tmp_path / 'remote'})"
    assert not (tmp_path / "pod").exists()


def test_a_tree_with_another_sha256_is_refused(tmp_path: Path, artifact: Path) -> None:
    """The release's sha256 is checked over the whole tree, not only DVC's md5s."""
    md5 = pushed(tmp_path / "remote", artifact)
    with pytest.raises(Problem, match=rf"has sha256 {tree_sha256(artifact)}, expected {'0' * 64}"):
        fetch.fetch(str(tmp_path / "remote"), md5, tmp_path / "pod", sha256="0" * 64)
    assert not (tmp_path / "pod").exists()


MD5 = "0" * 32


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        *(
            ([{"md5": MD5, "relpath": name}], "expected paths inside the artifact")
            for name in ("../outside", "/etc/outside", "a/../b", "./a", "a//b", "a/", ".", "", "a\0b", 3, None)
        ),
        ([{"md5": MD5, "relpath": "a"}] * 2, "names a twice, expected each file once"),
        ([{"md5": MD5, "relpath": name} for name in ("a/b", "a")], "names a as file and as folder"),
        ([{"md5": "../" + MD5[3:], "relpath": "a"}], "gives a the md5 '../0+', expected 32 hex digits"),
        ([{"md5": None, "relpath": "a"}], "gives a the md5 None, expected 32 hex digits"),
        ([{"relpath": "a"}], "is no listing, expected what `dvc push` wrote"),
        ([3], "is no listing, expected what `dvc push` wrote"),
        (3, "is no listing, expected what `dvc push` wrote"),
    ],
)
def test_a_listing_names_nothing_but_files_inside(tmp_path: Path, entries: Any, reason: str) -> None:
    """A listing of what no folder can hold is refused before anything is fetched, each reason by its own line."""
    remote = tmp_path / "remote"
    content = json.dumps(entries).encode()
    md5 = hashlib.md5(content).hexdigest() + ".dir"
    target = remote / address(md5)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    with pytest.raises(Problem, match=reason):
        fetch.fetch(str(remote), md5, tmp_path / "pod" / "1")
    assert list((tmp_path / "pod").iterdir()) == []


def test_all_that_is_wrong_with_a_listing_is_told_at_once(tmp_path: Path) -> None:
    """Two wrong names are two lines of one run."""
    content = json.dumps([{"md5": MD5, "relpath": name} for name in ("../a", "b", "/c")]).encode()
    with pytest.raises(Problem) as problem:
        listing.parsed(content, "0.dir", "remote")
    assert [line.split(",")[0] for line in problem.value.lines] == ["fetch: 0.dir names ../a", "fetch: 0.dir names /c"]


def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of files, not listings, that are opened in a local remote from now on."""
    system, opened = fsspec.implementations.local.LocalFileSystem, list[str]()
    before = system.open

    def noting(self: Any, path: str, *rest: Any) -> Any:
        opened.extend([path] if not path.endswith(".dir") else [])
        return before(self, path, *rest)

    monkeypatch.setattr(system, "open", noting)
    return opened


def test_what_an_interrupted_fetch_has_is_not_fetched_again(
    tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process killed between two files leaves one, and half of another: the next one asks for all but the whole one."""
    (artifact / "half").write_bytes(b"half of it")
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    left = pod / f".fetch-{md5}"
    left.mkdir(parents=True)
    shutil.copy(artifact / "saved_model.pb", left)
    (left / "half").write_bytes(b"half")
    opened = noted(monkeypatch)
    fetched = fetch.fetch(str(tmp_path / "remote"), md5, pod / "1")
    assert dvc_directory(fetched)[0] == md5
    missing = [entry["md5"] for entry in dvc_directory(artifact)[1] if entry["relpath"] != "saved_model.pb"]
    assert sorted(opened) == sorted(f"{tmp_path / 'remote'}/{address(one)}" for one in missing)
    assert list(pod.iterdir()) == [pod / "1"]


def test_after_a_lost_connection_only_the_rest_is_fetched(
    tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one file's connection broke off, the other file is kept, and the next try opens that one file alone."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    broken = next(e["md5"] for e in dvc_directory(artifact)[1] if e["relpath"] == "variables/variables.index")
    system = fsspec.implementations.local.LocalFileSystem
    before = system.open
    with monkeypatch.context() as patch:
        patch.setattr(
            system,
            "open",
            lambda self, path, *rest: reset() if path.endswith(broken[2:]) else before(self, path, *rest),
        )
        with pytest.raises(Problem, match=r"variables\.index\): ConnectionResetError"):
            fetch.fetch(str(tmp_path / "remote"), md5, pod / "1")
    opened = noted(monkeypatch)
    assert dvc_directory(fetch.fetch(str(tmp_path / "remote"), md5, pod / "1"))[0] == md5
    assert opened == [f"{tmp_path / 'remote'}/{address(broken)}"]


class Counted:
    """A file of the remote that notes how many bytes are read of it; one that is `whole` sends no rest alone."""

    def __init__(self, file: Any, read: list[int], whole: bool) -> None:
        self.file, self.bytes, self.whole = file, read, whole

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def seek(self, start: int) -> None:
        if self.whole:
            raise ValueError("Cannot seek streaming HTTP file")
        self.file.seek(start)

    def read(self, size: int) -> bytes:
        chunk: bytes = self.file.read(size)
        self.bytes.append(len(chunk))
        return chunk


@pytest.mark.parametrize(
    ("left", "whole", "fetched"),
    [
        (b"graph" * 400, False, 3000),
        (b"other" * 400, False, 3000 + 5000),
        (b"graph" * 2000, False, 5000),
        (b"graph", True, 5000),
    ],
    ids=["a beginning", "another file's", "too long", "no rest alone"],
)
def test_half_a_file_is_gone_on_with(
    tmp_path: Path, artifact: Path, left: bytes, whole: bool, fetched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that an earlier try began only the rest is read; what is no beginning of it costs a second reading."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    aside = pod / f".fetch-{md5}"
    aside.mkdir(parents=True)
    shutil.copytree(artifact / "variables", aside / "variables")
    (aside / "saved_model.pb").write_bytes(left)
    system, read = fsspec.implementations.local.LocalFileSystem, list[int]()
    before = system.open

    def counting(self: Any, path: str, *rest: Any) -> Any:
        file = before(self, path, *rest)
        return file if path.endswith(".dir") else Counted(file, read, whole)

    monkeypatch.setattr(system, "open", counting)
    assert dvc_directory(fetch.fetch(str(tmp_path / "remote"), md5, pod / "1"))[0] == md5
    assert sum(read) == fetched
    assert list(pod.iterdir()) == [pod / "1"]


@pytest.mark.parametrize("planted", ["extra", "link", "folder-link"])
def test_what_was_planted_where_an_interrupted_fetch_goes_on_is_not_followed(
    tmp_path: Path, artifact: Path, planted: str
) -> None:
    """A file too many is not published, and a link in a listed file's or folder's place leads no byte out of the folder."""
    md5, pod, outside = pushed(tmp_path / "remote", artifact), tmp_path / "pod", tmp_path / "outside"
    left = pod / f".fetch-{md5}"
    left.mkdir(parents=True)
    outside.mkdir()
    if planted == "extra":
        (left / "extra").write_text("more")
    elif planted == "link":
        (left / "saved_model.pb").symlink_to(outside / "saved_model.pb")
    else:
        (left / "variables").symlink_to(outside)
    assert dvc_directory(fetch.fetch(str(tmp_path / "remote"), md5, pod / "1"))[0] == md5
    assert list(outside.iterdir()) == []
    assert not any(path.is_symlink() for path in (pod / "1").rglob("*"))


def test_a_destination_with_a_link_is_fetched_again(tmp_path: Path, artifact: Path) -> None:
    """A tree whose file is a link to the right bytes is not taken for the artifact: the bytes may change under it."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    fetched = fetch.fetch(str(tmp_path / "remote"), md5, pod / "1")
    (fetched / "saved_model.pb").unlink()
    (fetched / "saved_model.pb").symlink_to(artifact / "saved_model.pb")
    fetch.fetch(str(tmp_path / "remote"), md5, pod / "1")
    assert not (fetched / "saved_model.pb").is_symlink()


def test_a_second_fetcher_waits_for_the_first(tmp_path: Path, artifact: Path) -> None:
    """While one process fills the folder aside, another one does not touch it; then it finds the tree there."""
    md5, pod = pushed(tmp_path / "remote", artifact), tmp_path / "pod"
    with ThreadPoolExecutor(1) as pool:
        with aside(pod / "1", md5) as folder:
            second = pool.submit(fetch.fetch, str(tmp_path / "remote"), md5, pod / "1")
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
            shutil.copytree(artifact, folder, dirs_exist_ok=True)
            folder.rename(pod / "1")
        assert second.result(timeout=30) == pod / "1"
    assert list(pod.iterdir()) == [pod / "1"]


@pytest.mark.parametrize("more", ["--key=AA", "--sha256=00"])
def test_one_file_is_not_asked_for_what_proves_a_whole_folder(
    tmp_path: Path, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signature covers a folder: --only with a key would promise what nobody checks."""
    options = ["--remote", "x", "--artifact", "y", "--to", str(tmp_path), "--only", "z", more]
    assert fetch_main(options) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("fetch: found --only with --key or --sha256")


def test_one_file_of_a_folder_is_fetched_alone(tmp_path: Path, artifact: Path) -> None:
    """The replay job fetches one month of the data, not all of it."""
    md5 = pushed(tmp_path / "remote", artifact)
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", md5, "--to", str(tmp_path / "rows")]
    assert fetch_main([*arguments, "--only", "variables/variables.index"]) == 0
    files = [path for path in (tmp_path / "rows").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [b"index"]


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["pathlib.Path.mkdir", "pathlib.Path.rename", "pathlib.Path.open", "tempfile.mkstemp"])
def test_a_disk_that_is_full_at_any_step_is_one_line(
    tmp_path: Path, artifact: Path, call: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever call meets the full disk, a folder's, a file's or the configuration's, the command says so and exits 1."""
    md5 = pushed(tmp_path / "remote", artifact)
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", md5, "--to", str(tmp_path / "pod")]
    monkeypatch.setattr(call, full)
    assert fetch_main([*arguments, "--model", "delays", "--number", "1000000"]) == 1
    monkeypatch.undo()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fetch: no space left at {tmp_path / 'pod'}")
    assert line.endswith(", expected room for the artifact (free some)")
    assert list(tmp_path.rglob(".*")) == []


@pytest.mark.parametrize("call", ["os.chmod", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed write the old content is there, and nothing else."""
    file = tmp_path / "models.config"
    atomic.write(file, "old")
    monkeypatch.setattr(call, full)
    with pytest.raises(OSError, match="No space left"):
        atomic.write(file, "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"models.config": "old"}


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, artifact: Path) -> None:
    """On a real file system without room the fetch says so, exits 1 and cleans up."""
    (artifact / "saved_model.pb").write_bytes(bytes(1 << 20))
    md5 = pushed(tmp_path / "remote", artifact)
    small = tmp_path / "small"
    small.mkdir()
    fetching = f"{sys.executable} -m fledge.fetch --remote {tmp_path / 'remote'} --artifact {md5} --to {small}/pod"
    script = f"mount -t tmpfs -o size=64k tmpfs {small} && {{ {fetching}; echo exit $?; ls -A {small}; }}"
    isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(isolated, capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    assert done.stdout.splitlines() == ["exit 1"]
    assert done.stderr.strip() == f"fetch: no space left at {small}/pod, expected room for the artifact (free some)"


def test_the_servers_configuration_names_the_version(tmp_path: Path) -> None:
    """The init container leaves a configuration for exactly one version of one model."""
    configure(tmp_path, "delays", 1002003)
    text = (tmp_path / "models.config").read_text()
    assert f'base_path: "{tmp_path}/delays"' in text
    assert "specific { versions: 1002003 }" in text
