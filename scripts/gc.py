"""Remove from DVC's remote what no environment, branch or rollback needs. Shows it; APPLY=1 removes it.

Run it while no release is under way: what is pushed again at the same moment is not seen.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fledge import git, project, retention
from fledge.problems import reported
from fledge.retention import garbage
from fledge.retention.garbage import GRACE, Garbage


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Say what may go and what stays; with --apply it goes."""
    parser = argparse.ArgumentParser(prog="make gc", description=__doc__)
    parser.add_argument("--apply", action="store_true", help="remove it")
    options = parser.parse_args(argv)
    root = Path.cwd()
    retention.require_whole(root)
    base = git.target(root, project.load(root).branch)
    remote = project.remote(root)
    found = garbage.found(remote, retention.promised(root, base), retention.named(root, base), datetime.now(UTC))
    if options.apply:
        garbage.remove(remote, found)
    print("\n".join(said(found, retention.released(root, base), options.apply)))
    return 0


def said(found: Garbage, whose: Mapping[str, str], applied: bool) -> list[str]:
    """A line for each folder that goes, with the release that it was, and the sums."""
    names = [found.names[name].md5 for name in found.folders]
    lines = [
        f"  {md5}  {whose.get(md5, 'never released')}" for md5 in sorted(names, key=lambda md5: whose.get(md5, "~"))
    ]
    size = sum(one.size for one in found.names.values()) / 1e6
    acted = "removed" if applied else "would remove (APPLY=1 removes)"
    return [
        f"gc: {acted} {len(found.names)} objects of {len(names)} folders, {size:.1f} MB",
        *lines,
        f"gc: {found.needed} objects are needed, {found.young} younger than {GRACE.days} days are left",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
