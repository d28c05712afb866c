"""A sequence of acts played on git and on a Rollout for each (environment, model); then quiet, and the law."""

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Protocol, TypeVar

from fledge.reconcile import decision
from fledge.reconcile.decision import Dispatch, asks, overdue
from fledge.release import Files
from fledge.rollout.records import Outcome
from tests.law.acts import (
    ENVIRONMENTS,
    MODELS,
    PAIRS,
    Act,
    Change,
    Event,
    Judge,
    Lose,
    Merge,
    Promote,
    Propose,
    Reconcile,
    Release,
    Rollback,
    Serve,
    Stop,
    Sync,
    Tidy,
    Wait,
)
from tests.law.cluster import Rollout, Told

Value = TypeVar("Value")
ROUNDS = 40  # far more than a sequence needs to come to rest


def nth_of(found: Sequence[Value], nth: int) -> Value:
    """The nth, counting round."""
    return found[nth % len(found)]


class Git(Protocol):
    """The repository as the story needs it: shipped scripts on real git, or plain data."""

    @property
    def proposals(self) -> list[str]:
        """The open ones, oldest first."""

    def propose(self, change: Change) -> str | None:
        """Open a proposal; None where the verb refuses."""

    def merge(self, name: str) -> bool:
        """Merge a proposal if `make check` passes on the result; it is closed either way."""

    def told(self, files: Files) -> Told | None:
        """What the target branch tells an environment to run."""

    def abort(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        """The app's answer to an abort: `scripts.auto_revert`."""

    def complete(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        """The app's answer to a completed rollout: `scripts.healthy`."""

    def healthy(self, files: Files) -> Collection[str]:
        """The deliveries with a healthy tag."""

    def denied(self, files: Files) -> Collection[str]:
        """The deliveries in the target branch's deny list."""

    def tidy(self) -> None:
        """`make gc`, for good."""

    def whole(self) -> None:
        """Raises AssertionError for a file that is half-written or an artifact that a rollback needs and lacks."""

    def offered(self, name: str, model: str) -> str:
        """The version that a proposal holds for the first environment."""


class Story:
    """`broken` are the versions of a model whose pods never become ready; `news` are notifications that nobody heard yet,
    `came` and `denied` are whatever was there, or denied, at any time. `happened` counts what had an effect: stories in
    which nothing happens hold every law.
    """

    def __init__(self, git: Git, before: "Story | None" = None) -> None:
        self.git = git
        self.broken: dict[str, set[str]] = {model: set() for model in MODELS}
        self.news: list[tuple[str, Files, str]] = []
        self.came: dict[Files, set[str]] = {files: set() for files in PAIRS}
        self.denied: dict[Files, set[str]] = {files: set() for files in PAIRS}
        self.happened: Counter[str] = Counter()
        self.rollouts = {files: Rollout(lambda files=files: git.healthy(files)) for files in PAIRS}  # type: ignore[misc]
        if before:
            self.came, self.denied = copy.deepcopy(before.came), copy.deepcopy(before.denied)
            for files, rollout in self.rollouts.items():
                kept = {name: copy.copy(value) for name, value in vars(before.rollouts[files]).items()}
                vars(rollout).update(kept | {"healthy": rollout.healthy})

    def tell(self, acts: Iterable[Act], outcomes: Sequence[Outcome] = ("Successful",)) -> None:
        """Play `acts`, wait until things are quiet (what is still judged ends as `outcomes` say), and hold the law."""
        for act in acts:
            self.play(act)
        self.quiet(outcomes)
        self.hold()

    def play(self, act: Act) -> None:
        """One act, after which nothing that was denied, or left without becoming healthy, may be there anew."""
        before, seen = {files: self.git.told(files) for files in PAIRS}, self._seen()
        self._play(act)
        if self._seen() != seen:
            self.happened[f"Judge {act.outcome}" if isinstance(act, Judge) else type(act).__name__] += 1
        for files, was in before.items():
            told = self.git.told(files)
            if told and told != was:
                assert told.delivery not in self.denied[files], f"a denied delivery came back: {self.describe(files)}"
                stays = was and told.delivery == was.delivery
                proved = told.delivery not in self.came[files] or told.delivery in self.git.healthy(files)
                assert stays or proved, f"one that was never healthy came back: {self.describe(files)}"
                self.came[files].add(told.delivery)
            self.happened["denied"] += len(set(self.git.denied(files)) - self.denied[files])
            self.denied[files] |= set(self.git.denied(files))

    def _play(self, act: Act) -> None:
        match act:
            case Propose(change, merge):
                self._propose(change, merge)
            case Merge(nth) if self.git.proposals:
                self.git.merge(nth_of(self.git.proposals, nth))
            case Sync(environment):
                self._sync(environment)
            case Judge(nth, outcome, sync):
                self._judge(nth, outcome, ENVIRONMENTS if sync else ())
            case Serve(environment):
                self._serve(environment)
            case Wait(environment, seconds):
                for files in PAIRS:
                    if files.environment == environment:
                        self.rollouts[files].wait(seconds, self.broken[files.model])
            case Event(nth, again, crash, race) if self.news:
                one = nth_of(self.news, nth)
                if not again:
                    self.news.remove(one)
                self.happened["heard twice"] += again
                self.happened["overtaken"] += race if crash is None else 0
                self._hear(*one, crash, race)
            case Lose(nth) if self.news:
                self.happened["lost"] += 1
                self.news.remove(nth_of(self.news, nth))
            case Stop(nth) if stoppable := [files for files in PAIRS if self.rollouts[files].moving]:
                self.rollouts[nth_of(stoppable, nth)].abort()
            case Reconcile():
                self._reconcile()
            case Tidy():
                self.git.tidy()
        self._listen()

    def quiet(self, outcomes: Sequence[Outcome]) -> None:
        """Let everything happen that is under way, without further crashes or losses, until nothing does."""
        fate = cycle(outcomes)
        for round in range(ROUNDS):
            before = self._seen()
            for environment in ENVIRONMENTS:
                self.play(Sync(environment))
                self.play(Wait(environment, 1000))
            while self.news:
                self.play(Event())
            for files, rollout in self.rollouts.items():
                # However bad the judge's mood was: at last somebody offers something good.
                rollout.judge(next(fate) if round < ROUNDS // 4 else "Successful", self.broken[files.model])
            self._listen()
            self._reconcile()
            if self._seen() == before:
                incidents = [files for files in PAIRS if not self._at_rest(files)]
                if not incidents:
                    return
                for files in incidents:
                    self._decide(files)
        raise AssertionError(f"never quiet: {[self.describe(files) for files in PAIRS]}")

    def hold(self) -> None:
        """The law, for every environment and model."""
        for files in PAIRS:
            rollout, told = self.rollouts[files], self.git.told(files)
            said = self.describe(files)
            assert (told.delivery if told else None) == rollout.stable == rollout.current, f"git lies: {said}"
            assert told is None or rollout.completed, f"not everyone is served by it: {said}"
            assert rollout.stable not in self.git.denied(files), f"a denied delivery serves: {said}"
            innocent = {*self.git.healthy(files)} | {one.delivery for one in rollout.told.values()} - rollout.guilty
            assert not innocent & set(self.git.denied(files)), f"an innocent release is denied: {said}"
            assert self.denied[files] <= set(self.git.denied(files)), f"a denial is gone: {said}"
            assert told is None or told.delivery in self.git.healthy(files), f"served and judged, not healthy: {said}"
        self.git.whole()

    def describe(self, files: Files) -> str:
        """One line of everything that is known of an (environment, model)."""
        rollout, told = self.rollouts[files], self.git.told(files)
        return (
            f"{files.who}: git {told and (told.delivery, told.version)}, stable {rollout.stable}, current {rollout.current}, "
            f"phase {rollout.status and rollout.status.phase}, healthy {sorted(self.git.healthy(files))}, "
            f"denied {sorted(self.git.denied(files))}, guilty {sorted(rollout.guilty)}"
        )

    def _propose(self, change: Change, merge: bool) -> None:
        name = self.git.propose(change)
        if name and isinstance(change, Release) and change.broken:
            for model in change.models:
                self.broken[model].add(self.git.offered(name, model))
        if name and merge:
            merged = self.git.merge(name)
            self.happened[f"{type(change).__name__} merged" if merged else "refused"] += 1

    def _sync(self, environment: str) -> None:
        for files in PAIRS:
            told = self.git.told(files) if files.environment == environment else None
            if told:
                self.rollouts[files].apply(told, self.broken[files.model])

    def _judge(self, nth: int, outcome: Outcome, applied: Sequence[str]) -> None:
        for environment in applied:
            self._sync(environment)
        if judging := [files for files in PAIRS if self.rollouts[files].judging]:
            files = nth_of(judging, nth)
            self.rollouts[files].judge(outcome, self.broken[files.model])

    def _serve(self, environment: str) -> None:
        self._sync(environment)
        for files, rollout in self.rollouts.items():
            while files.environment == environment and rollout.judging:
                rollout.judge("Successful", self.broken[files.model])
        self._listen()
        for one in [one for one in self.news if one[1].environment == environment]:
            self.news.remove(one)
            self._hear(*one)

    def _listen(self) -> None:
        for files, rollout in self.rollouts.items():
            while rollout.news:
                what, delivery = rollout.news.pop(0)
                self.news.append((what, files, delivery))

    def _hear(self, what: str, files: Files, delivery: str, crash: int | None = None, race: int = 0) -> None:
        before = {pair: self.git.told(pair) for pair in PAIRS}
        self.happened[what] += 1
        if what == "completed":
            self.git.complete(files, delivery, crash, race)
            return
        self.git.abort(files, delivery, crash, race)
        settled = delivery in {*self.git.denied(files), *self.git.healthy(files)}
        assert settled or crash is not None, f"neither denied nor healthy: {delivery} of {self.describe(files)}"
        for pair, told in before.items():
            may_go = told is None or (pair, told.delivery) == (files, delivery) or race
            assert may_go or told == self.git.told(pair), f"{told} went with {delivery}: {self.describe(pair)}"

    def _reconcile(self) -> None:
        """What `fledge.reconcile` does, and decides itself: by what is, not by what was told."""
        for files, rollout in self.rollouts.items():
            one = rollout.seen(files)
            if one and overdue(one, timedelta(minutes=30), datetime.now(UTC)):
                rollout.abort()
            if one is None or not asks(one, frozenset(self.git.healthy(files))):
                continue
            held, healthy, denied = self.git.told(files), self.git.healthy(files), self.git.denied(files)
            wanted = decision.act(
                one, decision.Told(frozenset(healthy), frozenset(denied), held.delivery if held else None)
            )
            if isinstance(wanted, Dispatch):
                self._hear("aborted" if wanted.workflow == "auto-revert.yml" else "completed", files, wanted.delivery)

    def _at_rest(self, files: Files) -> bool:
        """A denied delivery that serves, with nothing to go back to, is what the reconciler calls a person for."""
        told, rollout = self.git.told(files), self.rollouts[files]
        if told is None:
            return True
        serves = told.delivery == rollout.stable and rollout.completed
        return serves and told.delivery not in self.git.denied(files)

    def _decide(self, files: Files) -> None:
        """What a person does about an incident. The app may leave a matter to them in two cases only."""
        told, model = self.git.told(files), files.model
        assert told is not None
        self.happened["incident"] += 1
        if told.delivery in self.git.healthy(files):  # the canary of a rollback was aborted, and health is never denied
            self._propose(Rollback(files), True)
        else:
            restorable = set(self.git.healthy(files)) - set(self.git.denied(files))
            assert not restorable, f"left to a person: {self.describe(files)}"
        if self.git.told(files) == told and files.environment != ENVIRONMENTS[0]:
            self._propose(Promote((model,)), True)
        if self.git.told(files) == told:  # nothing to go back to, nothing below that is newer, or healthy on this base
            self._propose(Release((model,)), True)

    def _seen(self) -> object:
        """Everything but the clocks."""
        return [
            (
                self.git.told(files),
                set(self.git.healthy(files)),
                set(self.git.denied(files)),
                rollout.status and (rollout.status.phase, rollout.status.step, rollout.status.weights),
                rollout.status and [(rs.hash, rs.desired, rs.available) for rs in rollout.status.replica_sets],
                (rollout.stable, rollout.current),
            )
            for files, rollout in self.rollouts.items()
        ]
