"""Carry a release one environment up the promotion path: one copied file and what it renders to."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import git, history, project, release, render
from fledge.problems import Problem, reported
from fledge.project import Project
from fledge.release import Files, Release
from fledge.rules import denied_line


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Copy, render and commit the release of the environment below."""
    parser = argparse.ArgumentParser(prog="make promote", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    parser.add_argument("--to", required=True, help="an environment of project.yaml, but the first")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    files = Files(owner.environment(options.to).name, owner.model(options.model))
    git.require_clean(root)
    base = git.target(root, owner.branch)
    wanted = promotable(root, owner, files, base)
    rendered = render.render(root, files, wanted)
    delivery, _ = render.delivered(rendered)
    _refuse(root, files, base, delivery, wanted)
    git.commit(
        root, f"Promote {files.model} {wanted.version} to {files.environment}", *render.write(root, files, wanted)
    )
    print(f"{files.who}: {wanted.version}, delivery {delivery}")
    return 0


def promotable(root: Path, owner: Project, files: Files, base: str) -> Release:
    """The release of the environment below. Raises Problem where there is none or it is not healthy there."""
    below = owner.below(files.environment)
    if below is None:
        raise Problem(
            f"{files.who}: found the first environment, expected a later one (make release MODEL={files.model})"
        )
    source = Files(below.name, files.model)
    wanted = release.read(root, source)
    if wanted is None:
        raise Problem(f"{files.who}: no release found in {below.name}, expected one ({source.release})")
    delivery, _ = render.delivered((root / source.rendered).read_text())
    if delivery not in {one.delivery for one in history.healthy(root, source, base)}:
        tag = history.tag_name(source, wanted.version, delivery)
        raise Problem(f"{files.who}: {wanted.version} is not healthy in {below.name}, expected the tag {tag}")
    return wanted


def _refuse(root: Path, files: Files, base: str, delivery: str, wanted: Release) -> None:
    for denial in history.denied_at(root, files, base):
        if denial.delivery == delivery:
            raise Problem(denied_line(files, wanted.version, denial))
    current = git.show(root, base, files.rendered)
    if current and render.delivered(current)[0] == delivery:
        raise Problem(f"{files.who}: {wanted.version} is there already, expected something to promote")


if __name__ == "__main__":
    raise SystemExit(main())
