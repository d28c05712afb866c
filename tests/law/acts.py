"""What may happen to a repository and its clusters, as plain data, and random sequences of it.

`nth` counts round: it always finds one where there are any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple, TypeVar

from hypothesis import strategies as st

from fledge.release import Files
from fledge.rollout.records import Outcome

Value = TypeVar("Value")

ENVIRONMENTS = ("staging", "production")
MODELS = ("delays", "churn")
PAIRS = tuple(Files(environment, model) for environment in ENVIRONMENTS for model in MODELS)


@dataclass(frozen=True)
class Release:
    """Offer a new version of each model, in one proposal; a `broken` one has pods that never become ready."""

    models: tuple[str, ...]
    broken: bool = False


@dataclass(frozen=True)
class Promote:
    """`make promote` for each model, in one proposal; the verb dies before its `crash`-th act and is run again."""

    models: tuple[str, ...]
    crash: int | None = None


@dataclass(frozen=True)
class Rollback:
    """`make rollback` to the `nth` delivery that would do."""

    files: Files
    nth: int = 0
    crash: int | None = None


@dataclass(frozen=True)
class Revert:
    """`git revert` by hand of the `nth` newest commit of the target branch."""

    nth: int = 0


@dataclass(frozen=True)
class Back:
    """By hand, what the `nth` newest change of a rendered file held (`git checkout <commit> -- <files>`)."""

    files: Files
    nth: int = 0


@dataclass(frozen=True)
class Base:
    """A change of the serving stack, with `make render`: of the pod template, or of the canary's steps alone."""

    part: Literal["template", "steps"]


@dataclass(frozen=True)
class Edit:
    """A change of something that serves nothing."""


Change = Release | Promote | Rollback | Revert | Back | Base | Edit


@dataclass(frozen=True)
class Propose:
    """Open a proposal from the target branch as it is; `merge` it at once, or leave it open."""

    change: Change
    merge: bool = True


@dataclass(frozen=True)
class Merge:
    """Merge the `nth` open proposal."""

    nth: int = 0


@dataclass(frozen=True)
class Sync:
    """Argo CD applies what the target branch says of an environment; its pods become ready."""

    environment: str


@dataclass(frozen=True)
class Judge:
    """The `nth` running analysis ends, of those that are running once everything or nothing new is applied (`sync`)."""

    nth: int
    outcome: Outcome
    sync: bool = False


@dataclass(frozen=True)
class Serve:
    """All goes well in an environment: applied, passed by the judge, and the app hears of it."""

    environment: str


@dataclass(frozen=True)
class Stop:
    """A person aborts the `nth` canary."""

    nth: int


@dataclass(frozen=True)
class Wait:
    """Time passes in an environment: pods are scaled down, deadlines end."""

    environment: str
    seconds: float


@dataclass(frozen=True)
class Event:
    """The app hears of the `nth` notification not yet heard; `again`: it will come a second time.

    It dies before its `crash`-th act. Before it pushes, `race` others' proposals are merged.
    """

    nth: int = 0
    again: bool = False
    crash: int | None = None
    race: int = 0


@dataclass(frozen=True)
class Lose:
    """A notification that never arrives."""

    nth: int = 0


@dataclass(frozen=True)
class Reconcile:
    """The reconciler looks at every Rollout and does what was left undone."""


@dataclass(frozen=True)
class Tidy:
    """`make gc APPLY=1`, when the branches of closed proposals are gone and everything is old."""


Act = Propose | Merge | Sync | Judge | Serve | Stop | Wait | Event | Lose | Reconcile | Tidy


OFFERED = (("delays",), ("delays",), ("churn",), MODELS)
OUTCOMES: tuple[Outcome, ...] = ("Successful", "Failed", "Inconclusive", "Error")


def crash(random: Random) -> int | None:
    """Before which act to die, rather one of the first, for not every verb has ten; in every other case before none."""
    return random.choice((None, min(random.randrange(10), random.randrange(10))))


# How often, and what.
CHANGES: list[tuple[int, Callable[[Random], Change]]] = [
    (7, lambda random: Release(random.choice(OFFERED), broken=random.random() < 0.2)),
    (3, lambda random: Promote(random.choice(OFFERED), crash(random))),
    (2, lambda random: Rollback(random.choice(PAIRS), random.randrange(3), crash(random))),
    (2, lambda random: Revert(random.randrange(5))),
    (2, lambda random: Back(random.choice(PAIRS), random.randrange(5))),
    (1, lambda random: Base(random.choice(("template", "steps")))),
    (1, lambda random: Edit()),
]
ACTS: list[tuple[int, Callable[[Random], Act]]] = [
    (14, lambda random: Propose(weighted(random, CHANGES), merge=random.random() < 0.8)),
    (3, lambda random: Merge(random.randrange(2))),
    (3, lambda random: Sync(random.choice(ENVIRONMENTS))),
    (8, lambda random: Judge(random.randrange(4), random.choice(OUTCOMES), sync=random.random() < 0.8)),
    (1, lambda random: Serve(random.choice(ENVIRONMENTS))),
    (3, lambda random: Stop(random.randrange(4))),
    (1, lambda random: Wait(random.choice(ENVIRONMENTS), random.choice((60.0, 1000.0, 4000.0)))),
    (8, lambda random: Event(random.randrange(3), random.random() < 0.5, crash(random), random.randrange(2))),
    (2, lambda random: Lose(random.randrange(3))),
    (1, lambda random: Reconcile()),
    (2, lambda random: Tidy()),
]


def weighted(random: Random, table: Sequence[tuple[int, Callable[[Random], Value]]]) -> Value:
    """One of a table."""
    [(_, draw)] = random.choices(table, [weight for weight, _ in table])
    return draw(random)


# A version that is healthy everywhere.
SERVED: list[Act] = [
    Propose(Release(MODELS)),
    Serve("staging"),
    Propose(Promote(MODELS)),
    Serve("production"),
]


class Played(NamedTuple):
    """What was served before, what then happens, and how what is still judged at the end does end."""

    start: list[Act]
    acts: list[Act]
    fates: list[Outcome]


def stories(least: int, most: int) -> st.SearchStrategy[Played]:
    """Stories of so many acts. Hypothesis picks a seed: out of lists it draws few values over and over, and in fifty of
    such stories no process ever died.
    """

    def played(seed: int) -> Played:
        random = Random(seed)
        acts = [weighted(random, ACTS) for _ in range(random.randint(least, most))]
        return Played(
            SERVED * random.choice((0, 1, 1, 2, 2, 3)), acts, random.choices(OUTCOMES, k=random.randint(1, 4))
        )

    return st.integers(0, 2**32 - 1).map(played)
