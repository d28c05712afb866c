"""One environment up: what may go there, and what it renders to. All by what the target branch says, not this one."""

from dataclasses import dataclass
from pathlib import Path

from fledge import commits, git, project
from fledge.problems import Problem
from fledge.project import Project
from fledge.release import Files, Release, history, render
from fledge.rules.documents import Pair
from fledge.rules.history import not_denied, not_former


@dataclass(frozen=True)
class Promotion:
    """A release that may go to `files`, and what it renders to there."""

    files: Files
    wanted: Release
    rendered: str


def promotion(root: Path, base: str, files: Files) -> Promotion:
    """The release that `base` has in the environment below, rendered with the sources that are here.

    Raises Problem where there is none (no environment is skipped), it is not healthy there, would be nothing new, or was
    denied or left without becoming healthy in its environment.
    """
    owner = project.load(root)
    source, wanted = below(root, owner, files, base)
    require_healthy(root, owner, files, source, wanted, base)
    rendered = render.render(root, files, wanted)
    for where, revision in (("there", base), ("in this branch", "HEAD")):
        if git.show(root, revision, files.rendered) == rendered:
            expected = f"a newer one in {source.environment} first ({_brings(owner, source)})"
            raise Problem(f"{files.who}: {wanted.version} is {where} already, expected {expected}")
    pair = Pair(root, base, rendered, files)
    if refused := list(not_denied(pair)) or list(not_former(pair)):
        raise Problem(*refused)
    commits.require_based(root, base, files)
    return Promotion(files, wanted, rendered)


def below(root: Path, owner: Project, files: Files, base: str) -> tuple[Files, Release]:
    """Where the release comes from, and the release."""
    environment = owner.below(files.environment)
    if environment is None:
        raise Problem(
            f"{files.who}: found the first environment, expected a later one (make release MODEL={files.model})"
        )
    source = Files(environment.name, files.model)
    wanted = history.release_at(root, source, base)
    if wanted is None:
        found = f"no release found in {source.environment}"
        raise Problem(f"{files.who}: {found}, expected one that is healthy there ({_brings(owner, source)})")
    return source, wanted


def require_healthy(root: Path, owner: Project, files: Files, source: Files, wanted: Release, base: str) -> None:
    """Raises Problem unless the environment below is healthy with that release, also on the sources that are here."""
    healthy = {one.delivery for one in history.healthy(root, source, base)}
    fresh = delivery_on_these(root, source, wanted)
    held = history.held(root, source, base)
    delivery = held.delivery if held else fresh
    if delivery not in healthy:
        found = f"{wanted.version} is not healthy in {source.environment}"
        tag = history.tag_name(source, wanted.version, delivery)
        raise Problem(f"{files.who}: {found}, expected the tag {tag} (git fetch --tags)")
    if fresh not in healthy:
        found = f"{source.environment} was healthy with {wanted.version} on other sources ({delivery}, now {fresh})"
        again = "make render" if owner.below(source.environment) is None else _brings(owner, source)
        raise Problem(f"{files.who}: {found}, expected it healthy there on these first ({again})")


def delivery_on_these(root: Path, files: Files, wanted: Release) -> str:
    """What a release would be in an environment with the sources that are here."""
    return render.delivered(render.render(root, files, wanted))[0]


def _brings(owner: Project, files: Files) -> str:
    """The verb that brings a newer release to an environment."""
    if owner.below(files.environment) is None:
        return f"make release MODEL={files.model}"
    return f"make promote MODEL={files.model} TO={files.environment}"
