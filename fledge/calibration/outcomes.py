"""What became of many pairs under the gates, counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import numpy as np

from fledge.calibration.noise import Pairing
from fledge.calibration.rates import Rate, rate

Family = Literal["same recipe", "benign", "damaged"]

COUNTED = 1.5  # damage of at least so many margins must be seen
SURE = 0.99  # and so often


@dataclass(frozen=True)
class Trial:
    """One pair to judge, by the files of their answers; `harm` is what is done to the candidate's answers first, and
    `whole` are those of the same network without its damage."""

    family: Family
    name: str
    candidate: PurePath
    champion: PurePath
    harm: str | None = None
    whole: PurePath | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    `blocked` names the checks that blocked, of all that were `made` and estimate something; `effects` is the estimate of
    a check in units of its margin, of damage what it did to that very network; `usual` says which of the usual rules would
    have blocked a good one; `noise` is one pairing for each metric. Where the gate must show harm `shown` is from how many
    margins on these rows show it, as often as SURE says.
    """

    trial: Trial
    made: tuple[str, ...]
    blocked: tuple[str, ...]
    effects: Mapping[str, float]
    usual: Mapping[str, bool]
    noise: Mapping[str, Pairing]
    shown: Mapping[str, float] = field(default_factory=dict)

    @property
    def large(self) -> bool:
        """Whether some effect is of COUNTED margins."""
        return max(self.effects.values(), default=0) >= COUNTED

    @property
    def counted(self) -> bool:
        """Whether some effect is so large that the gates promise to see it."""
        return max(self._promises.values(), default=0) >= 1

    @property
    def nearest(self) -> str:
        """The check that promises most to see it."""
        return max(self._promises, key=self._promises.__getitem__)

    @property
    def _promises(self) -> dict[str, float]:
        return {check: size / max(COUNTED, self.shown.get(check, 0)) for check, size in self.effects.items()}


@dataclass(frozen=True)
class Damage:
    """What the gates make of one kind of damage. `effects` and `shown` are means over the pairs, in margins, of each check;
    `counted` is how many were blocked of the pairs that count."""

    name: str
    effects: Mapping[str, float]
    shown: Mapping[str, float]
    blocked: Rate
    counted: Rate
    by: Mapping[str, int]

    @property
    def size(self) -> float:
        """The largest of the effects: above 1 the candidate is worse than some margin allows."""
        return max(self.effects.values(), default=float("nan"))


def of(outcomes: Iterable[Outcome], family: Family) -> list[Outcome]:
    """The outcomes of one family."""
    return [outcome for outcome in outcomes if outcome.trial.family == family]


def named(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes by their trial's name, in the order of their first."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.trial.name, []).append(outcome)
    return found


def passed(outcomes: Iterable[Outcome]) -> Rate:
    """How many pairs no check blocked."""
    return rate(not outcome.blocked for outcome in outcomes)


def blocked_by(outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    """How many pairs each check blocked, in the order in which checks are made."""
    checks = dict.fromkeys(check for outcome in outcomes for check in outcome.made)
    return {check: rate(check in one.blocked for one in outcomes if check in one.made) for check in checks}


def blocked_usually(outcomes: Sequence[Outcome]) -> dict[str, Rate]:
    """How many pairs each of the usual rules would have blocked."""
    rules = dict.fromkeys(rule for outcome in outcomes for rule in outcome.usual)
    return {rule: rate(outcome.usual[rule] for outcome in outcomes) for rule in rules}


def effects(pairs: Sequence[Outcome]) -> dict[str, float]:
    """The mean effect on each check, in margins: above 0 the candidates are worse, at 1 by as much as is allowed."""
    return _means([pair.effects for pair in pairs])


def damages(outcomes: Iterable[Outcome]) -> list[Damage]:
    """Each kind of damage, the smallest first."""
    found = [_damage(name, pairs) for name, pairs in named(of(outcomes, "damaged")).items()]
    return sorted(found, key=lambda one: one.size)


def detected(pairs: Iterable[Outcome]) -> Rate:
    """How many pairs were blocked, of all whose damage is large enough to be counted."""
    return rate(bool(pair.blocked) for pair in pairs if pair.counted)


def counted(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The damaged pairs that count, by the check that promises most to see them."""
    large: dict[str, list[Outcome]] = {}
    for pair in of(outcomes, "damaged"):
        if pair.counted:
            large.setdefault(pair.nearest, []).append(pair)
    return large


def _damage(name: str, pairs: Sequence[Outcome]) -> Damage:
    by = {check: found.count for check, found in blocked_by(pairs).items() if found.count}
    blocked = rate(bool(pair.blocked) for pair in pairs)
    return Damage(name, effects(pairs), _means([pair.shown for pair in pairs]), blocked, detected(pairs), by)


def _means(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each key, over those that have it."""
    keys = dict.fromkeys(key for one in numbers for key in one)
    return {key: float(np.mean([one[key] for one in numbers if key in one])) for key in keys}
