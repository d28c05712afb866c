"""Signatures: what was signed is what serves, and every other case is one line."""

import base64
import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fledge import fetch, remote
from fledge.artifact import keys, signing
from fledge.fetch.__main__ import main as fetch_main
from fledge.hashing import dvc_directory
from fledge.problems import Problem
from tests.fetch.test_fetch import pushed

OPENSSL = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that never signed, with an artifact in it that was pushed to `remote`."""
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    folder = tmp_path / "root" / "saved_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    pushed(tmp_path / "remote", folder)
    return tmp_path / "root"


def signed(root: Path) -> tuple[str, str, bytes]:
    """Sign the artifact as a release does: the remote, the hash, and the signature's bytes."""
    where, folder = str(root.parent / "remote"), root / "saved_model"
    md5 = dvc_directory(folder)[0]
    signing.sign_and_store(root, where, folder, md5)
    return where, md5, (Path(where) / remote.signature(md5)).read_bytes()


def test_the_first_signature_makes_a_key_pair(root: Path) -> None:
    """The private half is for its owner's eyes alone and outside git; the public half is a file to commit, once."""
    where, folder = str(root.parent / "remote"), root / "saved_model"
    md5 = dvc_directory(folder)[0]
    assert signing.sign_and_store(root, where, folder, md5) == [keys.PUBLIC]
    assert (root / keys.PRIVATE).stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (root / keys.PUBLIC).read_text()
    before = (root / keys.PUBLIC).read_text()
    assert signing.sign_and_store(root, where, folder, md5) == []
    assert (root / keys.PUBLIC).read_text() == before


def test_a_signed_artifact_is_fetched_with_its_key(root: Path, tmp_path: Path) -> None:
    """With the repository's public key in its arguments a pod gets what was signed, also when it starts again."""
    where, md5, _ = signed(root)
    options = ["--remote", where, "--artifact", md5, "--to", str(tmp_path / "pod"), "--key", keys.public(root)[0]]
    assert fetch_main(options) == 0
    assert fetch_main(options) == 0
    assert dvc_directory(tmp_path / "pod")[0] == md5


