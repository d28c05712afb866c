"""A repository of many small models, each released and healthy in every environment: what `make bench` times.

It is consistent: hashes are those of artifacts that lie in its remote, of its contracts and of the commit that trained
them. Only the rendered files are not all made by kustomize: of one model they are, the others' are its with their own
names, hashes and delivery, which is the same to the byte (tests/test_scale.py).
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge import git, project, release
from fledge.gates.process import ROOT
from fledge.hashing import dvc_directory, tree_sha256
from fledge.release import Artifact, Data, Files, Release, Training, platform, render
from fledge.release.history import tag_name
from fledge.remote import address

PARTS = ("manifests/base", "manifests/components", "manifests/environments", "manifests/platform")
OWNED = ("contract.yaml", "model.py", "params.yaml", "requests.jsonl")  # of a model, copied from the example


@dataclass(frozen=True)
class Fleet:
    """The clone, its bare `origin` and its remote lie beside each other in `folder`."""

    folder: Path
    models: list[str]

    @property
    def root(self) -> Path:
        return self.folder / "clone"


def build(folder: Path, count: int) -> Fleet:
    """Make one with `count` models, in the release 1.0.0 and healthy everywhere: a commit for each delivery."""
    fleet = Fleet(folder, [f"model-{number:04}" for number in range(count)])
    _sources(fleet)
    _train(fleet, {model: model for model in fleet.models})
    git.run(folder, "init", "--quiet", "-b", "main", str(fleet.root))
    (fleet.root / ".git" / "info" / "exclude").write_text("/.fledge\n/.tools\n")
    (fleet.root / ".tools").symlink_to(ROOT / ".tools")
    (fleet.root / platform.RENDERED).parent.mkdir(parents=True)
    (fleet.root / platform.RENDERED).write_text(platform.render(fleet.root))
    git.commit(fleet.root, "Start", ".")
    owner = project.load(fleet.root)
    served = {model: offered(fleet, model, "1.0.0") for model in fleet.models}
    _import(fleet, "".join(_deliveries(fleet, [one.name for one in owner.environments], served)))
    git.run(folder, "init", "--quiet", "--bare", "-b", "main", "origin.git")
    git.git(fleet.root, "remote", "add", "origin", str(folder / "origin.git"))
    git.git(fleet.root, "push", "--quiet", "--tags", "-u", "origin", "main")
    return fleet


def propose(fleet: Fleet, model: str, version: str, branch: str = "work") -> None:
    """On a new branch, train another artifact of one model and write its release; nothing is rendered yet."""
    git.git(fleet.root, "switch", "--quiet", "--create", branch)
    _train(fleet, {one: f"{one} {version}" if one == model else one for one in fleet.models})
    git.commit(fleet.root, f"Train {model}", ".")
    files = Files(project.load(fleet.root).environments[0].name, model)
    (fleet.root / files.release).write_text(release.to_text(model, offered(fleet, model, version)))
    git.commit(fleet.root, f"Release {model} {version}", ".")


def offered(fleet: Fleet, model: str, version: str) -> Release:
    """The release of what is trained in the clone now."""
    artifact = fleet.folder / "artifacts" / model
    commit, time = git.git(fleet.root, "log", "-1", "--format=%H %cI", "--", "dvc.lock").split()
    return Release(
        version=version,
        number=release.number(version),
        artifact=Artifact(md5=dvc_directory(artifact)[0], sha256=tree_sha256(artifact), size=_size(artifact)),
        contract=hashlib.sha256((fleet.root / f"models/{model}/contract.yaml").read_bytes()).hexdigest(),
        data=Data(md5=project.read_yaml(fleet.root / "data.dvc")["outs"][0]["md5"]),
        training=Training(commit=commit, time=time),
        parent=None if version == "1.0.0" else "1.0.0",
        parameters=project.read_yaml(fleet.root / f"models/{model}/params.yaml")["train"],
    )


def _sources(fleet: Fleet) -> None:
    """What an owner has before any release: the template's manifests, project.yaml and a folder for each model."""
    for part in PARTS:
        if (ROOT / part).exists():
            shutil.copytree(ROOT / part, fleet.root / part)
    (fleet.root / ".dvc").mkdir()
    remote = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {fleet.folder / 'remote'}\n"
    (fleet.root / ".dvc" / "config").write_text(remote)
    for name in ("data.dvc", "dvc.yaml"):
        shutil.copy(ROOT / name, fleet.root / name)
    content = project.read_yaml(ROOT / "project.yaml")
    example = ROOT / "models" / content["models"][0]
    (fleet.root / "project.yaml").write_text(release.dump(content | {"models": fleet.models}))
    for model in fleet.models:
        (fleet.root / "models" / model).mkdir(parents=True)
        for name in OWNED:
            shutil.copy(example / name, fleet.root / "models" / model / name)


