"""The same recipe or another one: what dvc.lock and git say of two trainings."""

from typing import Any

import pytest

from fledge.release import Release, dump, recipe
from tests.conftest import Repository
from tests.repository import HOME

ZEROS = "0" * 32


def lock(**deps: str) -> str:
    """A dvc.lock of the model `tiny`, with the hashes of some files changed."""
    home = "models/tiny"
    known = {"data/tiny": "1", f"{home}/contract.yaml": "2", f"{home}/model.py": "3", f"{home}/requests.jsonl": "4"}
    known |= {"pipelines/train.py": "5", "requirements.lock": "6"}
    stage = {
        "cmd": "python -m pipelines.train --model tiny",
        "deps": [{"path": path, "hash": "md5", "md5": md5 * 32} for path, md5 in (known | deps).items()],
        "params": {f"{home}/params.yaml": {"train": {"seed": 7, "epochs": 4}, "gates.label": "late"}},
    }
    return dump({"schema": "2.0", "stages": {"train@tiny": stage}})


TRAIN = {"seed": 7, "epochs": 4, "months": ["2013-05"]}

# What is changed, in dvc.lock and in `train:`; the level, and what the line names.
CHANGES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "seed": (lock(), {"seed": 8}, "patch", "another seed (train.seed)"),
    "months": (lock(), {"months": ["2013-05", "2013-06"]}, "patch", "other months to train on (train.months)"),
    "rows": (lock(**{"data/tiny": "9"}), {}, "patch", "other rows (data/tiny)"),
    "warm-up": (lock(**{"models/tiny/requests.jsonl": "9"}), {}, "patch", "other warm-up requests (models/tiny/requests.jsonl)"),
    "parameter": (lock(), {"epochs": 5}, "minor", "another parameter (train.epochs)"),
    "new parameter": (lock(), {"l2": 0.1}, "minor", "another parameter (train.l2)"),
    "network": (lock(**{"models/tiny/model.py": "9"}), {}, "minor", "other code, packages or parameters (models/tiny/model.py)"),
    "packages": (lock(**{"requirements.lock": "9"}), {}, "minor", "other code, packages or parameters (requirements.lock)"),
    "label": (lock().replace("late", "delay"), {}, "minor", "other code, packages or parameters (gates.label)"),
    "command": (lock().replace("python -m", "python -O -m"), {}, "minor", "other code, packages or parameters (cmd)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_seed_and_rows_are_the_same_recipe_and_code_and_parameters_another(name: str) -> None:
    """Of two trainings each difference is one line, with the level that the table gives it."""
    text, train, level, said = CHANGES[name]
    sides = recipe.made("tiny", lock(), TRAIN), recipe.made("tiny", text, TRAIN | train)
    [one] = recipe.compared(*sides)
    assert (one.level, one.said) == (level, said)


def test_the_contract_is_not_the_recipes() -> None:
    """contract.yaml has a table of its own, which says more than that it changed."""
    other = lock(**{"models/tiny/contract.yaml": "9"})
    assert list(recipe.compared(recipe.made("tiny", lock(), TRAIN), recipe.made("tiny", other, TRAIN))) == []


@pytest.fixture
def champion(repository: Repository) -> Release:
    """A release whose training is committed, together with the code of its rows."""
    (repository.root / HOME / "data.py").write_text("COLUMNS = ['temp']\n")
    repository.commit("Rows")
    return repository.release("1.0.0")


def found(repository: Repository, champion: Release) -> list[tuple[str, str]]:
    """Key and level of what differs now, with the champion's parameters."""
    differences = recipe.differences(repository.root, "delays", champion, "HEAD", champion.parameters, "HEAD")
    return [(one.key, one.level) for one in differences]


def test_what_makes_the_rows_and_no_stage_reads_is_the_recipes_too(repository: Repository, champion: Release) -> None:
    """Another data.py, which dvc.lock does not name, may write another schema: a minor version. A model card is no code."""
    (repository.root / HOME / "README.md").write_text("What it is for.\n")
    repository.commit("Describe")
    assert found(repository, champion) == []
    (repository.root / HOME / "data.py").write_text("COLUMNS = ['temp', 'humid']\n")
    repository.commit("Another column")
    assert found(repository, champion) == [("models/delays/data.py", "minor")]


def test_a_training_whose_commit_was_squashed_is_found_by_its_artifact(
    repository: Repository, champion: Release
) -> None:
    """Where the release names a commit that no merge kept, the history's commit with that artifact counts."""
    squashed = replace_commit(champion, ZEROS + "0" * 8)
    assert recipe.home(repository.root, "delays", squashed, "HEAD") == champion.training.commit
    repository.train("delays", "patch", "another")
    assert recipe.home(repository.root, "delays", squashed, "HEAD") == champion.training.commit
    assert found(repository, squashed) == []


def test_nobody_calls_an_unknown_recipe_the_same(repository: Repository, champion: Release) -> None:
    """Of an artifact that no dvc.lock of the history names the version is a minor one, and the line says why."""
    unknown = champion.model_copy(update={"artifact": champion.artifact.model_copy(update={"md5": f"{ZEROS}.dir"})})
    [one] = recipe.differences(repository.root, "delays", unknown, "HEAD", champion.parameters, "HEAD")
    assert (one.key, one.level, one.said) == ("dvc.lock", "minor", "an unknown recipe")
    assert f"names the artifact {ZEROS}.dir" in one.found


def replace_commit(one: Release, commit: str) -> Release:
    """The release, as trained at another commit."""
    return one.model_copy(update={"training": one.training.model_copy(update={"commit": commit})})
