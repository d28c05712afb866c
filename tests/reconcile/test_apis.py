"""Whom the reconciler trusts with its account's token: the cluster's own certificate authority, no other."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fledge.problems import Problem
from fledge.reconcile import apis

TOKEN = "a pod's token"


def test_only_the_clusters_own_ca_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's ca.crt decides, whatever bundle the environment names: another server never gets the token."""
    server, stranger = certificate(tmp_path / "server"), certificate(tmp_path / "stranger")
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(TOKEN)
    (account / "ca.crt").write_bytes((server / "cert.pem").read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger / "cert.pem"))
    with over_tls(server) as (url, heard):
        assert apis.kubernetes(url, account).call("GET", "healthz", 200).text == "ok"
        (account / "ca.crt").write_bytes((stranger / "cert.pem").read_bytes())
        with pytest.raises(Problem, match="CERTIFICATE_VERIFY_FAILED"):
            apis.kubernetes(url, account).call("GET", "healthz", 200)
    assert heard == [f"Bearer {TOKEN}"]


def certificate(folder: Path) -> Path:
    """A folder with key and self-signed certificate of 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


@contextmanager
def over_tls(folder: Path) -> Iterator[tuple[str, list[str | None]]]:
    """A server with that certificate, and the credentials that it was given."""
    heard: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()
