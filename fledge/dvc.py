"""The real DVC, as its command line."""

import subprocess
import sys
from pathlib import Path

from fledge.problems import Problem


def dvc(root: Path, *arguments: str) -> str:
    """What `dvc` prints. Raises Problem with its own word when it refuses (so never pass --quiet: it hides that)."""
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        # Its last line may be an offer of help.
        said = next((line for line in lines if line.startswith("ERROR: ")), lines[-1]).removeprefix("ERROR: ")
        raise Problem(f"dvc: {said}, expected `dvc {arguments[0]}` to succeed (dvc.yaml, .dvc/config)")
    return done.stdout
