"""What `dvc repro` and `dvc push` leave of a training, made without DVC: dvc.lock, data.dvc and the remote's objects."""

import hashlib
import json
import re
from pathlib import Path

from fledge.hashing import dvc_directory, tree_sha256
from fledge.project import read_yaml
from fledge.release import Artifact, dump
from fledge.remote import address


def push(remote: Path, folder: Path) -> str:
    """What `dvc push` leaves of a folder in a local remote; the folder's hash."""
    md5, listing = dvc_directory(folder)
    objects = {entry["md5"]: (folder / entry["relpath"]).read_bytes() for entry in listing}
    for name, content in {**objects, md5: json.dumps(listing).encode()}.items():
        file = remote / address(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return md5


def export(root: Path, model: str, content: str) -> Artifact:
    """A folder of two small files, told apart by `content`, where a training puts the SavedModel; its hashes."""
    folder = root / "models" / model / "saved_model"
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_text(f"graph of {model}\n")
    (folder / "variables" / "variables.index").write_text(f"{content}\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Artifact(md5=dvc_directory(folder)[0], sha256=tree_sha256(folder), size=size)


def pin(root: Path, remote: Path, model: str) -> list[Path]:
    """Push the rows and the artifact that lie there, and write their hashes to data.dvc and dvc.lock; the paths written."""
    rows = root / "data" / model / "2013-07.parquet"
    rows.parent.mkdir(parents=True, exist_ok=True)
    rows.write_text(f"July of {model}\n")
    (root / "data.dvc").write_text(dump({"outs": [{"md5": push(remote, root / "data"), "path": "data"}]}))
    home = f"models/{model}"
    contract = {"path": f"{home}/contract.yaml", "md5": _md5(root / home / "contract.yaml")}
    out = {"path": f"{home}/saved_model", "md5": push(remote, root / home / "saved_model")}
    lock = root / "dvc.lock"
    content = read_yaml(lock) if lock.exists() else {"schema": "2.0", "stages": {}}
    content["stages"][f"train@{model}"] = {"deps": [contract], "outs": [out]}
    lock.write_text(dump(content))
    return [Path("data.dvc"), Path("dvc.lock")]


def replace(file: Path, pattern: str, line: str) -> None:
    """Put `line` where the one line is that `pattern` matches."""
    text, found = re.subn(f"(?m)^{pattern}.*$", line, file.read_text())
    assert found == 1, (file, pattern)
    file.write_text(text)


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()
