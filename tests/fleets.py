"""A small fleet for tests: made once, copied for each test that changes it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fledge import git
from fledge.release import Files, render
from scripts import fleet, healthy
from scripts.fleet import Fleet

COUNT = 10  # more than are made without other processes (fledge.cores.FEW)


@contextmanager
def alone() -> Iterator[None]:
    """git without the settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(variable)
        for name, value in (git.APP | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """COUNT models, each healthy in both environments."""
    with alone():
        return fleet.build(tmp_path_factory.mktemp("fleet"), COUNT)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Two models, each healthy in both environments: for what is not about many."""
    with alone():
        return fleet.build(tmp_path_factory.mktemp("pair"), 2)


@pytest.fixture
def copied(ready: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet of one's own, at `main`; its clone is the current folder."""
    with own(ready, tmp_path) as made:
        yield made


@pytest.fixture
def two(pair: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """As `copied`, of two models."""
    with own(pair, tmp_path) as made:
        yield made


@contextmanager
def own(ready: Fleet, folder: Path) -> Iterator[Fleet]:
    """A copy in a folder, at `main`; its clone is the current folder."""
    shutil.copytree(ready.folder, folder / "fleet", symlinks=True)
    made = Fleet(folder / "fleet", ready.models)
    with alone(), contextlib.chdir(made.root):
        git.git(made.root, "remote", "set-url", "origin", str(made.folder / "origin.git"))
        git.git(made.root, "fetch", "--quiet")
        yield made


def release(made: Fleet, model: str, version: str) -> str:
    """Merge a new release to the first environment; its delivery, which nobody judged yet."""
    fleet.propose(made, model, version, "release")
    files = Files("staging", model)
    render.write(made.root, files, fleet.offered(made, model, version))
    git.commit(made.root, f"Render {model} {version}", files.release, files.rendered)
    return merge(made, files, "release")


def merge(made: Fleet, files: Files, branch: str) -> str:
    """Merge a branch to the target branch, and delete it; the delivery that `files` then tell."""
    git.git(made.root, "switch", "--quiet", "main")
    git.git(made.root, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
    git.git(made.root, "branch", "--quiet", "-D", branch)
    return pushed(made, files)


def pushed(made: Fleet, files: Files) -> str:
    """Push the target branch; the delivery that `files` then tell."""
    git.git(made.root, "push", "--quiet", "origin", "main")
    return render.delivered((made.root / files.rendered).read_text())[0]


def judged(files: Files, delivery: str) -> None:
    """What the app does when a rollout completes."""
    arguments = ["--env", files.environment, "--model", files.model, "--delivery", delivery]
    assert healthy.main(arguments) == 0
