"""A scratch repository made from this template, with a bare remote: real git, real kustomize."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fledge import git, release, render
from fledge.release import Artifact, Data, Files, Release, Training

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["project.yaml", "manifests", ".dvc/config", ".gitignore", "models/delays/params.yaml"]


@dataclass(frozen=True)
class Repository:
    """A working clone of a bare `origin`, with the acts that a story is made of."""

    root: Path

    def commit(self, message: str, *paths: Path | str) -> str:
        return git.commit(self.root, message, *(paths or ["."]))

    def push(self) -> None:
        git.git(self.root, "push", "--quiet", "--tags", "origin", "main")

    def place(self, version: str, environment: str, model: str = "delays") -> str:
        """Write, render and push a release as a merge would; its delivery."""
        files = Files(environment, model)
        render.write(self.root, files, a_release(version))
        self.commit(f"{files.who} {version}", files.release, files.rendered)
        self.push()
        return render.delivered((self.root / files.rendered).read_text())[0]

    def merge(self, branch: str) -> None:
        git.git(self.root, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        self.push()

    def serves(self, environment: str, model: str = "delays") -> str:
        """The version that the target branch says is serving."""
        text = git.show(self.root, "origin/main", Files(environment, model).rendered)
        assert text
        return render.delivered(text)[1]


def a_release(version: str) -> Release:
    """A release with invented but well-formed hashes, different for each version."""
    digest = hashlib.sha256(version.encode()).hexdigest()
    return Release(
        version=version,
        number=release.number(version),
        artifact=Artifact(md5=f"{digest[:32]}.dir", sha256=digest, size=1000),
        contract=digest,
        data=Data(md5=f"{digest[32:]}.dir"),
        training=Training(commit=digest[:40], time="2026-01-01T00:00:00+00:00"),
        parent=None,
        parameters={"seed": 7},
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The template as an owner has it after setting a remote, at `main`, pushed; the current folder."""
    for variable in list(os.environ):
        if variable.startswith("GIT_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Person")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "person@example.com")
    root = tmp_path / "clone"
    for part in PARTS:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, root / part)
    shutil.rmtree(root / "manifests" / "releases", ignore_errors=True)
    shutil.rmtree(root / "manifests" / "rendered", ignore_errors=True)
    remote = root / ".dvc" / "config"
    remote.write_text(remote.read_text().replace("../.fledge/remote", "s3://example/models"))
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", origin], check=True)
    subprocess.run(["git", "init", "--quiet", "-b", "main", root], check=True)
    git.git(root, "remote", "add", "origin", str(origin))
    made = Repository(root)
    made.commit("Start from the template")
    git.git(root, "push", "--quiet", "-u", "origin", "main")
    monkeypatch.chdir(root)
    return made
