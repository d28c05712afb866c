"""git as plain data: what the scripts and rules decide, restated in as few words as the law needs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from fledge.artifact.versioning import next_version
from fledge.release import Files
from fledge.rollout import Spec
from tests.law.acts import ENVIRONMENTS, PAIRS, Back, Base, Change, Edit, Promote, Release, Revert, Rollback
from tests.law.cluster import Told

Value = TypeVar("Value")


class Stack(NamedTuple):
    """The sources of the manifests: a number for each state of the pod template, and of the rest."""

    template: int = 0
    steps: int = 0


FRESH = Stack()


class Held(NamedTuple):
    """What a rendered file and its release.yaml hold."""

    version: str
    stack: Stack

    def delivery(self, files: Files) -> str:
        """Steps are no part of it."""
        return hashlib.sha256(f"{files} {self.version} {self.stack.template}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Tree:
    """What a commit holds."""

    stack: Stack = FRESH
    held: dict[Files, Held] = field(default_factory=dict)
    denied: dict[Files, tuple[str, ...]] = field(default_factory=dict)
    notes: int = 0

    def with_held(self, files: Files, held: Held) -> "Tree":
        return replace(self, held={**self.held, files: held})


class Came(NamedTuple):
    """A delivery, and the number of the commit that brought it."""

    delivery: str
    held: Held
    commit: int


class Plain:
    """`commits` are the target branch's, oldest first; `tags` are (pair, delivery, commit)."""

    def __init__(self) -> None:
        self.commits = [Tree()]
        self.tags: set[tuple[Files, str, int]] = set()
        self.open: dict[str, tuple[Tree, Tree]] = {}
        self.count = 0
        self.highest: dict[str, str] = {}

    @property
    def head(self) -> Tree:
        return self.commits[-1]

    @property
    def proposals(self) -> list[str]:
        return list(self.open)

    # What people do.

    def propose(self, change: Change) -> str | None:
        fork = self.head
        proposed = self._changed(fork, change)
        if proposed is None or proposed == fork:
            return None
        self.count += 1
        self.open[f"proposal-{self.count}"] = (fork, proposed)
        return f"proposal-{self.count}"

    def offered(self, name: str, model: str) -> str:
        return self.open[name][1].held[Files(ENVIRONMENTS[0], model)].version

    def merge(self, name: str) -> bool:
        merged = merged_trees(*self.open.pop(name), self.head)
        if merged is None or any(self._refused(merged, files) for files in PAIRS):
            return False
        self.commits.append(merged)
        return True

    def _changed(self, tree: Tree, change: Change) -> Tree | None:
        match change:
            case Release(models):
                for model in models:
                    files = Files(ENVIRONMENTS[0], model)
                    version = next_version(self._highest(model), "patch")
                    tree = tree.with_held(files, Held(version, tree.stack))
                return tree
            case Promote(models):
                for model in models:
                    tree = self._promoted(tree, model)
                return tree
            case Rollback(files, nth):
                would_do = self._would_do(files)
                # As `make rollback TO=`: of several with one version, the one that served most recently.
                asked = would_do[nth % len(would_do)].held.version if would_do else None
                return next((tree.with_held(files, one.held) for one in would_do if one.held.version == asked), None)
            case Revert(nth) if nth + 1 < len(self.commits):
                return merged_trees(self.commits[-1 - nth], self.commits[-2 - nth], tree)
            case Back(files, nth) if came := self._came(files):
                return tree.with_held(files, came[nth % len(came)].held)
            case Base(part):
                tree = replace(tree, stack=tree.stack._replace(**{part: getattr(tree.stack, part) + 1}))
                for files, held in tree.held.items():
                    if files.environment == ENVIRONMENTS[0]:
                        tree = tree.with_held(files, held._replace(stack=tree.stack))
                return tree
            case Edit():
                return replace(tree, notes=self.count + 1)
        return None

    def _promoted(self, tree: Tree, model: str) -> Tree:
        source, files = Files(ENVIRONMENTS[0], model), Files(ENVIRONMENTS[1], model)
        held, current = tree.held.get(source), tree.held.get(files)
        if held is None:
            return tree
        wanted = Held(held.version, tree.stack)
        delivery, healthy = wanted.delivery(files), self.healthy(source)
        # Healthy below, and on these sources too.
        proved = held.delivery(source) in healthy and wanted.delivery(source) in healthy
        left = current is not None and current.delivery(files) != delivery
        former = {one.delivery for one in self._came(files)} - set(self.healthy(files))
        refused = delivery in self.denied(files) or (left and delivery in former)
        return tree if not proved or refused or current == wanted else tree.with_held(files, wanted)

    def _would_do(self, files: Files) -> list[Came]:
        current, known = self.head.held.get(files), {one.delivery: one for one in self._restorable(files)}
        order = dict.fromkeys(one.delivery for one in self._came(files))
        return [known[one] for one in order if one in known and (current is None or one != current.delivery(files))]

    def _highest(self, model: str) -> str | None:
        found = {tree.held[files].version for tree in self.commits for files in tree.held if files.model == model}
        return max(found, key=lambda version: [int(part) for part in version.split(".")], default=None)

    # What `make check` refuses.

    def _refused(self, merged: Tree, files: Files) -> bool:
        held, before = merged.held.get(files), self.head.held.get(files)
        if not set(self.denied(files)) <= set(merged.denied.get(files, ())):
            return True
        if held is None:
            return before is not None
        delivery = held.delivery(files)
        same = held == before or held in [one.held for one in self._restorable(files)]
        former = {one.delivery for one in self._came(files)} - set(self.healthy(files))
        left = before is not None and before.delivery(files) != delivery
        return (
            not (same or held.stack == merged.stack)
            or (held != before and delivery in self.denied(files))
            or (left and delivery in former)
            or (held != before and not same and not self._healthy_below(held, files))
        )

    def _healthy_below(self, held: Held, files: Files) -> bool:
        """With the same pod template; steps need no trial."""
        if files.environment == ENVIRONMENTS[0]:
            return True
        source = Files(ENVIRONMENTS[0], files.model)
        known = {(one.held.version, one.held.stack.template) for one in self._healthy(source)}
        return (held.version, held.stack.template) in known

    # What the app does. It dies in vain: each answer is one push.

    def abort(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        if crash is not None:
            return
        self._race(race)
        if delivery in self.healthy(files):
            return
        if delivery not in self.denied(files):
            denied = {**self.head.denied, files: (*self.denied(files), delivery)}
            self.commits.append(replace(self.head, denied=denied))
        best = self._last_healthy(files)
        if best and self.head.held[files].delivery(files) == delivery:
            self.commits.append(self.head.with_held(files, best.held))

    def complete(self, files: Files, delivery: str, crash: int | None, race: int) -> None:
        if crash is not None:
            return
        self._race(race)
        if delivery not in self.denied(files) and not any((files, delivery) == tag[:2] for tag in self.tags):
            self.tags.add((files, delivery, self._brought_by(files, delivery)))

    def _race(self, race: int) -> None:
        for _ in range(race):
            if self.open:
                self.merge(self.proposals[0])
            else:
                self.commits.append(self.head)  # somebody's commit, of no matter here

    # What git remembers.

    def told(self, files: Files) -> Told | None:
        held = self.head.held.get(files)
        if held is None:
            return None
        delivery = held.delivery(files)
        return Told(delivery, held.version, delivery, a_spec(delivery, held.stack.steps))

    def healthy(self, files: Files) -> list[str]:
        return [one.delivery for one in self._healthy(files)]

    def denied(self, files: Files) -> tuple[str, ...]:
        return self.head.denied.get(files, ())

    def tidy(self) -> None:
        """Plain data has no remote."""

    def whole(self) -> None:
        """Plain data cannot be half-written."""

    def _came(self, files: Files) -> list[Came]:
        """Every delivery, newest first."""
        found = []
        for number, (before, after) in enumerate(zip([Tree(), *self.commits], self.commits, strict=False)):
            held = after.held.get(files)
            if held and held != before.held.get(files):
                found.append(Came(held.delivery(files), held, number))
        return found[::-1]

    def _healthy(self, files: Files) -> list[Came]:
        return [one for one in self._came(files) if (files, one.delivery, one.commit) in self.tags]

    def _restorable(self, files: Files) -> list[Came]:
        return [one for one in self._healthy(files) if one.delivery not in self.denied(files)]

    def _last_healthy(self, files: Files) -> Came | None:
        known = {one.delivery: one for one in self._restorable(files)}
        return next((known[one.delivery] for one in self._came(files) if one.delivery in known), None)

    def _brought_by(self, files: Files, delivery: str) -> int:
        """The first commit of its latest stay."""
        brought = -1
        for one in self._came(files):
            if one.delivery == delivery:
                brought = one.commit
            elif brought >= 0:
                break
        return brought


def merged_trees(fork: Tree, theirs: Tree, ours: Tree) -> Tree | None:
    """A three-way merge; None for a conflict."""
    try:
        return Tree(
            Stack(*map(merged, fork.stack, theirs.stack, ours.stack)),
            _merged_pairs(fork.held, theirs.held, ours.held, _merged_held),
            _merged_pairs(fork.denied, theirs.denied, ours.denied, merged),
            merged(fork.notes, theirs.notes, ours.notes),
        )
    except ValueError:
        return None


def merged(fork: Value, theirs: Value, ours: Value) -> Value:
    """One that nobody else changed. Raises ValueError for a conflict."""
    if theirs in (fork, ours):
        return ours
    if ours == fork:
        return theirs
    raise ValueError("a conflict")


def _merged_held(fork: Held | None, theirs: Held | None, ours: Held | None) -> Held | None:
    if fork is None or theirs is None or ours is None:
        return merged(fork, theirs, ours)
    # Two lines of one file that lie far apart: what the delivery is of, and the steps.
    what = [(one.version, one.stack.template) for one in (fork, theirs, ours)]
    (version, template), steps = merged(*what), merged(fork.stack.steps, theirs.stack.steps, ours.stack.steps)
    return Held(version, Stack(template, steps))


def _merged_pairs(
    fork: dict[Files, Value],
    theirs: dict[Files, Value],
    ours: dict[Files, Value],
    merge: Callable[[Value | None, Value | None, Value | None], Value | None],
) -> dict[Files, Value]:
    found = {files: merge(fork.get(files), theirs.get(files), ours.get(files)) for files in PAIRS}
    return {files: one for files, one in found.items() if one is not None}


def a_spec(delivery: str, steps: int) -> Spec:
    """A Rollout's spec as ours are, as far as the machine reads it."""
    judge = {"analysis": {"templates": [{"templateName": "judge"}]}}
    plan = [{"setCanaryScale": {"replicas": 2}}, {"setWeight": 5}, {"setCanaryScale": {"matchTrafficWeight": True}}]
    return {
        "template": {"metadata": {"labels": {"fledge.dev/delivery": delivery}}},
        "revisionHistoryLimit": 5,
        "rollbackWindow": {"revisions": 3},
        "progressDeadlineSeconds": 900,
        "progressDeadlineAbort": True,
        "strategy": {
            "canary": {
                "scaleDownDelaySeconds": 1800,
                "scaleDownDelayRevisionLimit": 2,
                "abortScaleDownDelaySeconds": 30,
                "minPodsPerReplicaSet": 2,
                "steps": [*plan, judge, {"setWeight": 25 + steps}, judge],
            }
        },
    }
