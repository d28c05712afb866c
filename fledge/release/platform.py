"""What a cluster needs beside the models: manifests/platform, filled in from project.yaml, as one file for Argo CD."""

import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fledge import kustomize, project
from fledge.problems import Problem
from fledge.project import Environment, Project
from fledge.release.render import HEADER

RENDERED = Path("manifests/rendered/platform.yaml")
SOURCES = Path("manifests/platform")
# Namespaces that hold other things than models.
TAKEN = {"argo-rollouts", "argocd", "default", "fledge", "gateway", "monitoring"}

Words = Mapping[str, str]  # `<word>` in the sources → what stands there
Each = Sequence[Words]  # those of every environment


def render(root: Path) -> str:
    """The YAML of the platform. The same sources give the same bytes.

    Raises Problem for environments and models that would get in each other's way, and for sources that do not build.
    """
    owner = project.load(root)
    if clashes := list(clashing(owner)):
        raise Problem(*clashes)
    shared, each = _shared(owner), [_own(environment) for environment in owner.environments]
    once = [filled(one, shared, each) for one in _sources(root, "once")]
    every = _sources(root, "environment")
    return HEADER + _text([*once, *(filled(one, {**shared, **own}) for own in each for one in every)])


def platform_current(root: Path) -> Iterator[str]:
    """What stands beside the models follows from project.yaml, and the reviewer sees it: a fresh render gives the file."""
    try:
        expected = render(root)
    except Problem as problem:
        yield from problem.lines
        return
    path = root / RENDERED
    if not path.exists() or path.read_text() != expected:
        found = "is not current" if path.exists() else "is not there"
        yield f"platform: {RENDERED} {found}, expected a fresh render (make render)"


def clashing(owner: Project) -> Iterator[str]:
    """A line for each environment with a taken name, and for each two Applications with the same one."""
    for environment in owner.environments:
        if environment.name in TAKEN:
            yield (
                f"platform: environment {environment.name} is a namespace of the platform, expected another name "
                f"than {', '.join(sorted(TAKEN))} (project.yaml: environments)"
            )
    seen: dict[str, str] = {}
    for who in (f"{environment.name}/{model}" for environment in owner.environments for model in owner.models):
        name = who.replace("/", "-")
        if name in seen:
            yield (
                f"platform: {seen[name]} and {who} are both the Application {name}, expected different names "
                "(project.yaml: environments, models)"
            )
        seen[name] = who


def filled(value: Any, words: Words, each: Each = ()) -> Any:
    """`value` with every `<word>` filled in; an item of a list that says a word of `each` stands once for each of them."""
    if isinstance(value, dict):
        return {key: filled(item, words, each) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, {**words, **own}) for item in value for own in (each if _says(item, each) else [{}])]
    if isinstance(value, str):
        return type(value)(re.sub("<([a-z]+)>", lambda match: words.get(match[1], match[0]), value))
    return value


def _says(item: Any, each: Each) -> bool:
    return any(f"<{word}>" in str(item) for own in each for word in own)


def _shared(owner: Project) -> Words:
    return {
        "repository": owner.repository,
        "branch": owner.branch,
        "api": owner.api,
        "image": owner.images.fledge,
    }


def _own(environment: Environment) -> Words:
    return {
        "environment": environment.name,
        "domain": environment.domain,
        "inconclusive": environment.inconclusive,
    }


def _sources(root: Path, folder: str) -> list[Any]:
    # Round trip: a text in a block stays one, for the reviewer.
    return list(YAML().load_all(kustomize.build(root / SOURCES / folder, root)))


def _text(documents: Sequence[Any]) -> str:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    yaml.explicit_start = True
    stream = StringIO()
    yaml.dump_all(documents, stream)
    return stream.getvalue()
