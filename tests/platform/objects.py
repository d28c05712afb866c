"""What is shipped beside the models, and what a model is made of, as objects."""

from pathlib import Path
from typing import Any

from fledge.release import platform, render
from tests.conftest import ROOT

NAMES = ["staging", "production"]
Object = dict[str, Any]


def objects(root: Path = ROOT) -> list[Object]:
    """Everything that is rendered beside the models."""
    return render.documents_of((root / platform.RENDERED).read_text())


def named(kind: str, name: str, namespace: str | None = None) -> Object:
    """The one object of that kind and name, in that namespace if there are several."""
    found = [one for one in objects() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    [one] = [one for one in found if namespace in (None, one["metadata"].get("namespace"))]
    return one


def model(environment: str) -> list[Object]:
    """The example of a rendered model."""
    return render.documents_of((ROOT / "tests/rendered" / environment / "delays.yaml").read_text())


def rollout() -> Object:
    """The Rollout of that example."""
    [found] = [one for one in model("production") if one["kind"] == "Rollout"]
    return found


def data(name: str) -> dict[str, str]:
    """What a ConfigMap holds."""
    found: dict[str, str] = named("ConfigMap", name)["data"]
    return found


def group_kind(one: Object) -> tuple[str, str]:
    """The group and the kind of an object; the group of the oldest kinds is empty."""
    return one["apiVersion"].rpartition("/")[0], one["kind"]
