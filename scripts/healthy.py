"""Record in git that a delivery served everyone after its canary was judged: the healthy tag."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fledge import git, project
from fledge.client import golden
from fledge.problems import Problem, reported
from fledge.project import Environment
from fledge.release import Files, contracts, history
from fledge.release.history import Delivery


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Tag the first-parent commit that brought the delivery, and push the tag. Never moves one."""
    parser = argparse.ArgumentParser(prog="healthy", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--delivery", required=True, help="the completed delivery: 12 hex digits")
    parser.add_argument("--gateway", help="HOST:PORT, where the golden requests of a first delivery go")
    parser.add_argument("--first", action="store_true", help="it had no canary: the first of this model there")
    parser.add_argument("--see", action="store_true", help="find out whether it is the first, and ask its own hostname")
    options = parser.parse_args(argv)
    root = Path.cwd()
    git.act_as_app()
    git.git(root, "fetch", "--quiet", "--tags", "origin")
    owner = project.load(root)
    files = Files(owner.environment(options.env).name, owner.model(options.model))
    environment, base = owner.environment(options.env), git.target(root, owner.branch)
    brought = came(root, files, base, options.delivery)
    if options.first or (options.see and not history.healthy(root, files, base)):
        users = f"{environment.hostnames(files.model)['rest']}:80" if options.see else None
        answered(root, files, environment, options.gateway or users, base, brought)
    print(f"{files.who}: {tagged(root, files, brought)}")
    return 0


def came(root: Path, files: Files, base: str, delivery: str) -> Delivery:
    """The beginning of its latest stay there. Raises Problem for a denied or unknown delivery."""
    if delivery in {denial.delivery for denial in history.denied_at(root, files, base)}:
        raise Problem(f"{files.who}: delivery {delivery} is denied, expected one that is not ({files.denied})")
    brought = history.brought_by(root, files, base, delivery)
    if brought is None:
        raise Problem(f"{files.who}: delivery {delivery} never came there, expected one of {files.rendered}'s history")
    return brought


def answered(
    root: Path, files: Files, environment: Environment, gateway: str | None, base: str, brought: Delivery
) -> None:
    """Raises Problem, a line each, for golden requests that the gateway does not answer as the contract says."""
    if not gateway:
        raise Problem(f"{files.who}: no gateway given, expected where golden requests go (--gateway HOST:PORT)")
    names = environment.hostnames(files.model)
    problems = golden.answers(gateway, names["rest"], names["grpc"], files.model, asked(root, files, base, brought))
    if problems:
        raise Problem(*(f"{files.who}: {line}" for line in problems))


def asked(root: Path, files: Files, base: str, brought: Delivery) -> list[dict[str, Any]]:
    """The golden requests that belong to the contract of what was delivered: the next release may ask otherwise by now."""
    wanted = history.release_at(root, files, brought.commit)
    if wanted is None:
        found = f"{brought.version} has no release at {brought.commit[:10]}"
        raise Problem(f"{files.who}: {found}, expected the one it delivers ({files.release})")
    home, _ = contracts.home(root, files, wanted, base)
    path = Path("models") / files.model / "requests.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        git.unpack(root, home, Path(folder), path)
        return golden.read(Path(folder) / path)


def tagged(root: Path, files: Files, brought: Delivery) -> str:
    """The tag's name; made and pushed unless it is there."""
    name = history.tag_name(files, brought.version, brought.delivery)
    known = git.exists(root, f"refs/tags/{name}")
    # To the remote first: a tag that is here alone would say that the delivery is healthy where nobody else says so.
    git.git(root, "push", "--quiet", "origin", f"{'' if known else brought.commit + ':'}refs/tags/{name}")
    if not known:
        git.git(root, "tag", name, brought.commit)
    return name


if __name__ == "__main__":
    raise SystemExit(main())
