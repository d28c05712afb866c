"""Setting up: what does not fit is one line, what was left half-done is mended."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import setup
from tests.conftest import ROOT


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a lock that pins uv, where commands are noted instead of run (`ran`)."""
    (tmp_path / "requirements.lock").write_text("uv==0.9.0\n")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that setup would have run, by what they bring."""
    noted: list[str] = []

    def note(*command: str) -> None:
        noted.append("venv" if "venv" in command else "sync" if "sync" in command else command[-1])

    monkeypatch.setattr(setup, "run", note)
    return noted


def an_environment(clone: Path, python: str, *, uv: bool = True) -> None:
    """A .venv whose interpreter is the script `python`."""
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, text in ({"python": python} | ({"uv": ""} if uv else {})).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


SAME = f"#!/bin/sh\necho {sys.version_info[0]} {sys.version_info[1]}\n"
OTHER, BROKEN = "#!/bin/sh\necho 3 10\n", "#!/nowhere/python\n"


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_a_python_that_does_not_fit_is_one_line(version: tuple[int, int]) -> None:
    """Too old and too new are both told what is expected and how to choose another."""
    found = ".".join(map(str, version))
    line = setup.unfit(version)
    assert line == f"setup: found Python {found}, expected 3.11 to 3.13 (make setup PYTHON=python3.13)"


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_the_supported_pythons_fit(version: tuple[int, int]) -> None:
    """3.11, 3.12 and 3.13 are let through."""
    assert setup.unfit(version) is None


def test_an_environment_that_fits_is_kept(clone: Path, ran: list[str]) -> None:
    """With the right Python and uv in .venv only the packages are brought in line."""
    an_environment(clone, SAME)
    setup.packages()
    assert ran == ["sync"]


def test_an_interrupted_setup_heals(clone: Path, ran: list[str]) -> None:
    """A .venv that was left between its making and uv gets uv, and is not made again."""
    an_environment(clone, SAME, uv=False)
    setup.packages()
    assert ran == ["uv==0.9.0", "sync"]


@pytest.mark.parametrize("python", [OTHER, BROKEN], ids=["other", "broken"])
def test_an_environment_of_another_python_is_made_again(clone: Path, ran: list[str], python: str) -> None:
    """A .venv of another version, or whose interpreter is gone, is replaced; so is none at all."""
    an_environment(clone, python)
    setup.packages()
    assert ran == ["venv", "sync"]


def test_no_kustomize_to_be_had_is_one_line(
    clone: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no kustomize fits and none can be built, the line says what was found and what would do."""

    def offline(tool: str) -> None:
        raise subprocess.CalledProcessError(
            1, [str(clone / ".venv" / "bin" / "uv"), "go", "install", setup.TOOLS[tool]]
        )

    an_environment(
        clone,
        "#!/bin/sh\necho 'fledge.problems.Problem: kustomize: found kustomize with kustomize 5.3, expected …' >&2\nexit 1\n",
    )
    monkeypatch.setattr(setup, "build", offline)
    assert setup.main([]) == 1
    assert capsys.readouterr().err == (
        "setup: found kustomize with kustomize 5.3 for kustomize, and building 5.8.1 failed (see above), expected "
        "kustomize ≥ 5.8 or kubectl with kustomize ≥ 5.5 on PATH, or a Go module proxy that answers (GOPROXY)\n"
    )
    assert not (clone / ".venv" / "ready").exists()


