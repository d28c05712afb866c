"""Which (environment, model) a working tree may have made wrong: `make check` and `make render` look at no other."""

from pathlib import Path
from typing import Any

from fledge import git, project
from fledge.project import Project, parsed_yaml
from fledge.release import Files, everywhere

# What no rule about an (environment, model) reads. A file that is neither below nor a model's own speaks for all.
SILENT = ("docs/", "tests/", ".github/", "pipelines/", "README.md", "LICENSE", "data.dvc", "dvc.yaml", "dvc.lock")
OWN = {"models": 1, "manifests/releases": 3, "manifests/rendered": 3}  # which part of a path names the model


def touched(root: Path, owner: Project, base: str) -> list[Files]:
    """What `make check` must judge: every environment of each model that differs from `base`, the target branch.

    All of them on the target branch itself, and where anything differs that speaks for all: the manifests' sources,
    project.yaml but for its list of models, Fledge's own code, its packages.

    Why the others need no look. Every rule about a pair is a function of its own bytes (and of the model's and the
    template's, which are the target branch's own here), and of what the target branch remembers of it: history,
    healthy tags, denials. (Of a release that differs also of the training it names and of the remote.) With all of that
    the target branch's, the verdict on such a pair is the verdict on the target branch: no branch of this one made it,
    no merge of this branch changes it, and there every pair is judged.
    A denial or a tag that is new on the target branch changes nothing of that: it is a fact of that branch, which a
    pair that differs is judged against, and which one that does not differ meets whether this branch is merged or not
    (a delivery that is denied while it serves is reverted by the app or is an incident, never this branch's fault).
    The comparison is with the newest target branch, not with where this one left it: a pair that was denied and
    reverted there meanwhile differs, so a branch that is behind is still told.
    """
    every = everywhere(owner)
    if git.fork(root, base) == git.git(root, "rev-parse", "HEAD"):
        return every
    names = [*git.changed(root, base), *git.untracked(root)]
    if any(name == "project.yaml" for name in names) and _other_settings(root, base):
        return every
    models = {_model(name) for name in names if name != "project.yaml" and not name.startswith(SILENT)}
    return every if "" in models else [files for files in every if files.model in models]


def _model(name: str) -> str:
    """The model whose file this is, nothing where it is no model's."""
    parts = name.split("/")
    places = (place for folder, place in OWN.items() if name.startswith(f"{folder}/") and len(parts) > place)
    return next((parts[place].removesuffix(".yaml") for place in places), "")


def _other_settings(root: Path, base: str) -> bool:
    """Whether project.yaml says anything else than `base` has it, apart from which models there are."""
    before = parsed_yaml(git.show(root, base, "project.yaml") or "", f"{base}:project.yaml")
    return bool(_settings(before) != _settings(project.read_yaml(root / "project.yaml")))


def _settings(content: Any) -> Any:
    return {key: value for key, value in content.items() if key != "models"} if isinstance(content, dict) else content