def _train(fleet: Fleet, contents: dict[str, str]) -> None:
    """An artifact of one file for each model, pushed to the remote, and the dvc.lock that names them."""
    stages = {}
    for model, content in contents.items():
        artifact = fleet.folder / "artifacts" / model
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "saved_model.pb").write_text(content)
        stages[f"train@{model}"] = _stage(fleet, model, _push(fleet, artifact))
    (fleet.root / "dvc.lock").write_text("schema: '2.0'\n" + "stages:\n" + "".join(map(_block, stages.items())))


def _stage(fleet: Fleet, model: str, md5: str) -> dict[str, Any]:
    read = [f"models/{model}/{name}" for name in OWNED if name != "params.yaml"]
    deps = [{"path": path, "hash": "md5", "md5": _md5(fleet.root / path)} for path in read]
    return {"cmd": f"train {model}", "deps": deps, "outs": [{"path": f"models/{model}/saved_model", "md5": md5}]}


def _block(stage: tuple[str, dict[str, Any]]) -> str:
    # JSON is YAML; a thousand stages by ruamel.yaml would take longer than all else here.
    name, content = stage
    return f"  {name}:\n" + "".join(f"    {key}: {json.dumps(value)}\n" for key, value in content.items())


def _push(fleet: Fleet, artifact: Path) -> str:
    """Lay a folder into the remote, which a copy of the clone shares, as `dvc push` does; its hash."""
    remote = Path(project.remote(fleet.root))
    md5, listing = dvc_directory(artifact)
    objects = {one["md5"]: (artifact / one["relpath"]).read_bytes() for one in listing}
    for name, content in {**objects, md5: json.dumps(listing).encode()}.items():
        file = remote / address(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return md5


def _deliveries(fleet: Fleet, environments: list[str], served: dict[str, Release]) -> Iterator[str]:
    """git's fast-import stream: a commit and a healthy tag for each model in each environment."""
    first = fleet.models[0]
    sources = {name: render.render(fleet.root, Files(name, first), served[first]) for name in environments}
    mark = 0
    for environment, source in sources.items():
        template = json.dumps(render.rollout_of(source)["spec"]["template"])
        was, _ = render.delivered(source)
        for model, offer in served.items():
            renamed = {first: model} | dict(zip(_hashes(served[first]), _hashes(offer), strict=True))
            delivery = render.delivery_of(json.loads(_replaced(template, renamed)))
            files, mark = Files(environment, model), mark + 1
            written = {
                files.release: release.to_text(model, offer),
                files.rendered: _replaced(source, renamed | {was: delivery}),
            }
            yield _commit(mark, f"Deliver {files.who}", written)
            yield f"reset refs/tags/{tag_name(files, offer.version, delivery)}\nfrom :{mark}\n\n"


def _commit(mark: int, message: str, written: dict[Path, str]) -> str:
    who = "Bench <bench@example.com> 1767225600 +0000"
    start = "from refs/heads/main^0\n" if mark == 1 else ""
    files = "".join(f"M 100644 inline {path}\n{_data(text)}" for path, text in written.items())
    return f"commit refs/heads/main\nmark :{mark}\ncommitter {who}\n{_data(message)}{start}{files}\n"


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def _import(fleet: Fleet, stream: str) -> None:
    git.run(fleet.root, "fast-import", "--quiet", given=stream)
    git.git(fleet.root, "pack-refs", "--all")
    git.git(fleet.root, "reset", "--quiet", "--hard", "main")


def _hashes(offer: Release) -> tuple[str, str]:
    return offer.artifact.md5, offer.artifact.sha256


def _replaced(text: str, renamed: dict[str, str]) -> str:
    for before, after in renamed.items():
        text = text.replace(before, after)
    return text


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
