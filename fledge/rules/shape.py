"""What every rendered object must be: of its kind's schema, in its place, and nobody's secret."""

from collections.abc import Iterator
from typing import Any

from fledge import schemas
from fledge.problems import Problem
from fledge.rules.documents import Documents, Pair

INSTANCE = "app.kubernetes.io/instance"


def strict(of: Documents) -> Iterator[str]:
    """Every object fits its kind's schema, without a key that the API server would drop."""
    for one in of.documents:
        try:
            for error in schemas.errors(one):
                where = f"{of.path}: {one['kind']} {one['metadata']['name']}"
                yield of.line(error, f"what {one['apiVersion']} says", where)
        except Problem as problem:
            yield from problem.lines


def no_empty_map(of: Documents) -> Iterator[str]:
    """No map is empty where its absence means the same."""
    for one in of.documents:
        for path in empty_maps(one):
            yield of.line(f"{path} is {{}}", "it left out", f"{of.path}: {one['kind']}")


def empty_maps(value: Any, path: str = "") -> Iterator[str]:
    """The paths of empty maps; an emptyDir's is its meaning."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        where = f"{path}.{key}".removeprefix(".")
        if child == {} and key != "emptyDir" and isinstance(child, dict):
            yield where
        yield from empty_maps(child, where)


def placed(pair: Pair) -> Iterator[str]:
    """Every object is in its environment's namespace and carries its model's name."""
    environment, model = pair.files.environment, pair.files.model
    for one in pair.documents:
        metadata, who = one["metadata"], f"{one['kind']} {one['metadata']['name']}"
        if metadata.get("namespace") != environment:
            yield pair.line(f"{who} is in namespace {metadata.get('namespace')}", environment, "manifests/")
        if not metadata["name"].startswith(f"{model}-") or metadata.get("labels", {}).get(INSTANCE) != model:
            yield pair.line(f"{who} is not known by its model", f"{model}- before its name, {INSTANCE}", "manifests/")


def no_secret(of: Documents) -> Iterator[str]:
    """No Secret is in git."""
    for one in of.kind("Secret"):
        yield of.line(
            f"Secret {one['metadata']['name']} found", "workload identity, or an ExternalSecret", "manifests/"
        )
