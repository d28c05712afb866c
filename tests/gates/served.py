"""The candidate as it would be served: by a server in a process of its own, started once for all gates that ask it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from fledge.problems import Problem
from fledge.rehearsal import ports, process

LONGEST_START_S = 120.0  # an import of TensorFlow, a load and a warm-up, on a busy machine
GRACE_S = 20.0
POLL_S = 0.02
MOST_WORDS = 300  # letters of what the server said
WHERE = "(serve it by `python -m fledge.serving` and read its log)"


@dataclass(frozen=True)
class Served:
    """The model `name` under 127.0.0.1; `rest` and `grpc` are "host:port"."""

    name: str
    rest: str
    grpc: str


@contextmanager
def serving(artifact: Path, name: str) -> Iterator[Served]:
    """Serve version 1 of the model `name` from a SavedModel folder until the end of the block.

    Raises Problem with the server's own words where it does not load, warm up and become AVAILABLE.
    """
    with tempfile.TemporaryDirectory(prefix="fledge-served-") as scratch:
        base, log = Path(scratch) / name, Path(scratch) / "server.log"
        base.mkdir()
        (base / "1").symlink_to(artifact.resolve())
        rest = ports.free()
        grpc = ports.free({rest})
        server = _start([f"--port={grpc}", f"--rest_api_port={rest}", f"--model_name={name}"], base, log)
        try:
            if fault := _fault(server, rest, name):
                said = log.read_text(errors="replace").replace(str(base / "1"), str(artifact))
                raise Problem(f"server: {fault}{_last_words(said)}, expected the model AVAILABLE {WHERE}")
            yield Served(name, f"127.0.0.1:{rest}", f"127.0.0.1:{grpc}")
        finally:
            _stop(server)


def _start(flags: list[str], base: Path, log: Path) -> "subprocess.Popen[bytes]":
    once = ["--max_num_load_retries=0", "--file_system_poll_wait_seconds=0"]
    command = [sys.executable, "-m", "fledge.serving", *flags, f"--model_base_path={base}", *once]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=process.ROOT,
            env=process.environment(),
            preexec_fn=process.dies_with(os.getpid()),  # noqa: PLW1509 - it calls prctl and nothing else
        )


def _fault(server: "subprocess.Popen[bytes]", port: int, name: str) -> str:
    """Nothing once the model is AVAILABLE, which is when the server opens its ports; else why it will not be."""
    deadline = time.monotonic() + LONGEST_START_S
    while not _available(port, name):
        if server.poll() is not None:
            return f"ended with {server.returncode}"
        if time.monotonic() > deadline:
            return f"not up after {LONGEST_START_S:.0f} s"
        time.sleep(POLL_S)
    return ""


def _available(port: int, name: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=LONGEST_START_S)
    try:
        connection.request("GET", f"/v1/models/{name}")
        versions = json.loads(connection.getresponse().read()).get("model_version_status", [])
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return [version["state"] for version in versions] == ["AVAILABLE"]


def _last_words(log: str) -> str:
    """What the server said when it gave up, in one line: its cause, else its last line."""
    _, _, cause = log.rpartition("due to error: ")
    said = " ".join(cause.split()) if cause != log else (log.strip() or "nothing").splitlines()[-1]
    return f" and said {said[:MOST_WORDS]!r}"


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
