"""A real S3 for the tests: Versity's gateway over a folder."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest
import s3fs

from fledge.rehearsal.ports import free
from scripts import setup
from tests.conftest import ROOT

OWNER = {"AWS_ACCESS_KEY_ID": "owner", "AWS_SECRET_ACCESS_KEY": "secret-of-the-owner"}
READER = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret-of-the-reader"}
BUCKET = "team"
READING = {
    "Effect": "Allow",
    "Principal": READER["AWS_ACCESS_KEY_ID"],
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
}


@dataclass(frozen=True)
class Store:
    """Where it answers, and the folder in which an object is a file: <bucket>/<key>."""

    endpoint: str
    folder: Path

    def environment(self, who: dict[str, str]) -> dict[str, str]:
        """What botocore reads, in DVC's processes as in ours."""
        return who | {"AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}


def become(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach S3 as this environment says from now on; fsspec keeps the clients of another by the bucket's name alone."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def program() -> Path:
    """versitygw in the version that setup pins, built where it is not there."""
    if not setup.built("versitygw"):
        setup.build("versitygw")
    return ROOT / ".tools" / "versitygw"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Store]:
    """An S3 that keeps what it is told below `folder`: one bucket, of an owner, which another account may read."""
    port, gateway = free(), str(program())
    for name in ("buckets", "accounts"):
        (folder / name).mkdir()
    owner = ["--access", OWNER["AWS_ACCESS_KEY_ID"], "--secret", OWNER["AWS_SECRET_ACCESS_KEY"]]
    command = [gateway, "--port", f"127.0.0.1:{port}", "--iam-dir", str(folder / "accounts"), *owner]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "posix", str(folder / "buckets")], stdout=log, stderr=log)
    try:
        store = Store(f"http://127.0.0.1:{port}", folder / "buckets")
        _listening(process, port, folder / "log")
        reader = ["--access", READER["AWS_ACCESS_KEY_ID"], "--secret", READER["AWS_SECRET_ACCESS_KEY"]]
        admin = [gateway, "admin", *owner, "--endpoint-url", store.endpoint, "create-user", *reader, "--role", "user"]
        subprocess.run(admin, check=True, capture_output=True)
        _with_bucket(store)
        yield store
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError(f"versitygw does not answer: {log.read_text()}")


def _with_bucket(store: Store) -> None:
    access = {"key": OWNER["AWS_ACCESS_KEY_ID"], "secret": OWNER["AWS_SECRET_ACCESS_KEY"]}
    system = s3fs.S3FileSystem(**access, endpoint_url=store.endpoint, skip_instance_cache=True)
    system.mkdir(BUCKET)
    policy = {"Version": "2012-10-17", "Statement": [READING]}
    system.call_s3("put_bucket_policy", Bucket=BUCKET, Policy=json.dumps(policy))
