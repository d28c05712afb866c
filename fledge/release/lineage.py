"""Where a release comes from: what the commit of its training, the remote and the champion say of each of its fields.

`make release` makes a release of this, and `make check` derives one that is new once more.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge import git, project
from fledge.artifact import compatibility, versioning
from fledge.artifact.versioning import Difference
from fledge.hashing import tree_sha256
from fledge.problems import Problem
from fledge.project import Project, parsed_yaml
from fledge.release import Artifact, Data, Files, Release, Training, contracts, history, lock, recipe
from fledge.release.lock import LOCK

DATA = "data.dvc"


@dataclass(frozen=True)
class Trained:
    """What git says of a training: DVC's hash of what it made, and of what; `contract` is the file's text."""

    training: Training
    artifact: str
    contract: str
    data: str
    parameters: dict[str, Any]

    @property
    def fields(self) -> dict[str, Any]:
        """Those of its release that follow from git alone."""
        digest = hashlib.sha256(self.contract.encode()).hexdigest()
        data = Data(md5=self.data)
        return {"contract": digest, "data": data, "training": self.training, "parameters": self.parameters}


def trained(root: Path, model: str, revision: str) -> Trained:
    """The training that `revision` holds the result of, at the newest commit that changed anything of it.

    Raises Problem where git has no result, data or contract there.
    """
    files = (LOCK, DATA, contract(model), _params(model))
    found = git.git(root, "log", "-1", "--format=%H %cI", revision, "--", *files).split()
    commit, time = found or (revision, "")
    artifact, data = locked(root, model, commit), pinned(root, commit)
    if artifact is None:
        raise Problem(f"{model}: no trained artifact found, expected one (dvc.lock: train@{model}; make train)")
    if data is None:
        raise Problem(f"{model}: no data found at {commit[:10]}, expected its hash ({DATA}: outs; make data)")
    [text] = git.shows(root, [commit], contract(model))
    if text is None:
        raise Problem(f"{model}: no contract found at {commit[:10]}, expected one ({contract(model)})")
    return Trained(Training(commit=commit, time=time), artifact, text, data, _recipe(root, model, commit))


def differences(root: Path, files: Files, base: str, champion: Release | None, said: Trained) -> list[Difference]:
    """In what a training differs from the champion's, by contract and by recipe; nothing without a champion."""
    if champion is None:
        return []
    file = contract(files.model)
    _, theirs = contracts.home(root, files, champion, base)
    made = recipe.differences(root, files.model, champion, base, said.parameters, said.training.commit)
    try:
        return [*compatibility.differences(parsed_yaml(theirs, file), parsed_yaml(said.contract, file)), *made]
    except (AttributeError, KeyError, TypeError):
        found = f"{files.model}: its contract or that of {champion.version} has no inputs and outputs"
        raise Problem(f"{found}, expected both ({file})") from None


def version(
    root: Path, owner: Project, files: Files, base: str, champion: Release | None, found: Sequence[Difference]
) -> tuple[str, str]:
    """The next version of what differs from the champion by `found`, and why.

    By the highest level that a difference asks for, counted on from the highest version that the target branch `base`
    ever had.
    """
    step, why = versioning.level(found) if champion else ("minor", "no healthy release to compare with")
    taken = history.versions(root, files.model, [one.name for one in owner.environments], base)
    return versioning.next_version(taken[-1] if taken else None, step), f"{step}: {why}"


def measured(folder: Path, md5: str) -> Artifact:
    """The artifact that lies in `folder`, of which DVC's hash is known to be `md5`."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Artifact(md5=md5, sha256=tree_sha256(folder), size=size)


def fetched(root: Path, md5: str, sha256: str | None = None) -> Path:
    """An artifact as the remote has it, verified, once for `make check` and the gates. Raises Problem as `fetch` does."""
    from fledge import fetch  # and fsspec, which nothing else of `make check` needs

    return fetch.fetch(project.remote(root), md5, root / ".fledge" / "artifacts" / md5, sha256=sha256)


def locked(root: Path, model: str, revision: str) -> str | None:
    """DVC's hash of a model's artifact as dvc.lock of a revision has it."""
    path = f"models/{model}/saved_model"
    return next((one.get("md5") for one in stage(root, model, revision).get("outs") or [] if one["path"] == path), None)


def stage(root: Path, model: str, revision: str) -> dict[str, Any]:
    """What dvc.lock of a revision says of a model's training, nothing where it has none."""
    [text] = git.shows(root, [revision], LOCK)
    return lock.stage(text or "", f"train@{model}", f"{revision}:{LOCK}")


def pinned(root: Path, revision: str) -> str | None:
    """DVC's hash of data/ as data.dvc of a revision has it."""
    md5: str | None = (_yaml(root, revision, DATA).get("outs") or [{}])[0].get("md5")
    return md5


def contract(model: str) -> str:
    return f"models/{model}/contract.yaml"


def _params(model: str) -> str:
    return f"models/{model}/params.yaml"


def _recipe(root: Path, model: str, revision: str) -> dict[str, Any]:
    recipe: dict[str, Any] = _yaml(root, revision, _params(model)).get("train") or {}
    return recipe


def _yaml(root: Path, revision: str, file: str) -> dict[str, Any]:
    """A file of mappings at a revision; nothing where it is not there."""
    [text] = git.shows(root, [revision], file)
    return parsed_yaml(text or "", f"{revision[:10]}:{file}") or {}
