"""Fetching by hash: complete and verified, or nothing at all."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fledge import fetch
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem


def pushed(remote: Path, folder: Path) -> str:
    """What `dvc push` leaves of a folder in a local remote; the folder's hash."""
    md5, listing = dvc_directory(folder)
    for entry in listing:
        target = remote / fetch.address(entry["md5"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((folder / entry["relpath"]).read_bytes())
    target = remote / fetch.address(md5)
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


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_file_is_named_and_nothing_is_left(tmp_path: Path, artifact: Path, damage: str) -> None:
    """A file that is not what the listing says is named, and the destination stays empty."""
    remote = tmp_path / "remote"
    md5 = pushed(remote, artifact)
    entry = next(e for e in dvc_directory(artifact)[1] if e["relpath"] == "saved_model.pb")
    path = remote / fetch.address(entry["md5"])
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


def test_a_hash_that_no_remote_has_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command exits 1 with one line that names the hash, the remote and what to do."""
    (tmp_path / "remote").mkdir()
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", "0" * 32 + ".dir", "--to", str(tmp_path / "pod")]
    assert fetch.main(arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"fetch: no {'0' * 32}.dir found, expected it pushed with `dvc push` ({tmp_path / 'remote'})"
    assert not (tmp_path / "pod").exists()


def test_a_tree_with_another_sha256_is_refused(tmp_path: Path, artifact: Path) -> None:
    """The release's sha256 is checked over the whole tree, not only DVC's md5s."""
    md5 = pushed(tmp_path / "remote", artifact)
    with pytest.raises(Problem, match=rf"has sha256 {tree_sha256(artifact)}, expected {'0' * 64}"):
        fetch.fetch(str(tmp_path / "remote"), md5, tmp_path / "pod", sha256="0" * 64)
    assert not (tmp_path / "pod").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/outside"])
def test_a_listing_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """A listing that names a path outside the artifact is refused before anything is written."""
    remote = tmp_path / "remote"
    content = json.dumps([{"md5": "0" * 32, "relpath": name}]).encode()

    md5 = hashlib.md5(content).hexdigest() + ".dir"
    target = remote / fetch.address(md5)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    with pytest.raises(Problem, match="expected paths inside the artifact"):
        fetch.fetch(str(remote), md5, tmp_path / "pod")


def test_one_file_of_a_folder_is_fetched_alone(tmp_path: Path, artifact: Path) -> None:
    """The replay job fetches one month of the data, not all of it."""
    md5 = pushed(tmp_path / "remote", artifact)
    arguments = ["--remote", str(tmp_path / "remote"), "--artifact", md5, "--to", str(tmp_path / "rows")]
    assert fetch.main([*arguments, "--only", "variables/variables.index"]) == 0
    files = [path for path in (tmp_path / "rows").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [b"index"]


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
    fetch.configure(tmp_path, "delays", 1002003)
    text = (tmp_path / "models.config").read_text()
    assert f'base_path: "{tmp_path}/delays"' in text
    assert "specific { versions: 1002003 }" in text