def another(path: Path, curve: str = "ec_paramgen_curve:P-256") -> Path:
    """A private key that OpenSSL made, and its public half beside it as .pub."""
    subprocess.run([*OPENSSL, curve, "-out", path], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", f"{path}.pub"], check=True, capture_output=True)
    return path


def test_a_pod_that_knows_another_key_refuses(root: Path, tmp_path: Path) -> None:
    """Signed by a key that the pod was not told is refused, by fetching and by what lies there already."""
    where, md5, _ = signed(root)
    stranger = (another(tmp_path / "other.pem").with_suffix(".pem.pub")).read_text()
    key = "".join(stranger.splitlines()[1:-1])
    fetch.fetch(where, md5, tmp_path / "held")
    for place in ("pod", "held"):
        with pytest.raises(Problem, match="signed by another key, expected one of the 1 of this repository"):
            fetch.fetch(where, md5, tmp_path / place, keys=[key])
    assert not (tmp_path / "pod").exists()


def test_an_unsigned_artifact_is_refused(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a key and no signature in the remote the line says who signs, and nothing is left."""
    where, md5, _ = signed(root)
    (Path(where) / remote.signature(md5)).unlink()
    options = ["--remote", where, "--artifact", md5, "--to", str(tmp_path / "pod"), "--key", keys.public(root)[0]]
    assert fetch_main(options) == 1
    line = f"signing: no signature found of {md5}, expected one (make release signs) ({where}/{remote.signature(md5)})"
    assert capsys.readouterr().err == line + "\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["remote", "root"]


def changed(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"other")


def added(folder: Path) -> None:
    (folder / "more").write_bytes(b"")


def hidden(folder: Path) -> None:
    (folder / ".gitignore").write_bytes(b"")


def hidden_below(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"")


def removed(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def renamed(folder: Path) -> None:
    (folder / "saved_model.pb").rename(folder / "saved_model.pbtxt")


def linked(folder: Path) -> None:
    (folder / "link").symlink_to("saved_model.pb")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed, "saved_model.pb not as signed"),
        (added, "more not as signed"),
        (hidden, r"\.gitignore not as signed"),
        (hidden_below, r"\.git/config not as signed"),
        (removed, "saved_model.pb not as signed"),
        (renamed, r"saved_model\.pb, saved_model\.pbtxt not as signed"),
        (linked, r"not verified \(ValueError: .*symlink"),
    ],
)
def test_files_that_are_not_the_signed_ones_are_named(root: Path, change: Callable[[Path], None], reason: str) -> None:
    """Whatever differs in the folder is named in one line, git's own files too, which model-signing leaves out."""
    _, _, signature = signed(root)
    change(root / "saved_model")
    with pytest.raises(Problem, match=f"^signing: {reason}") as problem:
        signing.verify(root / "saved_model", signature, keys.public(root))
    [line] = problem.value.lines
    assert line.endswith(", expected a signature over exactly these files (the signature)")


def edited(signature: bytes, change: Callable[[dict], object]) -> bytes:  # type: ignore[type-arg]
    """A signature whose bundle was changed."""
    bundle = json.loads(signature)
    change(bundle)
    return json.dumps(bundle).encode()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda _: b"", "no signature but something else found"),
        (lambda _: b"\xff\xfe", "no signature but something else found"),
        (lambda _: b"{}", "no signature but something else found"),
        (lambda _: b"[1]", "no signature but something else found"),
        (lambda s: s[: len(s) // 2], "no signature but something else found"),
        (lambda s: edited(s, lambda b: b.pop("dsseEnvelope")), "not verified"),
        (lambda s: edited(s, lambda b: b.update(dsseEnvelope={})), "not verified"),
        (lambda s: edited(s, lambda b: b["dsseEnvelope"].update(signatures=[])), "not verified"),
        (lambda s: edited(s, lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA")), "not verified"),
        (
            lambda s: edited(s, lambda b: b["dsseEnvelope"].update(payload=base64.b64encode(b"{}").decode())),
            "not verified",
        ),
    ],
)
def test_a_broken_signature_is_one_line(root: Path, broken: Callable[[bytes], bytes], reason: str) -> None:
    """Half a file, JSON of something else, an envelope without content and a forged one are refused, not raised."""
    _, _, signature = signed(root)
    with pytest.raises(Problem, match=reason) as problem:
        signing.verify(root / "saved_model", broken(signature), keys.public(root), "here")
    assert len(problem.value.lines) == 1
    assert "(here)" in problem.value.lines[0]


def test_one_artifacts_signature_is_no_other_ones(root: Path) -> None:
    """A right signature of other files, laid in the place of this one's, is refused."""
    where, md5, _ = signed(root)
    (root / "other").mkdir()
    (root / "other" / "saved_model.pb").write_bytes(b"other")
    private_key, _ = keys.pair(root)
    signing.sign(root / "other", where, md5, private_key)
    with pytest.raises(Problem, match=r"saved_model\.pb, variables/variables\.index not as signed"):
        signing.require_signed(root / "saved_model", where, md5, keys.public(root))


def test_a_signature_that_an_own_key_verifies_stays(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of keys an artifact that the old one signed is not signed again: older pods know only the old key."""
    where, md5, before = signed(root)
    new = another(tmp_path / "new.pem")
    (root / keys.PUBLIC).write_text((root / keys.PUBLIC).read_text() + Path(f"{new}.pub").read_text())
    monkeypatch.setenv(keys.VARIABLE, str(new))
    assert len(keys.public(root)) == 2
    signing.sign_and_store(root, where, root / "saved_model", md5)
    assert (Path(where) / remote.signature(md5)).read_bytes() == before


def test_a_signature_of_a_key_that_was_taken_away_is_made_anew(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once signing.pub lists only the new key, a release signs with it, and its pods take it."""
    where, md5, before = signed(root)
    new = another(tmp_path / "new.pem", "ec_paramgen_curve:P-384")
    (root / keys.PUBLIC).write_text(Path(f"{new}.pub").read_text())
    monkeypatch.setenv(keys.VARIABLE, str(new))
    signing.sign_and_store(root, where, root / "saved_model", md5)
    assert (Path(where) / remote.signature(md5)).read_bytes() != before
    fetch.fetch(where, md5, tmp_path / "pod", keys=keys.public(root))


def test_a_key_that_fits_none_of_the_repository_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an unknown key signed no pod would take: refused before anything is signed."""
    where, md5, before = signed(root)
    monkeypatch.setenv(keys.VARIABLE, str(another(tmp_path / "other.pem")))
    with pytest.raises(Problem, match=r"other\.pem fits none of the 1 in manifests/releases/signing\.pub"):
        signing.sign_and_store(root, where, root / "saved_model", md5)
    assert (Path(where) / remote.signature(md5)).read_bytes() == before


def test_a_clone_without_the_private_key_is_told_where_to_put_it(root: Path) -> None:
    """Who clones a repository that signs needs its key: a second pair is never made by itself."""
    where, md5, _ = signed(root)
    (root / keys.PRIVATE).unlink()
    with pytest.raises(
        Problem, match=r"no private key found at .*signing\.pem, expected that of a key in .*FLEDGE_SIGNING_KEY"
    ):
        signing.sign_and_store(root, where, root / "saved_model", md5)
    assert not (root / keys.PRIVATE).exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [("nothing", "is no private key"), ("secp256k1", "no elliptic key of P-256"), ("rsa", "no elliptic key of P-256")],
)
def test_what_is_no_elliptic_private_key_is_one_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, reason: str
) -> None:
    """A file of another kind, a curve that model-signing does not take and RSA are refused before signing."""
    file = tmp_path / "key.pem"
    if content == "nothing":
        file.write_text("nothing")
    elif content == "rsa":
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", file], check=True, capture_output=True)
    else:
        another(file, f"ec_paramgen_curve:{content}")
    monkeypatch.setenv(keys.VARIABLE, str(file))
    with pytest.raises(Problem, match=reason) as problem:
        signed(root)
    assert len(problem.value.lines) == 1
    assert not (root / keys.PUBLIC).exists()


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519 AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_a_signing_pub_that_holds_no_key_is_refused(root: Path, text: str) -> None:
    """A file of public keys that nothing reads would verify nothing: it is a problem, never an absence of keys."""
    signed(root)
    (root / keys.PUBLIC).write_text(text)
    with pytest.raises(Problem, match=r"^signing: .*signing\.pub\)$"):
        keys.public(root)


def test_a_key_argument_that_is_no_key_is_one_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged --key refuses the artifact and names the option."""
    where, md5, _ = signed(root)
    options = ["--remote", where, "--artifact", md5, "--to", str(tmp_path / "pod"), "--key", "AAAA"]
    assert fetch_main(options) == 1
    assert capsys.readouterr().err == "signing: found key 'AAAA', expected base64 of a public key's DER (--key)\n"
    assert not (tmp_path / "pod").exists()


def test_a_remote_that_cannot_be_written_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk of a folder remote is read-only, the line names the address of the signature."""

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(remote, "write_file", read_only)
    reason = (
        r"signing: OSError: .*Read-only file system, expected an address that may be written \(.*/signatures/.*\.json\)"
    )
    with pytest.raises(Problem, match=reason) as problem:
        signed(root)
    assert len(problem.value.lines) == 1


def test_a_key_is_never_written_over(root: Path) -> None:
    """A private key that is there is used, not replaced, even before the first release."""
    (root / keys.PRIVATE).parent.mkdir(parents=True)
    another(root / keys.PRIVATE)
    before = (root / keys.PRIVATE).read_bytes()
    signed(root)
    assert (root / keys.PRIVATE).read_bytes() == before
    assert os.path.exists(root / keys.PUBLIC)
