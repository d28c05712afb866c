"""Argo CD's part: what a branch of a git remote says is applied."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fledge.git import git
from fledge.problems import Problem
from fledge.rehearsal.objects import Object

POLL = 0.2  # seconds

Apply = Callable[[str, Sequence[Object], str], None]
Emit = Callable[[str, Mapping[str, Any]], None]


async def follow(remote: str, branch: str, environment: str, mirror: Path, apply: Apply, emit: Emit) -> None:
    """Apply every file of `manifests/rendered/<environment>/` that a new commit of `branch` changed, for ever.

    `apply` gets the model, the file's objects and the commit. `mirror` is a bare repository of ours.
    As with an ApplicationSet that may not delete, a file that disappears stays applied.
    What goes wrong, with one file or with all, is said once and tried again for as long as it lasts.
    """
    mirror.mkdir(parents=True, exist_ok=True)
    await _git(mirror, "init", "--quiet", "--bare")
    applied: dict[str, str] = {}
    seen, said = "", list[str]()
    while True:
        try:
            head = await _head(mirror, remote, branch)
            troubles = []
            if head != seen:
                await _git(mirror, "fetch", "--quiet", "--no-tags", remote, f"+refs/heads/{branch}:refs/heads/{branch}")
                commit = await _git(mirror, "rev-parse", f"refs/heads/{branch}")
                troubles = await _apply(mirror, commit, f"manifests/rendered/{environment}/", applied, apply)
                seen = seen if troubles else commit
        except Problem as problem:
            troubles = [str(problem)]
        for trouble in troubles:
            if trouble not in said:
                emit("problem", {"message": trouble})
        said = troubles
        await asyncio.sleep(POLL)


async def _apply(mirror: Path, commit: str, folder: str, applied: dict[str, str], apply: Apply) -> list[str]:
    """Apply what `applied` (path → blob) lacks, and note it there; return what is wrong with the other files."""
    troubles = []
    for path, blob in await _files(mirror, commit, folder):
        if applied.get(path) == blob:
            continue
        try:
            apply(PurePosixPath(path).stem, await _objects(mirror, blob, path), commit)
            applied[path] = blob
        except Problem as problem:
            troubles.append(str(problem))
    return troubles


async def _head(mirror: Path, remote: str, branch: str) -> str:
    lines = await _git(mirror, "ls-remote", remote, f"refs/heads/{branch}")
    if not lines:
        raise Problem(f"delivery: found no branch {branch}, expected one in {remote} (--branch)")
    return lines.split()[0]


async def _files(mirror: Path, commit: str, folder: str) -> list[tuple[str, str]]:
    """Return (path, blob) of the YAML files directly below `folder`."""
    lines = (await _git(mirror, "ls-tree", commit, folder)).splitlines()
    return [
        (path, meta.split()[2]) for meta, _, path in (line.partition("\t") for line in lines) if path.endswith(".yaml")
    ]


async def _objects(mirror: Path, blob: str, path: str) -> list[Object]:
    try:
        text = await _git(mirror, "cat-file", "blob", blob)
        documents = [document for document in YAML(typ="safe").load_all(text) if document]
    except (YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {' '.join(str(error).split())}, expected YAML") from None
    for document in documents:
        if not (isinstance(document, dict) and "kind" in document and "name" in (document.get("metadata") or {})):
            found = " ".join(str(document).split())
            raise Problem(f"{path}: found {found:.60}, expected a Kubernetes object ({path}: kind, metadata.name)")
    return documents


async def _git(root: Path, *words: str) -> str:
    return await asyncio.to_thread(git, root, *words)
