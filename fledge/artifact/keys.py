"""The key pair that signs artifacts: the public half is the owner's file in git, the private half never is.

`manifests/releases/signing.pub` holds one or more public keys as PEM blocks. To change keys, append the new one, commit,
and sign with it from then on; the old one stays for as long as what it signed may serve.
"""

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fledge import atomic
from fledge.problems import Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PUBLIC = Path("manifests/releases/signing.pub")
PRIVATE = Path(".fledge/signing.pem")
VARIABLE = "FLEDGE_SIGNING_KEY"
BLOCK = r"-----BEGIN PUBLIC KEY-----\s+(.*?)\s+-----END PUBLIC KEY-----\s*"


def public(root: Path) -> list[str]:
    """The public keys of a repository, each the base64 of its DER in one line; none where there is no file.

    Raises Problem for a file that holds anything but public keys: a key that nobody reads protects nothing.
    """
    if not (root / PUBLIC).exists():
        return []
    text = (root / PUBLIC).read_text()
    keys = ["".join(block.split()) for block in re.findall(BLOCK, text, re.DOTALL)]
    if not keys or re.sub(BLOCK, "", text, flags=re.DOTALL).strip():
        raise Problem(f"signing: found more or less than PEM blocks, expected public keys ({PUBLIC})")
    for key in keys:
        pem(key, str(PUBLIC))
    return keys


def pem(key: str, where: str) -> bytes:
    """A public key (base64 of DER) as PEM. Raises Problem for what is no such key; `where` says what to change."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        loaded = serialization.load_der_public_key(base64.b64decode(key, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise Problem(f"signing: found key {key[:24]!r}, expected base64 of a public key's DER ({where})") from None
    return loaded.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private(root: Path) -> Path:
    """Where the private key lies, or would."""
    return Path(os.environ.get(VARIABLE) or root / PRIVATE)


def pair(root: Path) -> tuple[Path, list[Path]]:
    """The private key to sign with, and the files that were written to git's tree: `signing.pub` the first time.

    A repository without keys gets a pair. Raises Problem where the private key is not there, is none, or fits no key of
    `signing.pub`: what it signed, no pod would take.
    """
    file, known = private(root), public(root)
    if not file.exists():
        if known:
            raise Problem(f"signing: no private key found at {file}, expected that of a key in {PUBLIC} ({VARIABLE})")
        _made(file)
    own = _public_half(file)
    if not known:
        atomic.write(root / PUBLIC, pem(own, str(file)).decode())
        return file, [PUBLIC]
    if own not in known:
        raise Problem(f"signing: the key {file} fits none of the {len(known)} in {PUBLIC}, expected one ({VARIABLE})")
    return file, []


def _made(file: Path) -> None:
    """A new private key that its owner alone may read, never over another."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise Problem(f"signing: {error.strerror} at {file}, expected to write a new key there ({VARIABLE})") from None


def _public_half(file: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    public_key = _loaded(file).public_key()
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _loaded(file: Path) -> "EllipticCurvePrivateKey":
    """model-signing takes the curves P-256, P-384 and P-521, without a password."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, OSError, UnsupportedAlgorithm) as error:
        raise Problem(f"signing: {file} is no private key ({error}), expected one in PEM ({VARIABLE})") from None
    if not (isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1")):
        raise Problem(f"signing: {file} is no elliptic key of P-256, P-384 or P-521, expected one ({VARIABLE})")
    return key
