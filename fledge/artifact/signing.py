"""An artifact's signature: made at release, kept in the remote beside the artifact, asked for before anything serves.

OpenSSF's model signing: a Sigstore bundle with the sha256 of every file, signed by an elliptic key. The bundle is not
part of the artifact, for two signatures of the same files differ.
"""

import base64
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec

from fledge import remote as remotes
from fledge.artifact import keys as key_pairs
from fledge.hashing import sha256s
from fledge.problems import Problem
from fledge.remote import Unanswered


def sign_and_store(root: Path, remote: str, folder: Path, md5: str) -> list[Path]:
    """Have the artifact in `folder`, DVC's `md5`, signed in the remote; the files of the repository that were written.

    A signature that one of the repository's keys verifies is left as it is: pods that were told that key ask for it
    whenever they start. Raises Problem as `keys.pair` and `sign` do.
    """
    private_key, written = key_pairs.pair(root)
    if not _signed(folder, remote, md5, key_pairs.public(root)):
        sign(folder, remote, md5, private_key)
    return written


def _signed(folder: Path, remote: str, md5: str, keys: Sequence[str]) -> bool:
    try:
        require_signed(folder, remote, md5, keys)
    except Unanswered:
        raise
    except Problem:
        return False
    return True


def sign(folder: Path, remote: str, md5: str, private_key: Path) -> str:
    """Sign every file of `folder` and store the signature; its address. Replaces one that is there.

    Raises Problem for a link in the folder, and a remote that does not answer or may not be written.
    """
    from model_signing.signing import Config

    where = remotes.below(remote, remotes.signature(md5))
    with tempfile.TemporaryDirectory(prefix="sign-") as scratch:
        file = Path(scratch) / "signature.json"
        config = Config().use_elliptic_key_signer(private_key=private_key)  # type: ignore[no-untyped-call]
        config.set_hashing_config(_every_file())
        try:
            config.sign(folder, file)
        except ValueError as error:
            raise Problem(f"signing: {error}, expected a folder of plain files ({folder})") from None
        absent = "signing: no such place found, expected a bucket or folder"
        with remotes.answering("signing", where, absent, "an address that may be written"):
            remotes.write(where, file.read_text())
    return where


def require_signed(folder: Path, remote: str, md5: str, keys: Sequence[str]) -> None:
    """Raises Problem unless the remote holds a signature of `folder` by one of `keys`; without keys nothing is asked."""
    if not keys:
        return
    where = remotes.below(remote, remotes.signature(md5))
    absent = f"signing: no signature found of {md5}, expected one (make release signs)"
    with remotes.answering("signing", where, absent):
        system, path = fsspec.core.url_to_fs(where)
        signature = system.cat_file(path)
    verify(folder, signature, keys, where)


def verify(folder: Path, signature: bytes, keys: Sequence[str], where: str = "the signature") -> None:
    """Raises Problem unless `signature` was made by one of `keys` (base64 of DER) over exactly the files of `folder`.

    `where` names the signature in messages.
    """
    key = _signer(signature, keys, where)
    try:
        _verified(folder, signature, key)
    except Exception as error:  # noqa: BLE001  InvalidSignature, and what a bundle with wrong content makes readers raise
        names = _differing(folder, signature) if str(error).startswith("Signature mismatch") else []
        said = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
        found = f"{', '.join(names)} not as signed" if names else f"not verified ({said})"
        raise Problem(f"signing: {found}, expected a signature over exactly these files ({where})") from None


def _differing(folder: Path, signature: bytes) -> list[str]:
    """The files that were changed, added or taken away since a signature that is right in itself."""
    payload = json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"]))
    then = {one["name"]: one["digest"] for one in payload["predicate"]["resources"]}
    now = sha256s(folder)
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _verified(folder: Path, signature: bytes, key: bytes) -> None:
    from model_signing.verifying import Config

    # Beside the folder: what was filled may be written, where a pod's other folders are read-only.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".verify-") as scratch:
        file, public_key = Path(scratch) / "signature.json", Path(scratch) / "key.pem"
        file.write_bytes(signature)
        public_key.write_bytes(key)
        config = Config().use_elliptic_key_verifier(public_key=public_key)  # type: ignore[no-untyped-call]
        config.set_hashing_config(_every_file()).verify(folder, file)


def _signer(signature: bytes, keys: Sequence[str], where: str) -> bytes:
    """The one of `keys`, as PEM, that the bundle says it was signed with: the sha256 of that PEM is its hint."""
    try:
        hint = json.loads(signature)["verificationMaterial"]["publicKey"]["hint"]
    except (ValueError, KeyError, TypeError):
        raise Problem(f"signing: no signature but something else found, expected a Sigstore bundle ({where})") from None
    for key in keys:
        pem = key_pairs.pem(key, "--key")
        if hashlib.sha256(pem).hexdigest() == hint:
            return pem
    raise Problem(f"signing: signed by another key, expected one of the {len(keys)} of this repository ({where})")


def _every_file() -> Any:
    """Also the files that git keeps for itself, which model-signing leaves out unless it is told."""
    from model_signing.hashing import Config

    return Config().set_ignored_paths(paths=(), ignore_git_paths=False)  # type: ignore[no-untyped-call]
