"""Say what a branch changes, and what of it the gates must judge: the matrix of GitHub Actions."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from fledge import git, project
from fledge.branch.affected import Change, affected
from fledge.branch.unreleased import unreleased
from fledge.problems import reported
from fledge.project import Project
from fledge.release import Files
from scripts.gates import said

CHANGES = Path(".fledge/changes.json")  # a file, because of many models they are more than a variable may hold
BATCHES = 200  # of at most 256 jobs that a matrix may have
# The owner's files: a change of another one is a change of the template, whose own tests then run.
OWNERS = [
    "project.yaml", "models", "data.dvc", "dvc.yaml", "dvc.lock", ".dvc/config",
    "manifests/environments", "manifests/releases", "manifests/rendered", "docs/incidents",
]  # fmt: skip


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Print each change and leave them all in CHANGES; where GITHUB_OUTPUT names a file, add `batches` and `template`."""
    argparse.ArgumentParser(prog="affected", description=__doc__).parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    base = git.target(root, owner.branch)
    changes = affected(root, base)
    refused = unreleased(root, base, changes)
    print("\n".join([*map(said, changes), *refused]) or f"affected: no delivery differs from {base}")
    judged = batches(pairs(owner, changes, [line.partition(":")[0] for line in refused]))
    template = git.changed(root, git.fork(root, base), ".", *(f":(exclude){path}" for path in OWNERS))
    CHANGES.parent.mkdir(exist_ok=True)
    CHANGES.write_text(json.dumps([record(change) for change in changes]) + "\n")
    outputs = {"batches": judged, "template": bool(template)}
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a") as out:
            out.writelines(f"{name}={json.dumps(value)}\n" for name, value in outputs.items())
    return 0


def pairs(owner: Project, changes: Sequence[Change], refused: Sequence[str]) -> list[str]:
    """What `make gates` has something to say of, as `environment/model`: candidates, and models that are not released.

    `refused` are models; such a one is named with the environment that its release would enter.
    """
    first = owner.environments[0].name
    named = [change.files.who for change in changes if change.gated]
    return list(dict.fromkeys([*named, *(Files(first, model).who for model in refused)]))


def batches(named: Sequence[str], most: int = BATCHES) -> list[str]:
    """`named` dealt out to at most `most` jobs, each as the words that its `make gates BATCH=…` takes."""
    count = min(most, len(named))
    return [" ".join(named[start::count]) for start in range(count)]


def record(change: Change) -> dict[str, str | None]:
    """What the required check and the comment are told of a change; `evidence` begins the names of its evidence files."""
    return {
        "who": change.files.who,
        "says": said(change),
        "evidence": change.evidence if change.gated else None,
    }


if __name__ == "__main__":
    raise SystemExit(main())
