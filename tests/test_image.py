"""The image's environment, installed as its Dockerfile does, and its commands run in it. No container is started."""

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fledge.hashing import dvc_directory
from fledge.rehearsal.ports import free
from scripts import export
from tests.conftest import ROOT
from tests.fetch.test_fetch import pushed

LIMIT = 200e6  # bytes, issue 5: what fetching and the judge need
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment with what `scripts.export image` names, from uv's cache where it is there."""
    folder = tmp_path_factory.mktemp("image")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.export", "image"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (folder / "image.txt").write_text(done.stdout)
    subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    command = [uv(), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--compile-bytecode"]
    command += ["--python", str(folder / "venv"), "--requirement", str(folder / "image.txt")]
    if subprocess.run([*command, "--offline"], capture_output=True).returncode:
        subprocess.run(command, check=True)
    return folder / "venv" / "bin" / "python"


def uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def run(python: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of the image in `folder`: the library is on the path, the packages are the image's, nothing is written."""
    return subprocess.run([python, *command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60)


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_image_is_small(python: Path) -> None:
    """What fetching and the judge install, bytecode included, is less than 200 MB, and has no TensorFlow."""
    files = [path for path in python.parent.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    print(f"image: {size / 1e6:.0f} MB in {len(files)} files")
    assert size < LIMIT
    packages = next(python.parent.parent.glob("lib/python3*/site-packages"))
    assert not [name for name in ("tensorflow", "dvc", "pandas", "pip", "keras") if (packages / name).exists()]


@pytest.mark.parametrize("module", re.findall(r'ENTRYPOINT \["python", "-m", "(fledge\.\w+)"\]', DOCKERFILE))
def test_every_entrypoint_starts(python: Path, tmp_path: Path, module: str) -> None:
    """Each target's command says how it is used, with the image's packages alone; the replay job has TensorFlow beside."""
    interpreter = Path(sys.executable) if module == "fledge.client.replay" else python
    done = run(interpreter, tmp_path, "-m", module, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")


def test_a_signed_artifact_is_fetched_in_the_image(python: Path, tmp_path: Path) -> None:
    """The init container's whole work, the signature too, needs no package that the image lacks."""
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    md5 = pushed(tmp_path / "remote", folder)
    sign = "import sys; from pathlib import Path; from fledge.artifact import keys, signing; "
    sign += "root, remote, md5 = sys.argv[1:]; "
    sign += (
        "signing.sign_and_store(Path(root), remote, Path(root) / 'saved_model', md5); print(*keys.public(Path(root)))"
    )
    signed = run(python, tmp_path, "-c", sign, str(tmp_path), str(tmp_path / "remote"), md5)
    assert signed.returncode == 0, signed.stderr
    options = [f"--remote={tmp_path / 'remote'}", f"--artifact={md5}", f"--key={signed.stdout.strip()}"]
    done = run(python, tmp_path, "-m", "fledge.fetch", *options, "--model=m", "--number=1", f"--to={tmp_path / 'pod'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert dvc_directory(tmp_path / "pod" / "m" / "1")[0] == md5


def test_a_bucket_is_read_in_the_image(python: Path, tmp_path: Path) -> None:
    """The package that reads S3 is there: what fails is the address, in one line."""
    options = ["--remote=s3://nowhere/models", f"--artifact={'0' * 32}.dir", f"--to={tmp_path / 'pod'}"]
    ask = "import os; os.environ.update(AWS_ENDPOINT_URL='http://127.0.0.1:9', AWS_ACCESS_KEY_ID='a', "
    ask += (
        "AWS_SECRET_ACCESS_KEY='b'); from fledge.fetch.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"
    )
    done = run(python, tmp_path, "-c", ask, *options)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "expected a remote that answers (s3://nowhere/models)" in line


@pytest.fixture
def judge(python: Path, tmp_path: Path) -> Iterator[int]:
    """A judge of the image's environment that runs; its port."""
    port = free()
    command = [python, "-m", "fledge.judge", f"--port={port}", "--envoy=http://127.0.0.1:9"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment())
    yield port
    process.terminate()
    process.wait(timeout=30)


def test_the_health_check_asks_the_judge(python: Path, tmp_path: Path, judge: int) -> None:
    """The very HEALTHCHECK of the Dockerfile succeeds while a judge answers, and fails in one line where none does."""
    found = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    command = json.loads(found[1])
    assert command[0] == "python"
    deadline = time.monotonic() + 30
    while (done := run(python, tmp_path, *(part.replace("8080", str(judge)) for part in command[1:]))).returncode:
        assert time.monotonic() < deadline, done.stderr
    away = run(python, tmp_path, *(part.replace("8080", "9") for part in command[1:]))
    assert away.returncode == 1
    [line] = away.stderr.splitlines()
    assert line.startswith("health: http://127.0.0.1:9/healthz answers ")
    assert run(python, tmp_path, "-m", "fledge.health", f"http://127.0.0.1:{judge}/nowhere").returncode == 1


def test_the_image_says_its_version_and_commit() -> None:
    """Both are labels, and the version is the project's own unless somebody says another."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}\n" in DOCKERFILE
    assert 'image.version="${VERSION}"' in DOCKERFILE
    assert 'image.revision="${COMMIT}"' in DOCKERFILE


def test_the_image_runs_as_nobody_on_a_pinned_base() -> None:
    """Its user is a number that is not root's, so that Kubernetes can see it; its base is a whole version, never latest."""
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["65532:65532"]
    assert re.search(r"^ARG PYTHON=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages == {"${PYTHON}"}
    assert {"fetch", "judge", "reconciler", "replay"} <= stages


def test_the_image_is_made_of_what_is_named_alone() -> None:
    """Everything is left out of the build's context first; what is let in is in git, and holds no key and no data."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    named = [line[1:] for line in lines if line.startswith("!")]
    tracked = subprocess.run(["git", "ls-files", "--", *named], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(any(name == one or name.startswith(f"{one}/") for name in tracked.stdout.split()) for one in named)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert {source for one in copied for source in one.split()} == set(named)


def test_what_is_exported_is_the_locks_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Each exported line is the lock's, with hashes, and a package that is pinned for two Pythons comes with both pins."""
    assert export.main(["image"]) == 0
    exported = capsys.readouterr().out
    lock = (ROOT / "requirements.lock").read_text()
    assert set(exported.splitlines()) <= set(lock.splitlines())
    pins = [line for line in lock.splitlines() if line.startswith("numpy==")]
    assert [line for line in exported.splitlines() if line.startswith("numpy==")] == pins
    assert len(pins) > 1
    assert "tensorflow==" not in exported


def test_a_group_that_is_not_locked_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown group exports nothing, instead of an image without its packages."""
    assert export.main(["image", "gcs"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("export: no fledge (pyproject.toml:gcs) found")


def test_the_dockerfile_exports_groups_that_exist() -> None:
    """Each group that a stage installs is in pyproject.toml."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    asked = {name for line in re.findall(r"scripts\.export ([\w ]+) >", DOCKERFILE) for name in line.split()}
    assert asked
    assert asked <= groups.keys()
