"""A repository whose one model, `tiny`, is trained, released and served: real git, real hashes, real rows in a remote."""

import copy
import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge import git, release
from fledge.branch.affected import Change, affected
from fledge.gates.pairs import pairs
from fledge.hashing import tree_sha256
from fledge.project import read_yaml
from fledge.release import Artifact, Data, Files, Release, Training, history, render
from scripts import healthy
from tests import trained
from tests.conftest import Repository
from tests.tiny.owner import CONTRACT, REQUESTS, limits

STAGING, PRODUCTION = Files("staging", "tiny"), Files("production", "tiny")
FOLDER = Path("models/tiny")
STAGES = {
    "stages": {
        "train": {
            "foreach": ["tiny"],
            "do": {
                "cmd": "train ${item}",
                "deps": [f"models/${{item}}/{name}" for name in ("contract.yaml", "model.py", "requests.jsonl")],
                "params": [{"models/${item}/params.yaml": ["train", "gates.label"]}],
                "outs": ["models/${item}/saved_model"],
            },
        }
    }
}


@dataclass(frozen=True)
class Owner:
    """The owner's acts on `main` and on branches; `remote` is DVC's."""

    repository: Repository
    remote: Path

    @property
    def root(self) -> Path:
        return self.repository.root

    def write(self, name: str, content: Any) -> None:
        """A file of models/tiny: YAML, or text as it is."""
        (self.root / FOLDER / name).write_text(content if isinstance(content, str) else release.dump(content))

    def params(self, **gates: Any) -> None:
        """Change `gates:`, a whole gate or key each."""
        content = read_yaml(self.root / FOLDER / "params.yaml")
        content["gates"] |= copy.deepcopy(gates)
        self.write("params.yaml", content)

    def branch(self, name: str = "work") -> None:
        git.git(self.root, "switch", "--quiet", "--create", name)

    def push(self, folder: Path) -> str:
        """A folder in the remote, as `dvc push` lays it; its hash."""
        return trained.push(self.remote, folder)

    def train(self, artifact: Path) -> None:
        """What `dvc repro` leaves in git: dvc.lock of what is here now, and data.dvc."""
        read = [f"{FOLDER}/{name}" for name in ("contract.yaml", "model.py", "requests.jsonl")]
        deps = [{"path": path, "md5": hashlib.md5((self.root / path).read_bytes()).hexdigest()} for path in read]
        outs = [{"path": f"{FOLDER}/saved_model", "md5": self.push(artifact)}]
        lock = {"stages": {"train@tiny": {"deps": deps, "outs": outs}}}
        (self.root / "dvc.lock").write_text(release.dump(lock))
        pinned = {"outs": [{"path": "data", "md5": self.push(self.root / "data")}]}
        (self.root / "data.dvc").write_text(release.dump(pinned))
        self.repository.commit("Train")

    def made(self, version: str, artifact: Path, parent: Release | None = None) -> Release:
        """The release that this artifact and what is here now make."""
        commit, time = git.git(self.root, "log", "-1", "--format=%H %cI", "--", "dvc.lock").split()
        size = sum(file.stat().st_size for file in artifact.rglob("*") if file.is_file())
        digest = hashlib.sha256((self.root / FOLDER / "contract.yaml").read_bytes()).hexdigest()
        return Release(
            version=version,
            number=release.number(version),
            artifact=Artifact(md5=self.push(artifact), sha256=tree_sha256(artifact), size=size),
            contract=digest,
            data=Data(md5=read_yaml(self.root / "data.dvc")["outs"][0]["md5"]),
            training=Training(commit=commit, time=time),
            parent=parent.version if parent else None,
            parameters=read_yaml(self.root / FOLDER / "params.yaml")["train"],
        )

    def place(self, files: Files, wanted: Release) -> None:
        """Commit a release for an environment on the branch that is checked out."""
        written = render.write(self.root, files, wanted)
        self.repository.commit(f"{files.who} {wanted.version}", *written)

    def offer(self, version: str, artifact: Path, files: Files = STAGING) -> Release:
        """Train and release on the branch that is checked out."""
        self.train(artifact)
        best = history.last_healthy(self.root, STAGING, git.target(self.root, "main"))
        parent = history.release_at(self.root, STAGING, best.commit) if best else None
        wanted = self.made(version, artifact, parent)
        self.place(files, wanted)
        return wanted

    def serve(self, files: Files = STAGING) -> None:
        """What is on main now is pushed, and becomes healthy."""
        self.repository.push()
        delivery, _ = render.delivered((self.root / files.rendered).read_text())
        arguments = ["--env", files.environment, "--model", files.model, "--delivery", delivery]
        assert healthy.main(arguments) == 0

    def changes(self) -> list[Change]:
        return affected(self.root, "origin/main")

    def pairs(self) -> list[Any]:
        """The pairs of the branch's one change."""
        [change] = self.changes()
        return pairs(self.root, "origin/main", change)


def artifact(folder: Path, content: str) -> Path:
    """A new folder that looks like a SavedModel from afar."""
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return folder


def an_owner(repository: Repository, remote: Path, rows: Path, **gates: Any) -> Owner:
    """The template in the hands of an owner whose one model is `tiny`: pushed, nothing released. `rows` is a Parquet file."""
    root = repository.root
    config = root / ".dvc" / "config"
    config.write_text(re.sub(r"url = .*", f"url = {remote}", config.read_text()))
    project = root / "project.yaml"
    project.write_text(project.read_text().replace("  - delays\n", "  - tiny\n"))
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("/data\n")
    shutil.rmtree(root / "models")
    (root / FOLDER).mkdir(parents=True)
    (root / "data" / "tiny").mkdir(parents=True)
    shutil.copy(rows, root / "data" / "tiny" / "2013-07.parquet")
    owner = Owner(repository, remote)
    owner.write("contract.yaml", CONTRACT)
    owner.write("model.py", "# builds the network\n")
    owner.write("requests.jsonl", "".join(json.dumps(request) + "\n" for request in REQUESTS))
    owner.write("params.yaml", {"train": {"seed": 7}, "gates": limits(**gates), "slo": {"error_ratio": 0.01}})
    (root / "dvc.yaml").write_text(release.dump(STAGES))
    repository.commit("Our own model")
    repository.push()
    return owner
