"""Offer the trained artifact of a model for serving: version it, push it, place it in the first environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge import asked, atomic, commits, git, project
from fledge.artifact import keys, signing, versioning
from fledge.dvc import dvc
from fledge.problems import Problem, reported
from fledge.release import proposal, render


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write, render and commit release.yaml for the first environment."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--model", required=True, help="a name from project.yaml: models")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    first = owner.environments[0].name
    [files] = asked.pairs(owner, [options.model], first, f"make release MODEL={owner.models[0]}")
    git.require_history(root, "release")
    commits.require_ready(root)
    commits.require_based(root, git.target(root, owner.branch), files)
    remote = project.shared_remote(root)
    wanted, why, found = proposal.proposed(root, owner, files)
    if wanted.parent:
        print(f"{files.who}: what differs from {wanted.parent}, its champion (docs/compatibility.md)")
        print(versioning.told(found))
    dvc(root, "push", "data.dvc", f"train@{files.model}")
    with commits.whole(root, keys.PUBLIC, files.release, files.rendered):
        trained = root / "models" / files.model / "saved_model"
        signed = signing.sign_and_store(root, remote, trained, wanted.artifact.md5)
        texts = render.contents(files, wanted, render.render(root, files, wanted))
        if commits.holds(root, texts):
            expected = f"another training, or it merged (git log -1 -- {files.release})"
            raise Problem(f"{files.who}: {wanted.version} is in this branch already, expected {expected}")
        for path, text in texts.items():
            atomic.write(root / path, text)
        git.commit(root, f"Release {files.model} {wanted.version} to {files.environment}", *signed, *texts)
    delivery, _ = render.delivered(texts[files.rendered])
    print(f"{files.who}: {wanted.version} ({why}), artifact {wanted.artifact.md5}, delivery {delivery}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
