"""The target branch's own gates: unpacked beside the clone, in the environment of their own lock, run by their verb."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fledge import git
from fledge.problems import Problem


def run(root: Path, revision: str, model_dir: Path, options: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code of `scripts.gates` as `revision` has it, for the model in `model_dir`; its stderr is this one's.

    `options` are the verb's and hold absolute paths. Raises Problem where its environment cannot be made.
    """
    code = unpacked(root, revision)
    place = code / "models" / model_dir.name
    shutil.rmtree(place, ignore_errors=True)  # contract and requests are the candidate's
    shutil.copytree(model_dir, place, ignore=shutil.ignore_patterns("saved_model"))
    command = [python(root, code, revision), "-m", "scripts.gates", "--model", model_dir.name, *options]
    theirs = {**environment, "PYTHONPATH": str(code)}
    return subprocess.run(command, cwd=code, env=theirs, stdout=subprocess.DEVNULL).returncode


def unpacked(root: Path, revision: str) -> Path:
    """The tree of a revision in a folder of its own, made anew: a branch might bring one."""
    there = root / ".fledge" / "target"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    git.unpack(root, revision, there)
    return there


def python(root: Path, code: Path, revision: str) -> str:
    """The interpreter whose packages are those of that code's lock: this one, or one that its own setup brings."""
    here, there = ((folder / "requirements.lock").read_bytes() for folder in (root, code))
    if here == there:
        return sys.executable
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "scripts/setup.py"]
    done = subprocess.run(command, cwd=code, env=clean, stdout=subprocess.DEVNULL).returncode
    if done:
        found, file = f"the setup of {revision} exited {done}", f"{revision}:requirements.lock"
        raise Problem(f"gates: {found}, expected the packages that its gates were locked with ({file})")
    return str(code / ".venv" / "bin" / "python")
