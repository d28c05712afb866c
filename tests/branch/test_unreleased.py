"""A model that changes without a release: git would tell of another one than serves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fledge import git
from fledge.branch.unreleased import unreleased
from fledge.project import read_yaml
from tests.conftest import Repository
from tests.tiny.offered import FOLDER, PRODUCTION, STAGING, Owner, an_owner, artifact
from tests.tiny.owner import CONTRACT


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """1.0.0 serves in staging, and a branch begins."""
    rows = tmp_path / "rows"
    rows.write_text("July")
    owner = an_owner(repository, tmp_path / "remote", rows)
    owner.offer("1.0.0", artifact(tmp_path / "first", "1"))
    owner.serve()
    owner.branch()
    return owner


def lines(owner: Owner) -> list[str]:
    """What is said of the branch."""
    return unreleased(owner.root, "origin/main", owner.changes())


def another_recipe(owner: Owner) -> None:
    owner.write("params.yaml", read_yaml(owner.root / FOLDER / "params.yaml") | {"train": {"seed": 8}})


def another_label(owner: Owner) -> None:
    owner.params(label="delay")


def other_rows(owner: Owner) -> None:
    (owner.root / "data" / "tiny" / "2013-08.parquet").write_text("August")
    pinned = owner.root / "data.dvc"
    pinned.write_text(
        pinned.read_text().replace(str(read_yaml(pinned)["outs"][0]["md5"]), owner.push(owner.root / "data"))
    )


CHANGES: dict[str, tuple[Callable[[Owner], None], str]] = {
    "network": (lambda owner: owner.write("model.py", "# another\n"), "models/tiny/model.py"),
    "contract": (lambda owner: owner.write("contract.yaml", CONTRACT | {"classes": ["a", "b"]}), "models/tiny/contract.yaml"),
    "requests": (lambda owner: owner.write("requests.jsonl", "{}\n"), "models/tiny/requests.jsonl"),
    "recipe": (another_recipe, "models/tiny/params.yaml (train)"),
    "label": (another_label, "models/tiny/params.yaml (gates.label)"),
    "rows": (other_rows, "data.dvc"),
    "artifact": (lambda owner: owner.train(artifact(owner.root / ".fledge" / "new", "2")), "dvc.lock (train@tiny)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_without_a_release_is_named(owner: Owner, name: str) -> None:
    """Network, contract, requests, recipe, rows and artifact may not change alone; the line says what did, and what to do."""
    change, what = CHANGES[name]
    change(owner)
    if name != "artifact":
        owner.repository.commit("Change")
    assert lines(owner) == [f"tiny: {what} changed without a new release, expected one (make release MODEL=tiny)"]


def test_a_release_covers_what_it_was_made_from(owner: Owner, tmp_path: Path) -> None:
    """With a new release the change is offered, and nothing is said."""
    another_recipe(owner)
    owner.repository.commit("Another recipe")
    owner.offer("1.1.0", artifact(tmp_path / "second", "2"))
    assert lines(owner) == []


def test_a_release_does_not_cover_what_came_after_it(owner: Owner, tmp_path: Path) -> None:
    """Network, contract and recipe changed after the release are another model than the one that is offered."""
    owner.offer("1.1.0", artifact(tmp_path / "second", "2"))
    owner.write("model.py", "# another\n")
    another_recipe(owner)
    owner.repository.commit("Afterwards")
    [line] = lines(owner)
    assert line.startswith("tiny: models/tiny/model.py, models/tiny/params.yaml (train) differ from release 1.1.0, ")
    assert line.endswith("(manifests/releases/staging/tiny/release.yaml; make release MODEL=tiny)")


def test_what_trains_nothing_may_change_alone(owner: Owner) -> None:
    """Limits, slo and a model card are no part of the model."""
    owner.params(segments={"columns": []})
    owner.write("README.md", "# tiny\n")
    owner.repository.commit("Limits and words")
    assert lines(owner) == []


def test_rows_of_another_model_are_not_this_models_change(owner: Owner) -> None:
    """data.dvc pins the rows of all models: those of another one, once pushed, ask this one for nothing."""
    (owner.root / "data" / "other").mkdir()
    (owner.root / "data" / "other" / "2013-07.parquet").write_text("July")
    before = str(read_yaml(owner.root / "data.dvc")["outs"][0]["md5"])
    after = owner.push(owner.root / "data")
    pinned = owner.root / "data.dvc"
    pinned.write_text(pinned.read_text().replace(before, after))
    owner.repository.commit("Rows of another model")
    assert lines(owner) == []
    (owner.remote / "files" / "md5" / after[:2] / after[2:]).unlink()
    assert lines(owner) == ["tiny: data.dvc changed without a new release, expected one (make release MODEL=tiny)"]


def test_a_model_that_was_never_released_is_free(repository: Repository, tmp_path: Path) -> None:
    """Of a model that never served git tells nothing yet: the template itself, and an owner's first commits."""
    rows = tmp_path / "rows"
    rows.write_text("July")
    owner = an_owner(repository, tmp_path / "remote", rows)
    owner.branch()
    owner.write("model.py", "# another\n")
    owner.repository.commit("Still thinking")
    assert lines(owner) == []


def test_what_main_did_meanwhile_is_not_the_branchs(owner: Owner, tmp_path: Path) -> None:
    """A branch that is behind changed nothing that only main changed."""
    git.git(owner.root, "switch", "--quiet", "main")
    another_recipe(owner)
    owner.repository.commit("Another recipe")
    owner.offer("1.1.0", artifact(tmp_path / "second", "2"))
    owner.serve()
    git.git(owner.root, "switch", "--quiet", "work")
    owner.write("README.md", "# tiny\n")
    owner.repository.commit("Words")
    assert owner.changes() == []
    assert lines(owner) == []


def test_a_rollback_is_exempt(owner: Owner, tmp_path: Path) -> None:
    """`git revert` of a merge takes back recipe and release at once: its deliveries are rollbacks, and nothing is said."""
    another_recipe(owner)
    owner.repository.commit("Another recipe")
    owner.offer("1.1.0", artifact(tmp_path / "second", "2"))
    git.git(owner.root, "switch", "--quiet", "main")
    owner.repository.merge("work")
    owner.serve()
    owner.branch("back")
    git.git(owner.root, "revert", "--no-edit", "-m", "1", "HEAD")
    assert [(change.files, change.kind) for change in owner.changes()] == [(STAGING, "rollback")]
    assert lines(owner) == []


def test_a_rollback_hides_no_promotion(owner: Owner, tmp_path: Path) -> None:
    """Rolled back in one environment and promoted in the next one: the change of the model is still named."""
    owner.offer("1.1.0", artifact(tmp_path / "second", "2"))
    git.git(owner.root, "switch", "--quiet", "main")
    owner.repository.merge("work")
    owner.serve()
    owner.branch("back")
    git.git(owner.root, "revert", "--no-edit", "-m", "1", "HEAD")
    owner.place(PRODUCTION, owner.made("1.1.0", tmp_path / "second"))
    assert {change.kind for change in owner.changes()} == {"rollback", "promotion"}
    [line] = lines(owner)
    assert line.startswith("tiny: dvc.lock (train@tiny) changed without a new release")
