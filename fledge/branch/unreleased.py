"""Which models a branch changes without offering them: git would then tell of another model than the one that serves."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fledge import git, project, release
from fledge.branch.affected import Change
from fledge.problems import Problem
from fledge.project import Project, parsed_yaml
from fledge.release import Files, Release, history, lineage, lock
from fledge.release.lineage import DATA
from fledge.release.lock import LOCK
from fledge.remote.listing import contents

STAGES = "dvc.yaml"


def unreleased(root: Path, base: str, changes: Sequence[Change], head: str = "HEAD") -> list[str]:
    """A line for each model of which the branch changes code, contract, recipe, data or artifact without a new release.

    `changes` are the branch's, of all models (`affected`). Free to change are a model that was never released, of
    which git tells nothing yet, and one whose every changed delivery is a rollback (docs/words.md).
    """
    owner, fork = project.load(root), git.fork(root, base, head)
    rows = _other_rows(root, fork, head)
    models = [model for model in _concerned(root, owner, fork, head, rows) if not _rolled_back(model, changes)]
    lines = [_line(root, owner, model, fork, head, rows) for model in models]
    return [line for line in lines if line]


def _concerned(root: Path, owner: Project, fork: str, head: str, rows: Collection[str] | None) -> list[str]:
    """The models of which anything may have changed; `_line` says nothing of another one.

    One question for all of them, not one for each: a repository may hold a thousand.
    """
    names = git.differing(root, fork, head, "models", LOCK)
    known = {name.split("/")[1] for name in names if name.startswith("models/")}
    if LOCK in names:
        before, after = (git.show(root, revision, LOCK) or "" for revision in (fork, head))
        known |= {one.partition("@")[2] for one in lock.differing(before, after, [f"train@{m}" for m in owner.models])}
    return [model for model in owner.models if rows is None or model in known or model in rows]


def _rolled_back(model: str, changes: Sequence[Change]) -> bool:
    kinds = [change.kind for change in changes if change.files.model == model]
    return bool(kinds) and set(kinds) == {"rollback"}


def _line(root: Path, owner: Project, model: str, fork: str, head: str, rows: Collection[str] | None) -> str | None:
    first = Files(owner.environments[0].name, model)
    offered = history.release_at(root, first, head)
    known = any(git.exists(root, f"{fork}:{Files(one.name, model).release}") for one in owner.environments)
    parts = list(_changed(root, model, fork, head, rows)) if offered or known else []
    if not parts:
        return None
    before = history.release_at(root, first, fork)
    if offered is None or (before and release.parse(offered.version) <= release.parse(before.version)):
        return f"{model}: {', '.join(parts)} changed without a new release, expected one (make release MODEL={model})"
    other = [name for name, same in _same(root, model, offered, head).items() if not same]
    if other:
        found = f"{', '.join(other)} differ from release {offered.version}"
        return f"{model}: {found}, expected a release of what is here ({first.release}; make release MODEL={model})"
    return None


def _changed(root: Path, model: str, fork: str, head: str, rows: Collection[str] | None) -> Iterator[str]:
    """What of a model differs between two revisions, as a person would name it."""
    files, keys = _sources(root, model, head)
    params = f"models/{model}/params.yaml"
    names = git.differing(root, fork, head, f"models/{model}")
    yield from (file for file in files if file in names)
    before, after = (_yaml(root, revision, params) for revision in (fork, head))
    yield from (f"{params} ({key})" for key in keys if _at(before, key) != _at(after, key))
    if rows is None or model in rows:
        yield DATA
    if lineage.stage(root, model, fork) != lineage.stage(root, model, head):
        yield f"{LOCK} (train@{model})"


def _sources(root: Path, model: str, head: str) -> tuple[list[str], list[str]]:
    """The files in models/<model>/ that its training stage reads, and the keys of its params.yaml."""
    stage = (_yaml(root, head, STAGES).get("stages") or {}).get("train") or {}
    body = stage.get("do") or stage
    mine = f"models/{model}/"
    named = [str(one).replace("${item}", model) for one in body.get("deps") or []]
    files = [f"{mine}model.py", f"{mine}contract.yaml", *(name for name in named if name.startswith(mine))]
    keys = ["train"]
    for one in body.get("params") or []:
        for file, found in one.items() if isinstance(one, Mapping) else []:
            keys += (found or []) if file.replace("${item}", model) == f"{mine}params.yaml" else []
    return list(dict.fromkeys(files)), list(dict.fromkeys(keys))


def _other_rows(root: Path, fork: str, head: str) -> Collection[str] | None:
    """The models of which the two revisions pin other rows, None where nobody can tell.

    data.dvc holds those of all models in one hash; what is below it begins with the model's name.
    """
    before, after = (lineage.pinned(root, revision) for revision in (fork, head))
    if before == after:
        return []
    if not (before and after):
        return None
    try:
        old, new = (contents(project.remote(root), md5) for md5 in (before, after))
    except Problem:  # nobody pushed them, as a release does
        return None
    return {path.partition("/")[0] for path, _ in old.items() ^ new.items()}


def _same(root: Path, model: str, offered: Release, head: str) -> dict[str, bool]:
    """What a release was made from -> whether `head` still holds that."""
    contract, params = f"models/{model}/contract.yaml", f"models/{model}/params.yaml"
    stage = lineage.stage(root, model, head)
    read = {
        one["path"]: one.get("md5") for one in stage.get("deps") or [] if one["path"].startswith(f"models/{model}/")
    }
    texts = {path: (git.show(root, head, path) or "").encode() for path in (contract, *read)}
    return {
        **{path: hashlib.md5(texts[path]).hexdigest() == md5 for path, md5 in read.items()},
        contract: hashlib.sha256(texts[contract]).hexdigest() == offered.contract,
        f"{params} (train)": (_yaml(root, head, params).get("train") or {}) == offered.parameters,
        DATA: lineage.pinned(root, head) == offered.data.md5,
        f"{LOCK} (train@{model})": offered.artifact.md5 in [out.get("md5") for out in stage.get("outs") or []],
    }


def _yaml(root: Path, revision: str, file: str) -> dict[str, Any]:
    """A file of mappings at a revision; nothing where it is not there."""
    return parsed_yaml(git.show(root, revision, file) or "", f"{revision}:{file}") or {}


def _at(content: Any, key: str) -> Any:
    """What a file holds at a dotted key, None where nothing."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
