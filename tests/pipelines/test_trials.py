"""Tests of pipelines.trials: who meets whom."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from pipelines import trials
from pipelines.trials import Retrainings


@dataclass(frozen=True)
class Kept:
    """A setting, as far as its files go."""

    name: str

    def file(self, seed: int) -> Path:
        return Path(self.name) / str(seed)


def made(seeds: int, *benign: str, most: int = 1000) -> Retrainings:
    """So many retrainings of a recipe and of changes of it."""
    settings: dict[str, Any] = {name: Kept(name) for name in benign}
    recipe: Any = Kept("recipe")
    return Retrainings(recipe, range(8, 8 + seeds), settings, most)


@pytest.mark.parametrize("seeds", [4, 30, 31, 600])
@pytest.mark.parametrize("benign", [("longer",), ("longer", "wider", "smaller")])
def test_no_two_pairs_share_a_model(seeds: int, benign: tuple[str, ...]) -> None:
    """Among the pairs of the recipe, and among those of all benign changes, each retraining is in one pair only."""
    one = made(seeds, *benign)
    for pairs in (trials.same(one), trials.benign(one)):
        files = list(chain.from_iterable((pair.candidate, pair.champion) for pair in pairs))
        assert len(files) == len(set(files))
        assert set(files) <= set(one.files)


def test_600_seeds_are_300_pairs_of_each_kind() -> None:
    """600 retrainings give 300 pairs; half as many of benign changes give 300 more, 100 for each of three changes."""
    one = made(600, "longer", "wider", "smaller")
    assert len(trials.same(one)) == 300
    assert len(trials.benign(one)) == 300
    assert len([pair for pair in trials.benign(one) if pair.name == "wider"]) == 100
    assert len(one.files) == 900


def test_benign_changes_are_retrained_as_often_as_asked() -> None:
    """With 20 seeds for each of three changes, 60 more are retrained, and meet 60 champions."""
    one = made(600, "longer", "wider", "smaller", most=20)
    assert len(one.files) == 660
    assert len({pair.champion for pair in trials.benign(one)}) == 60


def test_a_benign_candidate_meets_another_seed() -> None:
    """A benign change is never held against the recipe with its own seed, which begins with the same weights."""
    for pair in trials.benign(made(30, "longer", "wider", "smaller")):
        assert pair.candidate.name != pair.champion.name


def test_without_benign_changes_there_are_none() -> None:
    """An owner who names no benign change retrains the recipe alone."""
    one = made(10)
    assert trials.benign(one) == []
    assert len(one.files) == 10
