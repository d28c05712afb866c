"""Everything that a verb could leave behind: what was there before a refusal is what must be there after it."""

from pathlib import Path
from typing import Any

from fledge import git

REFS = ("for-each-ref", "--format=%(refname) %(objectname)")


def seen(root: Path, origin: Path) -> dict[str, Any]:
    """HEAD, refs, index and files of a clone, the scratch folders that Fledge makes in it, and the refs of its origin."""
    return {
        "head": (root / ".git" / "HEAD").read_text(),
        "refs": git.git(root, *REFS),
        "status": git.git(root, "status", "--porcelain"),
        "index": git.git(root, "ls-files", "--stage"),
        "files": {path.relative_to(root).as_posix(): _content(path) for path in _below(root)},
        "scratch": sorted(path.name for path in (root / ".fledge").glob("*") if path.name != "signing.pem"),
        "origin": git.git(origin, *REFS),
    }


def _below(root: Path) -> list[Path]:
    """Folders too: an empty one is unknown to git. What DVC keeps for itself does not count."""
    tops = [path for path in root.iterdir() if path.name not in (".git", ".fledge", ".tools", ".dvc")]
    return [root / ".dvc" / "config", *tops, *(path for top in tops for path in top.rglob("*"))]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
