"""Every rule refuses what it is there for: one edit of a source, rendered again, and the rule's own line."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fledge.release import Artifact, Data, Files, Release, Training, platform, render
from fledge.rules import broken_objects
from fledge.rules.documents import Pair, Platform
from tests.conftest import ROOT
from tests.rules.edits import BLUE_GREEN, MODEL, PLATFORM, Edit

SOURCES = ["project.yaml", "manifests/base", "manifests/components", "manifests/environments", "manifests/platform"]
SOURCES += [".dvc/config", "models/delays/params.yaml"]
STAGING = Files("staging", "delays")
DIGEST = "0" * 64
RELEASE = Release(
    version="1.0.0",
    number=1_000_000,
    artifact=Artifact(md5=f"{DIGEST[:32]}.dir", sha256=DIGEST, size=1),
    contract=DIGEST,
    data=Data(md5=f"{DIGEST[:32]}.dir"),
    training=Training(commit=DIGEST[:40], time="2026-01-01T00:00:00+00:00"),
    parent=None,
    parameters={},
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What rendered YAML is made of, with a remote that pods reach, and the platform's file rendered."""
    root = tmp_path_factory.mktemp("sources")
    for part in SOURCES:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, root / part)
    remote = root / ".dvc/config"
    remote.write_text(remote.read_text().replace("../.fledge/remote", "s3://example/models"))
    (root / platform.RENDERED).parent.mkdir()
    (root / platform.RENDERED).write_text(platform.render(root))
    return root


@pytest.fixture
def edited(sources: Path, edit: Edit) -> Iterator[Path]:
    """The sources with one edit, undone afterwards."""
    before = (sources / edit.file).read_text()
    edit.made(sources)
    yield sources
    (sources / edit.file).write_text(before)


def said(root: Path, files: Files) -> dict[str, str]:
    """What the rules of rendered objects say of a model, by rule."""
    return dict(broken_objects(Pair(root, "", render.render(root, files, RELEASE), files), "model"))


def said_beside(root: Path) -> dict[str, str]:
    """What they say of the platform, rendered again."""
    rendered = platform.render(root)
    (root / platform.RENDERED).write_text(rendered)
    return dict(broken_objects(Platform(root, "", rendered), "platform"))


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_untouched_tree_passes(sources: Path, environment: str) -> None:
    """No rule refuses what the template renders, for a model and beside it."""
    assert said(sources, Files(environment, "delays")) == {}
    assert said_beside(sources) == {}


@pytest.mark.parametrize("edit", MODEL, ids=lambda edit: f"{edit.rule}-{Path(edit.file).stem}")
def test_an_edit_of_the_stack_is_refused_by_its_rule(edited: Path, edit: Edit) -> None:
    """One edit of a source, and the rendered file is refused by the rule that knows why."""
    found = said(edited, STAGING)
    assert edit.rule in found, found
    assert found[edit.rule].startswith("staging/delays: ")


@pytest.mark.parametrize("edit", PLATFORM, ids=lambda edit: f"{edit.rule}-{Path(edit.file).stem}")
def test_an_edit_of_the_platform_is_refused_by_its_rule(edited: Path, edit: Edit) -> None:
    """One edit of a source, and the platform's rendered file is refused by the rule that knows why."""
    found = said_beside(edited)
    assert edit.rule in found, found
    assert found[edit.rule].startswith("platform: ")


@pytest.fixture
def blue_green(sources: Path) -> Iterator[None]:
    """Staging with the component blue-green."""
    path = sources / "manifests/environments/staging/kustomization.yaml"
    before = path.read_text()
    path.write_text(before.replace("patches:", "components: [../../components/blue-green]\npatches:"))
    yield
    path.write_text(before)


@pytest.mark.usefixtures("blue_green")
def test_blue_green_passes(sources: Path) -> None:
    """No rule refuses an environment that opted for the other strategy."""
    assert said(sources, STAGING) == {}


@pytest.mark.usefixtures("blue_green")
@pytest.mark.parametrize("edit", BLUE_GREEN, ids=lambda edit: f"{edit.rule}-{Path(edit.file).stem}")
def test_an_edit_of_blue_green_is_refused_by_its_rule(edited: Path, edit: Edit) -> None:
    """The other strategy is held by the same rules, and by one of its own."""
    assert edit.rule in said(edited, STAGING)
