"""Write aside, then rename: a reader sees the old file or the new one, never a half."""

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace the file at `path` in one step; its folders are made. Raises OSError, and then leaves nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
