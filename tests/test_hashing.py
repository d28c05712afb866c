"""Tests of fledge.hashing."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fledge.hashing import dvc_directory, tree_sha256

# Names that sort otherwise as strings, as path components and by locale.
NAMES = ["a.txt", "a/b.txt", "a-b/c.txt", "a/deeper/d.bin", "B.txt", "ä.txt", "empty"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with awkward names, an empty file and an empty folder."""
    for name in NAMES:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else name.encode() * 1000)
    (tmp_path / "data" / "nothing").mkdir()
    return tmp_path / "data"


def dvc(*arguments: str, cwd: Path) -> None:
    """Run the real DVC with its caches inside `cwd`."""
    environment = {
        "DVC_SITE_CACHE_DIR": str(cwd / "site"),
        "HOME": str(cwd),
        "PATH": "/usr/bin:/bin",
        "DVC_NO_ANALYTICS": "true",
    }
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], cwd=cwd, env=environment, check=True)


def test_dvc_directory_is_what_dvc_add_writes(folder: Path) -> None:
    """Our hash of a folder is the one that the real `dvc add` writes, and the listing is the one it stores."""
    dvc("init", "--no-scm", cwd=folder.parent)
    dvc("add", "data", cwd=folder.parent)
    expected = YAML(typ="safe").load(folder.parent / "data.dvc")["outs"][0]["md5"]
    found, listing = dvc_directory(folder)
    assert found == expected
    stored = folder.parent / ".dvc/cache/files/md5" / found[:2] / found[2:]
    assert json.loads(stored.read_text()) == listing


def test_tree_sha256_is_sha256sum_of_the_sorted_lines(folder: Path) -> None:
    """The hash of a tree can be computed from its definition alone."""
    lines = [
        name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).hexdigest().encode() + b"\n"
        for name in NAMES
    ]
    assert tree_sha256(folder) == hashlib.sha256(b"".join(sorted(lines))).hexdigest()


@pytest.mark.parametrize("change", ["byte", "rename", "add", "remove"])
def test_both_hashes_see_every_change(folder: Path, change: str) -> None:
    """A changed byte, another name, one file more and one file less each change both hashes."""
    before = dvc_directory(folder)[0], tree_sha256(folder)
    file = folder / "a" / "b.txt"
    match change:
        case "byte":
            file.write_bytes(b"b" + file.read_bytes()[1:])
        case "rename":
            file.rename(folder / "a" / "c.txt")
        case "add":
            (folder / "a" / "new").write_bytes(b"")
        case "remove":
            file.unlink()
    assert dvc_directory(folder)[0] != before[0]
    assert tree_sha256(folder) != before[1]
