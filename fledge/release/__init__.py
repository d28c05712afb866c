"""A release: one artifact offered for serving, and the small files that say so. Only scripts write them."""

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from fledge.problems import Problem
from fledge.project import Project, Strict, parsed_yaml, read_text, read_yaml, validated

LOCAL = {"config.kubernetes.io/local-config": "true"}


class Artifact(Strict):
    md5: str  # DVC's hash of the folder, "….dir"
    sha256: str  # of the whole tree: what the init container verifies
    size: int  # bytes


class Training(Strict):
    commit: str
    time: str


class Data(Strict):
    md5: str


class Release(Strict):
    """The `spec` of release.yaml: what is served and where it comes from. Holds no secret, ever."""

    version: str
    number: int  # TensorFlow Serving's integer version
    artifact: Artifact
    contract: str  # sha256 of contract.yaml
    data: Data
    training: Training
    parent: str | None  # the champion's version when this was proposed
    parameters: dict[str, Any]


class Metadata(Strict):
    name: str
    annotations: dict[str, str] = LOCAL


class ReleaseFile(Strict):
    apiVersion: Literal["fledge.dev/v1"] = "fledge.dev/v1"
    kind: Literal["Release"] = "Release"
    metadata: Metadata
    spec: Release


class Denial(Strict):
    delivery: str
    version: str
    cause: str
    time: str

    @property
    def said(self) -> str:
        """Since when and why, in one line whatever the cluster gave as the cause."""
        return f"is denied since {self.time} ({' '.join(self.cause.split())})"


class Denials(Strict):
    deliveries: list[Denial]


class DeniedFile(Strict):
    apiVersion: Literal["fledge.dev/v1"] = "fledge.dev/v1"
    kind: Literal["Denied"] = "Denied"
    metadata: Metadata
    spec: Denials


@dataclass(frozen=True)
class Files:
    """Where one (environment, model) stands in the repository, as paths relative to its root."""

    environment: str
    model: str

    @property
    def release(self) -> Path:
        return Path("manifests/releases") / self.environment / self.model / "release.yaml"

    @property
    def denied(self) -> Path:
        return self.release.with_name("denied.yaml")

    @property
    def rendered(self) -> Path:
        return Path("manifests/rendered") / self.environment / f"{self.model}.yaml"

    @property
    def who(self) -> str:
        return f"{self.environment}/{self.model}"


def everywhere(owner: Project) -> list[Files]:
    """Every (environment, model) of project.yaml, in its order."""
    return [Files(environment.name, model) for environment in owner.environments for model in owner.models]


def number(version: str) -> int:
    """TensorFlow Serving's version: major·10⁶ + minor·10³ + patch. Raises Problem for a part above 999."""
    parts = parse(version)
    if max(parts) > 999:
        raise Problem(f"release: found version {version}, expected no part above 999 (TensorFlow Serving's integer)")
    return parts[0] * 1_000_000 + parts[1] * 1_000 + parts[2]


def parse(version: str) -> tuple[int, int, int]:
    """A semantic version without pre-release or build parts, as integers."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Problem(f"release: found version {version!r}, expected MAJOR.MINOR.PATCH")
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def read(root: Path, files: Files) -> Release | None:
    """The release that the working tree holds, None where there is none yet."""
    path = root / files.release
    return from_yaml(read_yaml(path), str(files.release)) if path.exists() else None


def from_text(text: str, file: str) -> Release:
    return from_yaml(parsed_yaml(text, file), file)


def from_yaml(content: Any, file: str) -> Release:
    return validated(ReleaseFile, content, file).spec


def to_text(model: str, release: Release) -> str:
    return dump(ReleaseFile(metadata=Metadata(name=model), spec=release).model_dump())


def read_denied(root: Path, files: Files) -> list[Denial]:
    path = root / files.denied
    return denied_from_text(read_text(path), str(files.denied)) if path.exists() else []


def denied_from_text(text: str, file: str) -> list[Denial]:
    return validated(DeniedFile, parsed_yaml(text, file), file).spec.deliveries


def denied_to_text(model: str, denials: list[Denial]) -> str:
    return dump(DeniedFile(metadata=Metadata(name=model), spec=Denials(deliveries=denials)).model_dump())


def denied_with(text: str, model: str, denial: Denial) -> str:
    """A deny list with one more; what a person wrote between its lines stays. `text` is "" where there is none yet."""
    if not text:
        return denied_to_text(model, [denial])
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(text)
    content["spec"]["deliveries"].append(denial.model_dump())
    return dump(content)


def dump(content: Any) -> str:
    """YAML as Fledge writes it: two-space indent, no anchors, no wrapped lines."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    yaml.representer.ignore_aliases = lambda *_: True
    stream = StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()
