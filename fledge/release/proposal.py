"""What a trained artifact becomes when it is offered for serving: hashes, lineage, and the version that they ask for."""

import json
from pathlib import Path
from typing import Any

from fledge import git, release
from fledge.artifact.versioning import Difference
from fledge.dvc import dvc
from fledge.hashing import dvc_directory
from fledge.problems import Problem
from fledge.project import Project
from fledge.release import Artifact, Files, Release, history, lineage


def proposed(root: Path, owner: Project, files: Files) -> tuple[Release, str, list[Difference]]:
    """The release that the trained artifact makes, why it has that version, and in what it differs from the champion.

    The tree is clean: it is HEAD's.
    """
    said = lineage.trained(root, files.model, "HEAD")
    artifact = here(root, files.model, said.artifact)
    require_trained(root, files.model)
    base = git.target(root, owner.branch)
    champion = history.champion(root, files, base)
    found = lineage.differences(root, files, base, champion, said)
    version, why = lineage.version(root, owner, files, base, champion, found)
    wanted = Release(
        version=version,
        number=release.number(version),
        artifact=artifact,
        parent=champion.version if champion else None,
        **said.fields,
    )
    return wanted, why, found


def here(root: Path, model: str, md5: str) -> Artifact:
    """The artifact that dvc.lock names, proved equal to the folder that lies there."""
    path = f"models/{model}/saved_model"
    found, _ = dvc_directory(root / path)
    if found != md5:
        raise Problem(f"{model}: {path} has hash {found}, expected {md5} (dvc.lock: train@{model}; dvc checkout)")
    return lineage.measured(root / path, md5)


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
