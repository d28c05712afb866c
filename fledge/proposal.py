"""What a trained artifact becomes when it is offered for serving: hashes, lineage, and the version that they ask for."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fledge import git, history, release, versioning
from fledge.dvc import dvc
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.project import Project, read_yaml
from fledge.release import Artifact, Data, Files, Release, Training


def proposed(root: Path, owner: Project, files: Files) -> tuple[Release, str]:
    """The release that the trained artifact makes, and why it has that version."""
    trained = artifact(root, files.model)
    require_trained(root, files.model)
    base = git.target(root, owner.branch)
    best = history.last_healthy(root, files, base)
    champion = history.release_at(root, files, best.commit) if best else None
    step: versioning.Level = "minor"
    why = "no healthy release to compare with"
    if best and champion:
        step, why = _level(root, files.model, champion, best.commit)
    taken = history.versions(root, files.model, [e.name for e in owner.environments], base)
    version = versioning.next_version(taken[-1] if taken else None, step)
    made = git.git(root, "log", "-1", "--format=%H %cI", "--", "dvc.lock").split()
    return Release(
        version=version,
        number=release.number(version),
        artifact=trained,
        contract=hashlib.sha256((root / _contract(files.model)).read_bytes()).hexdigest(),
        data=Data(md5=read_yaml(root / "data.dvc")["outs"][0]["md5"]),
        training=Training(commit=made[0], time=made[1]),
        parent=champion.version if champion else None,
        parameters=_recipe(root, files.model),
    ), why


def artifact(root: Path, model: str) -> Artifact:
    """The artifact that dvc.lock names, proved equal to the folder that lies there."""
    path = f"models/{model}/saved_model"
    stages = read_yaml(root / "dvc.lock")["stages"] if (root / "dvc.lock").exists() else {}
    outs = stages.get(f"train@{model}", {}).get("outs", [])
    out = next((one for one in outs if one["path"] == path), None)
    if out is None:
        raise Problem(f"{model}: no trained artifact found, expected one (dvc.lock: train@{model}; make train)")
    found, _ = dvc_directory(root / path)
    if found != out["md5"]:
        raise Problem(
            f"{model}: {path} has hash {found}, expected {out['md5']} (dvc.lock: train@{model}; dvc checkout)"
        )
    size = sum(file.stat().st_size for file in (root / path).rglob("*") if file.is_file())
    return Artifact(md5=out["md5"], sha256=tree_sha256(root / path), size=size)


def require_trained(root: Path, model: str) -> None:
    """Raises Problem unless DVC finds that dvc.lock was made from the code, data and parameters that are here now."""
    said = json.loads(dvc(root, "status", "--json", f"train@{model}"))
    changed = [str(path) for one in said.get(f"train@{model}", []) if isinstance(one, dict) for path in _named(one)]
    if changed:
        raise Problem(
            f"{model}: {', '.join(changed)} changed since the training, expected what dvc.lock was made from (make train)"
        )


def _named(status: dict[str, dict[str, Any]]) -> list[str]:
    """The paths and parameters in one part of `dvc status --json`: {"changed deps": {path: what}}, or nested by file."""
    return [
        f"{path}: {', '.join(what)}" if isinstance(what, dict) else path
        for part in status.values()
        for path, what in part.items()
    ]


def _level(root: Path, model: str, champion: Release, commit: str) -> tuple[versioning.Level, str]:
    before = git.show(root, commit, _contract(model))
    if before is None:
        raise Problem(f"{model}: no {_contract(model)} found at {commit[:10]}, expected the champion's contract")
    same = _without_seed(champion.parameters) == _without_seed(_recipe(root, model))
    return versioning.level(YAML(typ="safe").load(before), read_yaml(root / _contract(model)), same)


def _contract(model: str) -> str:
    return f"models/{model}/contract.yaml"


def _recipe(root: Path, model: str) -> dict[str, Any]:
    recipe: dict[str, Any] = read_yaml(root / "models" / model / "params.yaml").get("train", {})
    return recipe


def _without_seed(recipe: dict[str, Any]) -> dict[str, Any]:
    # Another seed is another draw from the same recipe.
    return {key: value for key, value in recipe.items() if key != "seed"}
