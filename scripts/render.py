"""Render the platform, and the first environment's manifests again, on all cores; the next ones follow by promotion.

On a branch that changes nothing but models, those models'; else every one's.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fledge import atomic, cores, git, project, release
from fledge.branch.scope import touched
from fledge.problems import caught, every, reported
from fledge.release import Files, platform, render

Rendered = tuple[str, dict[Path, str]]  # the line that says so, and the files with their texts


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write `manifests/rendered/platform.yaml`, and `…/<first environment>/<model>.yaml` for every model released there.

    Nothing is written where one of them does not render.
    """
    parser = argparse.ArgumentParser(prog="make render", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what this branch does not touch")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    first = owner.environments[0].name
    models = owner.models if options.all else _touched(root, owner, first)
    found = every([
        caught(platforms, root),
        *cores.each(partial(caught, partial(rendered, root)), [Files(first, model) for model in models], "render"),
    ])  # fmt: skip
    for line, texts in found:
        for path, text in texts.items():
            atomic.write(root / path, text)
        print(line)
    if not models:
        print(f"render: nothing of {first} differs from the target branch (make render ALL=1 renders everything)")
    return 0


def _touched(root: Path, owner: project.Project, environment: str) -> list[str]:
    base = git.target(root, owner.branch)
    return [files.model for files in touched(root, owner, base) if files.environment == environment]


def platforms(root: Path) -> Rendered:
    """What a cluster needs beside the models."""
    return f"platform: rendered ({platform.RENDERED})", {platform.RENDERED: platform.render(root)}


def rendered(root: Path, files: Files) -> Rendered:
    """What the working tree says of one (environment, model), rendered."""
    wanted = release.read(root, files)
    if wanted is None:
        return f"{files.who}: no release yet (make release MODEL={files.model})", {}
    line = f"{files.who}: {wanted.version} rendered ({files.rendered})"
    return line, render.contents(files, wanted, render.render(root, files, wanted))


if __name__ == "__main__":
    raise SystemExit(main())
