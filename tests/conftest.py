"""A scratch repository made from this template, with a bare remote: real git, real kustomize."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fledge import git
from tests import repository as scratch
from tests.fleets import copied, pair, ready, two
from tests.repository import HOME, Repository, a_release

__all__ = ["ROOT", "Repository", "a_release", "copied", "pair", "ready", "two"]

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["project.yaml", "manifests", ".dvc/config", ".gitignore"]
PARTS += [f"{HOME}/{name}" for name in ("params.yaml", "contract.yaml", ".gitignore")]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each test's repository is a copy of: `clone`, at `main` and pushed to `origin.git`."""
    folder = tmp_path_factory.mktemp("template")
    root = folder / "clone"
    for part in PARTS:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, root / part)
    shutil.rmtree(root / "manifests" / "releases", ignore_errors=True)
    for environment in (root / "manifests" / "rendered").glob("*/"):
        shutil.rmtree(environment)
    with pytest.MonkeyPatch.context() as patch:
        alone(patch)
        patch.setenv("GIT_TEMPLATE_DIR", "")  # no examples of hooks
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", folder / "origin.git"], check=True)
        subprocess.run(["git", "init", "--quiet", "-b", "main", root], check=True)
        git.git(root, "remote", "add", "origin", str(folder / "origin.git"))
        made = Repository(root, folder / "remote")
        made.fetched_from(str(made.remote))
        made.commit("Start from the template")
        git.git(root, "push", "--quiet", "-u", "origin", "main")
    return folder


def alone(patch: pytest.MonkeyPatch) -> None:
    """git as a person without settings has it."""
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        patch.delenv(variable)
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{who}_NAME", "A Person")
        patch.setenv(f"GIT_{who}_EMAIL", "person@example.com")


@pytest.fixture
def repository(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The template as an owner has it after setting a remote, at `main`, pushed; the current folder.

    Nothing is trained: `place`, `release` and `a_release` do that, with an artifact of their own for each version. The
    remote is of this test, at one place for all of them, because the commit that they begin with names it.
    """
    alone(monkeypatch)
    made = Repository(tmp_path / "clone", template / "remote")
    shutil.copytree(template / "clone", made.root)
    shutil.copytree(template / "origin.git", tmp_path / "origin.git")
    git.git(made.root, "remote", "set-url", "origin", str(tmp_path / "origin.git"))
    shutil.rmtree(made.remote, ignore_errors=True)
    made.remote.mkdir()
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(scratch, "active", made)
    return made


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel for each candidate of tiny/logistic.py, exported in a fresh process with all of TensorFlow."""
    out = tmp_path_factory.mktemp("zoo")
    done = subprocess.run([sys.executable, ROOT / "tests/tiny/logistic.py", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out
