"""Which retrainings a calibration needs, and which of them meet: pairs that share no model are independent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fledge.calibration.outcomes import Trial
from pipelines import retrain
from pipelines.outcomes import WEIGHTS, damages
from pipelines.progress import counted
from pipelines.retrain import Setting

DAMAGED = 20  # pairs for each kind of damage


@dataclass(frozen=True)
class Retrainings:
    """The recipe with `seeds`, and each benign change of it with some of them, `most` or fewer."""

    same: Setting
    seeds: Sequence[int]
    benign: Mapping[str, Setting]
    most: int

    @property
    def couples(self) -> list[tuple[int, int]]:
        """The seeds in disjoint pairs, K/2 of them."""
        return list(zip(self.seeds[::2], self.seeds[1::2], strict=False))

    def shared(self, name: str) -> list[tuple[int, int]]:
        """The seeds of a benign change's candidates, and of their champions: K/2 at most for all changes, no seed twice."""
        first, step = list(self.benign).index(name), len(self.benign)
        return list(zip(self.seeds[first :: 2 * step], self.seeds[first + step :: 2 * step], strict=False))[: self.most]

    @property
    def files(self) -> list[Path]:
        """Every retraining that is needed."""
        changed = [one.file(seed) for name, one in self.benign.items() for seed, _ in self.shared(name)]
        return [self.same.file(seed) for seed in self.seeds] + changed


def make(made: Retrainings) -> None:
    """Retrain what is not kept, and damage the weights of some. Says how far it is."""
    missing = [file for file in made.files if not file.is_file()]
    model = made.same.model
    print(f"{model}: {len(made.files) - len(missing)} retrainings are kept, {len(missing)} are to be made", flush=True)
    with counted(f"{model}: retrained", len(missing)) as tell:
        retrain.retrain(made.same, made.seeds, tell)
        for name, one in made.benign.items():
            retrain.retrain(one, [seed for seed, _ in made.shared(name)], tell)
    weak = [seed for seed, _ in made.couples[:DAMAGED]]
    with counted(f"{model}: weights damaged", len(retrain.undamaged(made.same, WEIGHTS, weak))) as tell:
        retrain.damage(made.same, weak, WEIGHTS, tell)


def same(made: Retrainings) -> list[Trial]:
    """A retraining against another of the same recipe."""
    file = made.same.file
    return [Trial("same recipe", "another seed", file(one), file(other)) for one, other in made.couples]


def benign(made: Retrainings) -> list[Trial]:
    """A benign change of the recipe against the recipe."""
    return [
        Trial("benign", name, one.file(candidate), made.same.file(champion))
        for name, one in made.benign.items()
        for candidate, champion in made.shared(name)
    ]


def damaged(made: Retrainings) -> list[Trial]:
    """Every kind of damage, each done to the candidates of the first couples."""
    file, couples = made.same.file, made.couples[:DAMAGED]
    answers = [
        Trial("damaged", harm, file(one), file(other), harm, whole=file(one))
        for harm in damages(made.same.limits, made.same.rows)
        for one, other in couples
    ]
    weights = [
        Trial("damaged", harm, retrain.damaged_file(made.same, harm, one), file(other), whole=file(one))
        for harm in WEIGHTS
        for one, other in couples
    ]
    return answers + weights
