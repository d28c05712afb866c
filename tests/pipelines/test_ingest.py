"""Tests of pipelines.ingest: data/ is made anew and proved by data.dvc, with the real DVC."""

import re
import shutil
from pathlib import Path

import pytest

from fledge.hashing import dvc_directory
from tests.workspace import an_owner_of_colours, run


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose data/ is made and pinned by the real `dvc add`."""
    root = an_owner_of_colours(tmp_path_factory.mktemp("pinned"))
    first = run(root, "pipelines.ingest")
    assert first.returncode == 1
    assert first.stderr == "data: no hash to compare with, expected one (data.dvc: run dvc add data, and commit it)\n"
    added = run(root, "dvc", "add", "--quiet", "data")
    assert added.returncode == 0, added.stderr
    return root


@pytest.fixture
def root(pinned: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(pinned, tmp_path / "clone")


def test_a_fresh_clone_rebuilds_and_proves_the_data(root: Path) -> None:
    """Without data/ and with an empty cache the rows come back, the hash is the pinned one, and data.dvc keeps its bytes."""
    shutil.rmtree(root / "data")
    shutil.rmtree(root / ".dvc" / "cache")
    pin = (root / "data.dvc").read_bytes()
    done = run(root, "pipelines.ingest")
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in (root / "data" / "colours").iterdir()) == ["2020-01.parquet", "2020-02.parquet"]
    assert (root / "data.dvc").read_bytes() == pin
    status = run(root, "dvc", "status", "--quiet", "data.dvc")
    assert status.returncode == 0, "DVC itself finds the data pinned and cached"


def test_a_changed_byte_is_named(root: Path) -> None:
    """One changed byte is refused by file, hash and key; data.dvc keeps its bytes; no traceback."""
    file, pin = root / "data" / "colours" / "2020-02.parquet", (root / "data.dvc").read_bytes()
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.unlink()
    file.write_bytes(content)
    done = run(root, "pipelines.ingest", "--check")
    assert done.returncode == 1
    assert re.fullmatch(
        r"data: data/colours/2020-02\.parquet has md5 [0-9a-f]{32}, expected [0-9a-f]{32} "
        r"\(data\.dvc: outs\.md5; if meant: make data ACCEPT=1\)\n",
        done.stderr,
    )
    assert (root / "data.dvc").read_bytes() == pin


def test_files_more_and_less_are_named(root: Path) -> None:
    """A month that is gone and one that nobody pinned are both named, in one run."""
    folder = root / "data" / "colours"
    (folder / "2020-01.parquet").rename(folder / "2020-03.parquet")
    done = run(root, "pipelines.ingest", "--check")
    assert done.returncode == 1
    gone, new = done.stderr.splitlines()
    assert gone.startswith("data: data/colours/2020-01.parquet is not there, expected ")
    assert re.match(r"data: data/colours/2020-03\.parquet has md5 [0-9a-f]{32}, expected no such file \(", new)


def write_otherwise(root: Path) -> None:
    """data.py makes another February."""
    source = root / "models" / "colours" / "data.py"
    source.write_text(source.read_text().replace("range(300)", "range(300 if month.endswith('1') else 299)"))


def test_rows_that_data_py_writes_otherwise_are_named(root: Path) -> None:
    """When data.py itself makes other rows, every file that it changed is named, and only those."""
    write_otherwise(root)
    done = run(root, "pipelines.ingest")
    assert done.returncode == 1
    assert [line.split()[1] for line in done.stderr.splitlines()] == ["data/colours/2020-02.parquet"]


@pytest.mark.parametrize("there", [True, False], ids=["data is there", "fresh clone"])
def test_unproved_rows_never_reach_data(root: Path, there: bool) -> None:
    """After a refusal data/ is as it was, so that no later `dvc repro` can take other rows for meant."""
    write_otherwise(root)
    if not there:
        shutil.rmtree(root / "data")
    pin = (root / "data.dvc").read_bytes()
    assert run(root, "pipelines.ingest").returncode == 1
    assert (root / "data").exists() == there
    run(root, "dvc", "repro", "--quiet", "data.dvc")
    assert (root / "data.dvc").read_bytes() == pin


def test_rows_that_are_meant_are_accepted_and_pinned(root: Path) -> None:
    """`--accept` takes what data.py makes and pins it, and from then on it is what must come out."""
    write_otherwise(root)
    pin = (root / "data.dvc").read_bytes()
    done = run(root, "pipelines.ingest", "--accept")
    assert done.returncode == 0, done.stderr
    assert (root / "data.dvc").read_bytes() != pin
    assert dvc_directory(root / "data")[0] in (root / "data.dvc").read_text()
    assert run(root, "pipelines.ingest").returncode == 0


def test_a_dvc_that_fails_is_one_line(root: Path) -> None:
    """DVC's own failure is told in one line that names the command, without a traceback."""
    shutil.rmtree(root / ".dvc" / "cache")
    (root / ".dvc" / "cache").write_text("no folder")
    done = run(root, "pipelines.ingest")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.match(r"dvc: .+, expected `dvc commit` to succeed \(dvc\.yaml, \.dvc/config\)$", line)
    assert "troubles" not in line, "the error itself is told, not the offer of help after it"


def test_without_a_listing_the_folder_is_named(root: Path) -> None:
    """Where no cache tells what the pinned hash stands for, the hashes of the whole folder are compared."""
    shutil.rmtree(root / ".dvc" / "cache")
    (root / "data" / "colours" / "2020-01.parquet").unlink()
    done = run(root, "pipelines.ingest", "--check")
    assert done.returncode == 1
    assert re.fullmatch(
        r"data: data has md5 [0-9a-f]{32}\.dir, expected [0-9a-f]{32}\.dir \(data\.dvc: .*\)\n", done.stderr
    )


def test_a_model_without_data_py_is_named(root: Path) -> None:
    """A name in project.yaml that has no data.py is refused, and the data/ that is there stays."""
    (root / "models" / "colours" / "data.py").unlink()
    done = run(root, "pipelines.ingest")
    assert done.returncode == 1
    assert done.stderr == "colours: no models/colours/data.py found, expected one (project.yaml: models)\n"
    assert (root / "data" / "colours").is_dir()
