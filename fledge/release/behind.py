"""Whether a rendered file of the target branch is behind its base: not what its sources render to by now."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fledge import git, release
from fledge.release import Files, render
from fledge.release.annals import Annals

MOST = 50  # are compared unasked: kustomize takes up to a tenth of a second for each


@contextlib.contextmanager
def sources(root: Path, revision: str, pairs: Sequence[Files]) -> Iterator[Path]:
    """A folder with all that `pairs` render from, as `revision` holds it, whatever the working tree is."""
    (root / ".fledge").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root / ".fledge", prefix="base-") as scratch:
        wanted = render.sources(dict.fromkeys(files.model for files in pairs))
        held = git.git(root, "ls-tree", "--name-only", revision, "--", *wanted).splitlines()
        git.unpack(root, revision, Path(scratch), *held)
        (Path(scratch) / ".tools").symlink_to(root / ".tools")  # which may hold the kustomize to use
        yield Path(scratch)


def behind(there: Path, one: Annals) -> bool | None:
    """Whether the file differs from a fresh render of these sources; None where nothing is rendered.

    Raises Problem for sources that do not render.
    """
    if one.rendered is None or one.release is None:
        return None
    return render.render(there, one.files, release.from_text(one.release, str(one.files.release))) != one.rendered
