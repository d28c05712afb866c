"""Artifacts and releases that are not what was offered: tampered, mislabelled, with more in them than a model.

What refuses most of these is not a gate of tests/gates but the fetch of a pod, or a rule on the release file.
"""

import base64
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fledge import fetch, release
from fledge import remote as remotes
from fledge.artifact import signing as artifacts
from fledge.evidence import Check
from fledge.gates import comparison
from fledge.gates.process import ROOT
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import Artifact, Data, Release, Training
from fledge.remote import address
from tests.zoo.edits import files
from tests.zoo.record import Mutant

CONTRACT = ROOT / "models/delays/contract.yaml"


def remote(artifact: Path, folder: Path, *more: dict[str, str]) -> tuple[Path, str]:
    """A DVC remote that holds the artifact, with `more` in its listing, and the hash that names it."""
    shutil.rmtree(folder, ignore_errors=True)
    listing = dvc_directory(artifact)[1]
    for entry in listing:
        _put(folder, entry["md5"], (artifact / entry["relpath"]).read_bytes())
    text = json.dumps([*listing, *more]).encode()
    digest = hashlib.md5(text).hexdigest() + ".dir"
    _put(folder, digest, text)
    return folder, digest


def tampered(artifact: Path, folder: Path) -> dict[str, str]:
    """One byte of the stored graph was changed."""
    where, digest = remote(artifact, folder / "remote")
    stored = where / address(hashlib.md5((artifact / "saved_model.pb").read_bytes()).hexdigest())
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    return _refused("fetch.md5", lambda: fetch.fetch(str(where), digest, folder / "fetched"))


