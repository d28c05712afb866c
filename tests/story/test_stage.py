"""What the demo takes of the working copy."""

import os
from pathlib import Path

import pytest

from scripts.demo import stage

MADE = ["dvc.lock", "models/delays/metrics.json", "manifests/releases/staging/delays/release.yaml"]
KEPT = ["dvc.yaml", "models/delays/params.yaml", "manifests/base/rollout.yaml", "models/delays/README.md"]


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose owner has trained and released, some of it committed and some not."""
    root = tmp_path / "template"
    for name in [*MADE, *KEPT]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    stage.git.git(tmp_path, "init", "--quiet", "-b", "main", str(root))
    stage.git.git(root, "add", "models", "dvc.lock")
    monkeypatch.setattr(stage, "TEMPLATE", root)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # which a stage changes for the whole process
    return root


@pytest.mark.parametrize("name", MADE)
def test_what_training_and_releases_made_stays_outside(template: Path, tmp_path: Path, name: str) -> None:
    """After `make train`, or in a repository with releases, the story still begins before the first training."""
    assert not (stage.scratch(tmp_path / "stage").clone / name).exists()


def test_what_a_person_wrote_comes_along(template: Path, tmp_path: Path) -> None:
    """The stage has all of the working copy that no command made, committed or not."""
    clone = stage.scratch(tmp_path / "stage").clone
    assert [name for name in KEPT if (clone / name).exists()] == KEPT
