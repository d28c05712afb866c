"""Offer the trained artifact of a model for serving: version it, push it, place it in the first environment."""

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fledge import git, history, project, release, render, versioning
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem, reported
from fledge.project import Project, read_yaml
from fledge.release import Artifact, Data, Files, Release, Training


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write, render and commit release.yaml for the first environment."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    files = Files(owner.environments[0].name, owner.model(options.model))
    git.require_clean(root)
    wanted, why = proposed(root, owner, files)
    _push(root, files.model)
    written = render.write(root, files, wanted)
    git.commit(root, f"Release {files.model} {wanted.version} to {files.environment}", *written)
    delivery, _ = render.delivered((root / files.rendered).read_text())
    print(f"{files.who}: {wanted.version} ({why}), artifact {wanted.artifact.md5}, delivery {delivery}")
    return 0


def proposed(root: Path, owner: Project, files: Files) -> tuple[Release, str]:
    """The release that the trained artifact makes, and why it has that version."""
    trained = artifact(root, files.model)
    base = git.target(root, owner.branch)
    best = history.last_healthy(root, files, base)
    champion = history.release_at(root, files, best.commit) if best else None
    step, why = _level(root, files.model, champion)
    taken = history.versions(root, files.model, [e.name for e in owner.environments], base)
    version = versioning.next_version(taken[-1] if taken else None, step)
    made = _training(root)
    return Release(
        version=version,
        number=release.number(version),
        artifact=trained,
        contract=hashlib.sha256((root / "models" / files.model / "contract.yaml").read_bytes()).hexdigest(),
        data=Data(md5=read_yaml(root / "data.dvc")["outs"][0]["md5"]),
        training=made,
        parent=champion.version if champion else None,
        parameters=parameters(root, files.model),
    ), why


def artifact(root: Path, model: str) -> Artifact:
    """The artifact that dvc.lock names, proved equal to the folder that lies there."""
    path = f"models/{model}/saved_model"
    outs = (read_yaml(root / "dvc.lock")["stages"].get(f"train@{model}") or {"outs": []})["outs"]
    out = next((one for one in outs if one["path"] == path), None)
    if out is None:
        raise Problem(f"{model}: no trained artifact found, expected one (dvc.lock: train@{model}; run dvc repro)")
    found, _ = dvc_directory(root / path)
    if found != out["md5"]:
        raise Problem(
            f"{model}: {path} has hash {found}, expected {out['md5']} (dvc.lock: train@{model}; dvc checkout)"
        )
    size = sum(file.stat().st_size for file in (root / path).rglob("*") if file.is_file())
    return Artifact(md5=out["md5"], sha256=tree_sha256(root / path), size=size)


def parameters(root: Path, model: str) -> dict[str, Any]:
    recipe: dict[str, Any] = read_yaml(root / "models" / model / "params.yaml").get("train", {})
    return recipe


def _training(root: Path) -> Training:
    commit, time = git.git(root, "log", "-1", "--format=%H %cI", "--", "dvc.lock").split()
    return Training(commit=commit, time=time)


def _level(root: Path, model: str, champion: Release | None) -> tuple[versioning.Level, str]:
    if champion is None:
        return "minor", "the first healthy release is still to come"
    file = f"models/{model}/contract.yaml"
    before = git.show(root, champion.training.commit, file)
    if before is None:
        raise Problem(f"{model}: no {file} found at {champion.training.commit}, expected the champion's contract")
    same = _without_seed(champion.parameters) == _without_seed(parameters(root, model))
    return versioning.level(YAML(typ="safe").load(before), read_yaml(root / file), same)


def _without_seed(recipe: dict[str, Any]) -> dict[str, Any]:
    # Another seed is another draw from the same recipe.
    return {key: value for key, value in recipe.items() if key != "seed"}


def _push(root: Path, model: str) -> None:
    project.shared_remote(root)
    command = [sys.executable, "-m", "dvc", "push", "--quiet", "data.dvc", f"train@{model}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
        raise Problem(f"{model}: dvc push said {last!r}, expected the artifact pushed (.dvc/config: core.remote)")


if __name__ == "__main__":
    raise SystemExit(main())
