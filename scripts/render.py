"""Render the first environment's manifests again; the next ones follow by promotion."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import project, release, render
from fledge.problems import reported
from fledge.release import Files


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write `manifests/rendered/<first environment>/<model>.yaml` for every model that has a release there."""
    argparse.ArgumentParser(prog="make render", description=__doc__).parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    for model in owner.models:
        files = Files(owner.environments[0].name, model)
        wanted = release.read(root, files)
        if wanted:
            render.write(root, files, wanted)
            print(f"{files.who}: {wanted.version} rendered ({files.rendered})")
        else:
            print(f"{files.who}: no release yet (make release MODEL={model})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
