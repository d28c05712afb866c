"""A working clone of a scratch repository, and releases of it in which every field can be derived again."""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from fledge import git, project, release
from fledge.artifact.versioning import Level
from fledge.project import read_yaml
from fledge.release import Artifact, Data, Files, Release, Training, history, render
from tests import trained

HOME = Path("models/delays")


@dataclass(frozen=True)
class Repository:
    """A working clone of a bare `origin`, with the acts that a story is made of.

    Its releases are real: every field follows from the commit of their training and from the objects of `remote`.
    """

    root: Path
    remote: Path  # DVC's, a local folder
    made: dict[tuple[str, str], Release] = field(default_factory=dict)  # by (model, version)

    def commit(self, message: str, *paths: Path | str) -> str:
        return git.commit(self.root, message, *(paths or ["."]))

    def push(self) -> None:
        git.git(self.root, "push", "--quiet", "--tags", "origin", "main")

    def place(self, version: str, environment: str, model: str = "delays") -> str:
        """Write, render and push a release as a merge would, trained first if it is new; its delivery."""
        files = Files(environment, model)
        render.write(self.root, files, self.release(version, model))
        self.commit(f"{files.who} {version}", files.release, files.rendered)
        self.push()
        return render.delivered((self.root / files.rendered).read_text())[0]

    def release(self, version: str, model: str = "delays") -> Release:
        """The release of that version: the same one each time, trained and committed here the first time."""
        if (model, version) not in self.made:
            champion = self.champion(model)
            base = git.target(self.root, "main")
            taken = history.versions(self.root, model, [one.name for one in project.load(self.root).environments], base)
            artifact = self.train(model, step(taken[-1] if taken else version, version), version)
            home = self.root / "models" / model
            self.made[model, version] = Release(
                version=version,
                number=release.number(version),
                artifact=artifact,
                contract=hashlib.sha256((home / "contract.yaml").read_bytes()).hexdigest(),
                data=Data(md5=read_yaml(self.root / "data.dvc")["outs"][0]["md5"]),
                training=Training(**dict(zip(("commit", "time"), self._head(), strict=True))),
                parent=champion[0].version if champion else None,
                parameters=read_yaml(home / "params.yaml")["train"],
            )
        return self.made[model, version]

    def train(self, model: str, level: Level, content: str) -> Artifact:
        """Train and commit, without DVC, an artifact that differs by `content`, and push it to `remote`; its hashes.

        Contract and recipe are such that `level` is what they ask for after the champion.
        """
        home = self.root / "models" / model
        champion = self.champion(model)
        if champion:
            (home / "contract.yaml").write_text(champion[1])
            trained.replace(home / "params.yaml", "  epochs:", f"  epochs: {champion[0].parameters['epochs']}")
        if level == "minor":
            trained.replace(home / "params.yaml", "  epochs:", f"  epochs: {release.number(content)}")
        if level == "major":
            trained.replace(home / "contract.yaml", "signature:", f"signature: of_{content.replace('.', '_')}")
        artifact = trained.export(self.root, model, content)
        self.commit(f"Train {model}: {content}", home, *trained.pin(self.root, self.remote, model))
        return artifact

    def champion(self, model: str) -> tuple[Release, str] | None:
        """What a new release is compared with, the last healthy one of the first environment, and its contract."""
        files = Files(project.load(self.root).environments[0].name, model)
        best = history.last_healthy(self.root, files, git.target(self.root, "main"))
        found = best and history.release_at(self.root, files, best.commit)
        contract = best and git.show(self.root, best.commit, f"models/{model}/contract.yaml")
        return (found, contract) if found and contract else None

    def another(self, model: str) -> None:
        """A second model, a copy of `delays` that git lists in project.yaml, committed and pushed."""
        shutil.copytree(self.root / HOME, self.root / "models" / model, ignore=shutil.ignore_patterns("saved_model"))
        trained.replace(self.root / "project.yaml", "  - delays", f"  - delays\n  - {model}")
        self.commit(f"Add {model}")
        self.push()

    def fetched_from(self, url: str) -> None:
        """Write another address of DVC's remote to .dvc/config."""
        trained.replace(self.root / ".dvc" / "config", "    url =", f"    url = {url}")

    def _head(self) -> list[str]:
        return git.git(self.root, "log", "-1", "--format=%H %cI").split()

    def merge(self, branch: str) -> None:
        git.git(self.root, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        self.push()

    def serves(self, environment: str, model: str = "delays") -> str:
        """The version that the target branch says is serving."""
        text = git.show(self.root, "origin/main", Files(environment, model).rendered)
        assert text
        return render.delivered(text)[1]


def step(before: str, after: str) -> Level:
    """By which part of a version `after` differs from `before`."""
    old, new = release.parse(before), release.parse(after)
    return "major" if old[0] != new[0] else "minor" if old[1] != new[1] else "patch"


# The repository that the running test has, None in one that needs none.
active: Repository | None = None


def a_release(version: str) -> Release:
    """That version's release in the test's repository, made there if it is new; without one, an invented one."""
    return active.release(version) if active else invented(version)


def invented(version: str) -> Release:
    """A release with well-formed hashes, different for each version, of which nothing can be derived again."""
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
