"""What a rule looks at: rendered objects, and where they came from, read once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from fledge import git, project, release
from fledge.differences import differences, said
from fledge.problems import Problem
from fledge.project import Project
from fledge.release import Files, Release, history, render
from fledge.release.platform import RENDERED

Document = dict[str, Any]


def at(document: Document, path: str) -> Any:
    """What stands at a dotted path, None where a part of it is missing."""
    value: Any = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True)
class Documents:
    """The objects of one rendered file, and the target branch `base` that the working tree is held against."""

    root: Path
    base: str
    rendered: str  # the file's text, empty where there is none

    @property
    def who(self) -> str:
        raise NotImplementedError

    @property
    def path(self) -> Path:
        """Of the rendered file, from the root."""
        raise NotImplementedError

    def line(self, found: str, expected: str, where: str) -> str:
        """A problem as the house writes it."""
        return f"{self.who}: {found}, expected {expected} ({where})"

    @cached_property
    def owner(self) -> Project:
        return project.load(self.root)

    @property
    def documents(self) -> list[Document]:
        """Raises Problem where the file is not a list of Kubernetes objects, as after a merge that went wrong."""
        try:
            found = _parsed(self.rendered)
        except YAMLError as error:
            raise Problem(self.line(" ".join(str(error).split()), "YAML", str(self.path))) from None
        if not all(isinstance(one, dict) and {"apiVersion", "kind", "metadata"} <= one.keys() for one in found):
            raise Problem(self.line("found what is no object", "Kubernetes objects alone", str(self.path)))
        return found

    def kind(self, *kinds: str) -> list[Document]:
        return [one for one in self.documents if one["kind"] in kinds]

    @cached_property
    def pods(self) -> list[tuple[str, Document]]:
        """Each pod that these objects make, as (who, pod template)."""
        paths = {"CronJob": "spec.jobTemplate.spec.template"}
        found = []
        for one in self.kind("Rollout", "Deployment", "Job", "CronJob"):
            template = at(one, paths.get(one["kind"], "spec.template"))
            found.append((f"{one['kind']} {one['metadata']['name']}", template))
        for metric in self.metrics():
            if template := at(metric, "provider.job.spec.template"):
                found.append((f"Job {metric['name']}", template))
        return found

    def containers(self) -> Iterator[tuple[str, Document, Document]]:
        """Each container as (who, container, its pod's spec)."""
        for who, template in self.pods:
            spec = template["spec"]
            for one in [*spec.get("initContainers", []), *spec["containers"]]:
                yield f"{one['name']} of {who}", one, spec

    def metrics(self) -> Iterator[Document]:
        for one in self.kind("AnalysisTemplate"):
            yield from one["spec"]["metrics"]


@dataclass(frozen=True)
class Platform(Documents):
    """What a cluster needs beside the models."""

    @classmethod
    def read(cls, root: Path, base: str) -> "Platform":
        return cls(root, base, _text(root / RENDERED))

    @property
    def who(self) -> str:
        return "platform"

    @property
    def path(self) -> Path:
        return RENDERED


@dataclass(frozen=True)
class Pair(Documents):
    """The files of one (environment, model)."""

    files: Files

    @classmethod
    def read(cls, root: Path, files: Files, base: str) -> "Pair":
        return cls(root, base, _text(root / files.rendered), files)

    @property
    def who(self) -> str:
        return self.files.who

    @property
    def path(self) -> Path:
        return self.files.rendered

    @cached_property
    def release(self) -> Release | None:
        return release.read(self.root, self.files)

    @cached_property
    def twins(self) -> list[str | None]:
        """release.yaml as it stands at the target branch and at each healthy, not denied tag whose file is this one."""
        held = [one.commit for one in history.holding(self.root, self.files, self.base, self.rendered)]
        return git.shows(self.root, [self.base, *held] if self.kept else held, self.files.release)

    @cached_property
    def kept(self) -> bool:
        """Whether the target branch holds the rendered file as it is."""
        return git.show(self.root, self.base, self.files.rendered) == self.rendered

    def differing(self, expected: Release) -> Iterator[str]:
        """A line for each field in which release.yaml says something else than expected."""
        found = self.release.model_dump() if self.release else {}
        for key, was, other in differences(found, expected.model_dump()):
            yield self.line(f"{key} is {said(was)}", said(other), f"{self.files.release}: spec.{key}")

    @cached_property
    def rollout(self) -> Document:
        for one in self.kind("Rollout"):
            return one
        raise Problem(self.line("no Rollout found", "one in every rendered file", "manifests/base"))

    @cached_property
    def template(self) -> Document:
        """The pod template of the Rollout."""
        return dict(self.rollout["spec"]["template"])

    @property
    def canary(self) -> Document:
        """The canary strategy; empty in an environment of another one (components/blue-green)."""
        return at(self.rollout, "spec.strategy.canary") or {}

    @property
    def steps(self) -> list[Document]:
        return list(self.canary.get("steps", []))

    def analyses(self) -> Iterator[tuple[str, Document]]:
        """Each use of AnalysisTemplates by the Rollout, as (where, its templates and arguments)."""
        if background := self.canary.get("analysis"):
            yield "canary.analysis", background
        for number, step in enumerate(self.steps):
            if "analysis" in step:
                yield f"canary.steps.{number}", step["analysis"]
        for key, value in (at(self.rollout, "spec.strategy.blueGreen") or {}).items():
            if key.endswith("Analysis"):
                yield f"blueGreen.{key}", value

    def asks(self, analysis: Document, template: str) -> bool:
        """Whether an analysis uses the AnalysisTemplate of that base name."""
        return f"{self.files.model}-{template}" in [one["templateName"] for one in analysis.get("templates", [])]


@lru_cache(maxsize=4)  # a model's file and the platform's, which each model's is held against
def _parsed(text: str) -> list[Document]:
    return render.documents_of(text)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