def test_an_actionlint_that_cannot_be_built_is_one_line(
    clone: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tool that was asked for and cannot be had is told by its own name."""

    def offline(tool: str) -> None:
        raise subprocess.CalledProcessError(
            1, [str(clone / ".venv" / "bin" / "uv"), "go", "install", setup.TOOLS[tool]]
        )

    an_environment(clone, SAME)
    monkeypatch.setattr(setup, "build", offline)
    monkeypatch.setattr(setup, "unfit_kustomize", lambda: None)
    assert setup.main(["actionlint"]) == 1
    assert capsys.readouterr().err.startswith(
        "setup: building actionlint failed (see above), expected a Go module proxy"
    )


def test_definitions_that_cannot_be_had_are_one_line(
    clone: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a Go module proxy `make crds` says what would do, and marks nothing as held."""

    def offline() -> None:
        raise subprocess.CalledProcessError(1, [*setup.go(), "mod", "download", "-json", *setup.CRDS])

    an_environment(clone, SAME)
    monkeypatch.setattr(setup, "definitions", offline)
    monkeypatch.setattr(setup, "unfit_kustomize", lambda: None)
    assert setup.main(["crds"]) == 1
    assert capsys.readouterr().err == (
        "setup: bringing the definitions of custom resources failed (see above), expected a Go module proxy that "
        "answers (GOPROXY; make crds)\n"
    )
    assert not setup.held()


def test_definitions_are_brought_once(clone: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`make crds` brings them where the pin is another one, and in a whole environment touches no package."""
    an_environment(clone, SAME)
    (clone / ".venv" / "ready").touch()
    (clone / ".tools").mkdir()
    pin = clone / ".tools" / "crds.pin"
    brought: list[str] = []

    def bring() -> None:
        brought.append("crds")
        pin.write_text(json.dumps(setup.CRDS))

    monkeypatch.setattr(setup, "definitions", bring)
    monkeypatch.setattr(setup, "unfit_kustomize", lambda: None)
    assert setup.main(["crds"]) == setup.main(["crds"]) == 0
    assert (brought, ran) == (["crds"], [])
    pin.write_text("an older one")
    assert setup.main(["crds"]) == 0
    assert brought == ["crds", "crds"]


def test_downloaded_modules_are_found_by_name_and_version() -> None:
    """Go prints one JSON object after another; each names its folder."""
    said = "".join(
        f'{{\n\t"Path": "{path}",\n\t"Version": "v1.0.0",\n\t"Dir": "/cache/{path}"\n}}\n'
        for path in ("a.org/x", "b.org/y")
    )
    assert setup.downloaded(said) == {
        "a.org/x@v1.0.0": Path("/cache/a.org/x"),
        "b.org/y@v1.0.0": Path("/cache/b.org/y"),
    }


def test_the_light_part_of_the_lock_is_whole_and_without_tensorflow() -> None:
    """It pins what [project.dependencies] name and what those need in turn, byte for byte as the lock does."""
    lock = (ROOT / "requirements.lock").read_text()
    light = setup.part(lock, *setup.LIGHT)
    names = set(re.findall(r"^([a-z0-9-]+)==", light, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {name.replace(".", "-") for name in project["dependencies"]} | {"uv"} <= names
    assert not names & {"tensorflow", "keras", "numpy", "pandas", "dvc", "mlflow", "pytest"}
    for name in names:
        asked = [Requirement(line) for line in metadata.requires(name) or []]
        needed = {canonicalize_name(one.name) for one in asked if not one.marker or one.marker.evaluate({"extra": ""})}
        assert needed <= names, f"{name} needs {needed - names}"
    assert all(line in lock for line in light.splitlines())
    assert light.count("--hash=sha256:") > len(names)


def test_a_light_environment_is_not_taken_for_a_whole_one(
    clone: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole environment serves the light verbs as it is; when the lock is newer, the light part alone is brought."""
    an_environment(clone, SAME)
    (clone / ".fledge").mkdir()
    monkeypatch.setattr(setup, "unfit_kustomize", lambda: None)
    light, ready = (clone / ".venv" / state for state in ("light", "ready"))
    assert setup.main([]) == setup.main(["light"]) == 0
    assert (ran, light.exists(), ready.exists()) == (["sync"], True, True)
    os.utime(ready, (0, 0))
    assert setup.main(["light"]) == 0
    assert (ran, light.exists(), ready.exists()) == (["sync", "sync"], True, False)
    assert (clone / ".fledge" / "light.lock").read_text() == "uv==0.9.0\n"


def test_what_this_machine_renders_with_is_asked_of_fledge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any kustomize on PATH or in .tools, what was found is `none`, as fledge.kustomize itself says."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "fledge").symlink_to(ROOT / "fledge")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.unfit_kustomize() == "none"


def test_make_stops_at_a_python_that_is_missing() -> None:
    """`make setup` with an interpreter that is not there fails without touching the environment."""
    watched = [ROOT / ".venv" / name for name in ("", "bin", "pyvenv.cfg", "ready", "lib")]
    before = {path: path.stat().st_mtime_ns for path in watched if path.exists()}
    done = subprocess.run(
        ["make", "--always-make", "setup", "PYTHON=python-that-is-not-there"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "python-that-is-not-there" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in watched if path.exists()} == before