def stored_anew(artifact: Path, folder: Path) -> dict[str, str]:
    """One byte was changed, the tree is stored under its own new hash, and the old signature beside it."""
    own, told = keys(folder / "own.pem")
    changed = folder / "changed"
    shutil.copytree(artifact, changed)
    content = bytearray((changed / "saved_model.pb").read_bytes())
    content[len(content) // 2] ^= 1
    (changed / "saved_model.pb").write_bytes(content)
    where, digest = remote(changed, folder / "remote")
    signature = Path(artifacts.sign(artifact, str(where), dvc_directory(artifact)[0], own))
    beside = where / remotes.signature(digest)
    beside.parent.mkdir(parents=True, exist_ok=True)
    signature.rename(beside)
    return _refused("fetch.signature", lambda: fetch.fetch(str(where), digest, folder / "fetched", keys=[told]))


def unsigned(artifact: Path, folder: Path) -> dict[str, str]:
    """Nobody signed it, and the pod was told whose signature to ask for."""
    where, digest = remote(artifact, folder / "remote")
    _, told = keys(folder / "own.pem")
    return _refused("fetch.signature", lambda: fetch.fetch(str(where), digest, folder / "fetched", keys=[told]))


def signed_by_a_stranger(artifact: Path, folder: Path) -> dict[str, str]:
    """Signed, but by a key that is not the repository's."""
    where, digest = remote(artifact, folder / "remote")
    (stranger, _), (_, told) = keys(folder / "stranger.pem"), keys(folder / "own.pem")
    artifacts.sign(artifact, str(where), digest, stranger)
    return _refused("fetch.signature", lambda: fetch.fetch(str(where), digest, folder / "fetched", keys=[told]))


def mislabelled(artifact: Path, folder: Path) -> dict[str, str]:
    """release.yaml names another tree than the one that DVC's hash leads to."""
    where, digest = remote(artifact, folder / "remote")
    other = hashlib.sha256(b"another tree").hexdigest()
    return _refused("fetch.sha256", lambda: fetch.fetch(str(where), digest, folder / "fetched", sha256=other))


def escaping(artifact: Path, folder: Path) -> dict[str, str]:
    """The stored listing names a file outside of the model's folder."""
    where, digest = remote(artifact, folder / "remote", {"md5": "0" * 32, "relpath": "/etc/cron.d/fledge"})
    return _refused("fetch.listing", lambda: fetch.fetch(str(where), digest, folder / "fetched"))


def without_lineage(artifact: Path, folder: Path) -> dict[str, str]:
    """release.yaml does not say which commit trained it."""
    text = release.to_text("delays", a_release(artifact, "1.0.0"))
    kept = [line for line in text.splitlines() if "commit:" not in line]
    return _refused("release.fields", lambda: release.from_text("\n".join(kept), "release.yaml"))


def used_again(artifact: Path, folder: Path) -> dict[str, str]:
    """The champion's version is given to another artifact."""
    return _version(artifact, "1.2.0", lambda said: said)


def downgraded(artifact: Path, folder: Path) -> dict[str, str]:
    """A version below the champion's."""
    return _version(artifact, "1.1.9", lambda said: said)


def classes_permuted(artifact: Path, folder: Path) -> dict[str, str]:
    """The contract lists its classes the other way round, and the version says that nothing changed for clients."""
    return _version(artifact, "1.2.1", lambda said: {**said, "classes": said["classes"][::-1]})


def keys(file: Path) -> tuple[Path, str]:
    """A new private key in the file, and its public half as a pod is told it: base64 of DER."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    told = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return file, base64.b64encode(told).decode()


def a_release(artifact: Path, version: str) -> Release:
    """A release of the artifact, as `make release` writes it."""
    md5 = dvc_directory(artifact)[0]
    size = sum(file.stat().st_size for file in artifact.rglob("*") if file.is_file())
    return Release(
        version=version,
        number=release.number(version),
        artifact=Artifact(md5=md5, sha256=tree_sha256(artifact), size=size),
        contract=hashlib.sha256(CONTRACT.read_bytes()).hexdigest(),
        data=Data(md5=f"{0:032x}.dir"),
        training=Training(commit=f"{0:040x}", time="2026-01-01T00:00:00+00:00"),
        parent=None,
        parameters={"seed": 7},
    )


def linked(artifact: Path) -> None:
    """A link to what the server has beside the model."""
    (artifact / "assets").mkdir()
    (artifact / "assets" / "hosts").symlink_to("/etc/hosts")


def pickled(artifact: Path) -> None:
    """Python's own format, which runs what it holds."""
    (artifact / "assets").mkdir()
    (artifact / "assets" / "scaler.pkl").write_bytes(pickle.dumps({"mean": 0.0}))


def _version(artifact: Path, version: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, str]:
    said: dict[str, Any] = read_yaml(CONTRACT)
    candidate, champion = a_release(artifact, version), a_release(artifact, "1.2.0")
    return _blocking(comparison.version_check("delays", candidate, champion, said, change(said)))


def _blocking(check: Check) -> dict[str, str]:
    return {f"{check.gate}.{check.name}": check.reason} if check.blocks else {}


def _refused(check: str, act: Callable[[], object]) -> dict[str, str]:
    try:
        act()
    except Problem as problem:
        return {check: "; ".join(problem.lines)}
    return {}


def _put(folder: Path, md5: str, content: bytes) -> None:
    place = folder / address(md5)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


MUTANTS = [
    Mutant(
        "08b", "classes permuted in the contract", "release.version", "expected major or more", refusal=classes_permuted
    ),
    Mutant("15", "tampered with", "fetch.md5", "saved_model.pb has md5 .*: truncated or changed", refusal=tampered),
    Mutant(
        "15b",
        "tampered with and stored anew",
        "fetch.signature",
        r"saved_model\.pb not as signed",
        refusal=stored_anew,
    ),
    Mutant("16", "unsigned", "fetch.signature", r"no signature found of [0-9a-f]{32}\.dir", refusal=unsigned),
    Mutant("16b", "signed by a stranger", "fetch.signature", "signed by another key", refusal=signed_by_a_stranger),
    Mutant(
        "17",
        "another tree than named",
        "fetch.sha256",
        "has sha256 .*, expected .*artifact.sha256",
        refusal=mislabelled,
    ),
    Mutant("18", "no lineage", "release.fields", r"spec\.training\.commit", refusal=without_lineage),
    Mutant("19a", "version used again", "release.version", r"1\.2\.0 is not above the champion's", refusal=used_again),
    Mutant("19b", "version downgraded", "release.version", r"1\.1\.9 is not above the champion's", refusal=downgraded),
    Mutant(
        "20a",
        "path out of the folder",
        "fetch.listing",
        "names /etc/cron.d/fledge, expected paths inside",
        refusal=escaping,
    ),
    Mutant("20b", "symbolic link", "structural.files", "assets/hosts", [files(linked)]),
    Mutant("20c", "pickle", "structural.files", r"assets/scaler\.pkl", [files(pickled)]),
]
