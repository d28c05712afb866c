"""Which kustomize renders: the newest on PATH, kubectl's, or the one that `make setup` built into .tools/."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from fledge.problems import Problem

# The oldest that render the same bytes as 5.8.1 (tests/test_render.py holds that).
STANDALONE, KUBECTL = (5, 8), (5, 5)


def build(folder: Path, root: Path) -> str:
    """The YAML of a kustomization folder. Raises Problem with kustomize's own line when it refuses.

    Paths in it are from the root: what is wrong with the base is one line, whichever models are rendered.
    """
    done = subprocess.run([*command(root), str(folder)], capture_output=True, text=True)
    if done.returncode:
        # kustomize says `Error: …`, kubectl logs `… err="…"`.
        last = re.sub(r"^(Error: |.* err=)", "", done.stderr.strip().splitlines()[-1])
        said = last.replace(f"{folder}/", "").replace(str(folder), "it").replace(f"{root}/", "")
        raise Problem(f"kustomize: {said}, expected manifests that build (manifests/)")
    return done.stdout


@cache
def command(root: Path) -> tuple[str, ...]:
    """The command line that builds a folder. Raises Problem where there is no kustomize to be had."""
    found = []
    candidates: list[tuple[str, tuple[int, int], tuple[str, ...]]] = [
        (str(root / ".tools" / "kustomize"), STANDALONE, ("build",)),
        ("kustomize", STANDALONE, ("build",)),
        ("kubectl", KUBECTL, ("kustomize",)),
    ]
    for program, oldest, verb in candidates:
        path = shutil.which(program)
        version = _version(path) if path else None
        if path and version and version >= oldest:
            return (path, *verb)
        if path:
            found.append(
                f"{Path(path).name} with kustomize {'.'.join(map(str, version or ())) or 'of unknown version'}"
            )
    raise Problem(
        f"kustomize: found {' and '.join(found) or 'none'}, expected kustomize ≥ 5.8 or kubectl with kustomize ≥ 5.5 "
        "on PATH, or the one that `make setup` builds (.tools/kustomize)"
    )


@cache
def _version(path: str) -> tuple[int, int] | None:
    arguments = ["version", "--client"] if Path(path).name == "kubectl" else ["version"]
    done = subprocess.run([path, *arguments], capture_output=True, text=True)
    match = re.search(r"(?:Kustomize Version: )?v(\d+)\.(\d+)\.\d+\s*$", done.stdout)
    return (int(match[1]), int(match[2])) if match else None
