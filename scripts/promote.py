"""Carry releases one environment up the promotion path, in one commit: of each model a copied file and what it renders to."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fledge import asked, commits, cores, git, project
from fledge.problems import caught, every, reported
from fledge.promotion import Promotion, promotion
from fledge.release import render


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Copy, render and commit the releases of the environment below; none of them where one is refused."""
    parser = argparse.ArgumentParser(prog="make promote", description=__doc__)
    parser.add_argument("--model", required=True, help="names from project.yaml: models, by spaces")
    parser.add_argument("--to", required=True, help="an environment of project.yaml, but the first")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    typed = f"make promote MODEL={owner.models[0]} TO={owner.environments[-1].name}"
    pairs = asked.pairs(owner, options.model.split(), options.to, typed)
    git.require_history(root, "promote")
    commits.require_ready(root)
    act = partial(caught, partial(promotion, root, git.target(root, owner.branch)))
    found = every(cores.each(act, pairs, "promote"))
    texts = {path: text for one in found for path, text in render.contents(one.files, one.wanted, one.rendered).items()}
    commits.commit(root, message(options.to, found), texts)
    for one in found:
        print(f"{one.files.who}: {one.wanted.version}, delivery {render.delivered(one.rendered)[0]}")
    return 0


def message(environment: str, found: Sequence[Promotion]) -> str:
    """The commit's."""
    named = [f"{one.files.model} {one.wanted.version}" for one in found]
    if len(named) == 1:
        return f"Promote {named[0]} to {environment}"
    return "\n".join([f"Promote {len(named)} models to {environment}", "", *named])


if __name__ == "__main__":
    raise SystemExit(main())
