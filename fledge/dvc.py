"""The real DVC, as its command line."""

import subprocess
import sys
from pathlib import Path

from fledge.problems import Problem


def dvc(root: Path, *arguments: str) -> str:
    """What `dvc` prints. Raises Problem with its own last line when it refuses."""
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        said = last.removeprefix("ERROR: ")
        raise Problem(f"dvc: {said}, expected `dvc {arguments[0]}` to succeed (dvc.yaml, .dvc/config)")
    return done.stdout
