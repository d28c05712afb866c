"""How each (environment, model) stands by what git says: the one record of which `make status` shows text and JSON."""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from fledge import cores, git, release
from fledge.problems import Problem, caught
from fledge.project import Strict
from fledge.release import Denial, Files, Release, annals, history
from fledge.release.annals import Annals
from fledge.release.behind import behind, sources
from fledge.release.history import Delivery

Made = TypeVar("Made")
State = Literal["healthy", "not healthy yet", "denied", "nothing yet", "unreadable"]


class Known(Strict):
    """A delivery, and the commit of the target branch that brought it."""

    version: str
    delivery: str
    commit: str
    since: str


class Serving(Known):
    """What is delivered now: `since`, `author` and `subject` are those of the commit that began this stay."""

    author: str
    subject: str


class Standing(Strict):
    """One (environment, model) of the target branch."""

    environment: str
    model: str
    state: State
    behind_base: bool | None  # None: nothing is rendered, or nobody compared
    serving: Serving | None
    release: Release | None  # the `spec` of its release.yaml
    healthy: list[Known]  # newest first, as all that follow
    denied: list[Denial]
    steps_back: list[Known]  # where one `make rollback` after the other leads to, nearest first
    rollback: list[Known]  # all that may return: the healthy ones that are not denied and do not serve
    problems: list[str]  # what cannot be read

    @property
    def who(self) -> str:
        return Files(self.environment, self.model).who


class Standings(Strict):
    """All of them, and the commit of the target branch that says so."""

    branch: str
    commit: str
    time: str
    pairs: list[Standing]


def standings(root: Path, pairs: Sequence[Files], branch: str, compare: bool) -> Standings:
    """How `pairs` stand on `branch`; `compare` also renders each anew."""
    commit, time = git.git(root, "log", "-1", "--format=%H %cI", branch).split()
    found = annals.read(root, pairs, commit)
    with sources(root, commit, pairs) if compare else nullcontext() as there:
        stand = list(cores.each(partial(standing, there), found, "status"))
    return Standings(branch=branch, commit=commit, time=time, pairs=stand)


def standing(there: Path | None, one: Annals) -> Standing:
    """How one stands, compared with the sources that lie `there`.

    What cannot be read is a problem of its own and hides nothing else.
    """
    problems: list[str] = []
    now = _read(_now, one, problems)
    wanted = _read(_release, one, problems)
    denied = _read(_denied, one, problems) or []
    compared = _read(partial(behind, there), one, problems) if there else None
    gone = {denial.delivery for denial in denied}
    restorable = [each for each in one.healthy if each.delivery not in gone]
    others = [each for each in restorable if now is None or each.delivery != now.delivery]
    return Standing(
        environment=one.files.environment,
        model=one.files.model,
        state=_state(one, now, gone),
        behind_base=compared,
        serving=_serving(one, now) if now else None,
        release=wanted,
        healthy=_known(one, one.healthy),
        denied=denied[::-1],
        steps_back=_known(one, history.steps(now, one.came, restorable)),
        rollback=_known(one, others),
        problems=list(dict.fromkeys(problems)),
    )


def _read(reader: Callable[[Annals], Made], one: Annals, problems: list[str]) -> Made | None:
    made = caught(reader, one)
    if isinstance(made, Problem):
        problems += made.lines
        return None
    return made


def _now(one: Annals) -> Delivery | None:
    found = history.brought(one.rendered, "")
    if one.rendered is not None and found is None:
        raise Problem(
            f"{one.files.who}: {one.files.rendered} names no delivery, expected a rendered file (make render)"
        )
    return found


def _release(one: Annals) -> Release | None:
    return release.from_text(one.release, str(one.files.release)) if one.release else None


def _denied(one: Annals) -> list[Denial]:
    return release.denied_from_text(one.denied, str(one.files.denied)) if one.denied else []


def _state(one: Annals, now: Delivery | None, gone: Collection[str]) -> State:
    if now is None:
        return "unreadable" if one.rendered is not None else "nothing yet"
    if now.delivery in gone:
        return "denied"
    return "healthy" if now.delivery in {each.delivery for each in one.healthy} else "not healthy yet"


def _known(one: Annals, some: Sequence[Delivery]) -> list[Known]:
    return [
        Known(version=each.version, delivery=each.delivery, commit=each.commit, since=one.commits[each.commit].time)
        for each in some
    ]


def _serving(one: Annals, now: Delivery) -> Serving:
    began = history.latest_stay(one.came, now.delivery)
    assert began, "what a revision holds came in its history"
    [known], by = _known(one, [began]), one.commits[began.commit]
    return Serving(**known.model_dump(), author=by.author, subject=by.subject)
