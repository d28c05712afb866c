"""Offer the trained artifact of a model for serving: version it, push it, place it in the first environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import git, project, proposal, render
from fledge.dvc import dvc
from fledge.problems import reported
from fledge.release import Files


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write, render and commit release.yaml for the first environment."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    files = Files(owner.environments[0].name, owner.model(options.model))
    git.require_clean(root)
    project.shared_remote(root)
    wanted, why = proposal.proposed(root, owner, files)
    dvc(root, "push", "data.dvc", f"train@{files.model}")
    written = render.write(root, files, wanted)
    git.commit(root, f"Release {files.model} {wanted.version} to {files.environment}", *written)
    delivery, _ = render.delivered((root / files.rendered).read_text())
    print(f"{files.who}: {wanted.version} ({why}), artifact {wanted.artifact.md5}, delivery {delivery}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
