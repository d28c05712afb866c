"""What git remembers of one (environment, model): which deliveries came, and which were healthy, denied, last healthy."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from fledge import cores, git, release
from fledge.problems import Problem
from fledge.release import Denial, Files, Release
from fledge.release.render import delivered

Made = TypeVar("Made")


class Delivery(NamedTuple):
    """A delivery and the first-parent commit of the target branch that changed the rendered file to it."""

    delivery: str
    version: str
    commit: str


def tag_name(files: Files, version: str, delivery: str) -> str:
    return f"healthy/{files.environment}/{files.model}/{version}-{delivery}"


def of_each(root: Path, act: Callable[[Files], Made], pairs: Sequence[Files], what: str) -> Iterator[Made]:
    """As `cores.each` where `act` asks git about each pair: of many, git first notes which commit changed which."""
    if len(pairs) > cores.FEW:
        git.index(root)
    return cores.each(act, pairs, what)


def deliveries(root: Path, files: Files, revision: str) -> list[Delivery]:
    """Every delivery in the first-parent history of `revision`, newest first; one that came back stands twice."""
    return list(_deliveries(root, files, git.git(root, "rev-parse", revision)))


@lru_cache(maxsize=16)  # of a commit the answer is for ever, every rule about a pair asks, and git reads all of it
def _deliveries(root: Path, files: Files, commit: str) -> tuple[Delivery, ...]:
    commits = git.first_parents(root, commit, files.rendered)
    texts = git.shows(root, commits, files.rendered)
    return tuple(one for one in map(brought, texts, commits) if one)


def brought(text: str | None, commit: str) -> Delivery | None:
    """What a rendered file, as `commit` has it, delivers. None for no file, and for one that names no delivery.

    Once merged that stays in the history, and nothing of it was ever applied.
    """
    try:
        return Delivery(*delivered(text), commit) if text else None
    except Problem:
        return None


def healthy(root: Path, files: Files, revision: str) -> list[Delivery]:
    """The deliveries of that history whose commit carries the healthy tag, newest first.

    A tag anywhere else says nothing: a branch's own commit cannot make itself healthy.
    """
    tagged = tags(root, tag_name(files, "", "").removesuffix("-"))
    return [one for one in deliveries(root, files, revision) if (files, one.delivery, one.commit) in tagged]


def tags(root: Path, below: str = "healthy") -> set[tuple[Files, str, str]]:
    """The healthy tags whose names begin with these words, as (whose, delivery, commit)."""
    lines = git.git(
        root, "for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", f"refs/tags/{below}"
    ).splitlines()
    named = ((*name.split("/"), commit) for name, commit in map(str.split, lines) if name.count("/") == 2)
    return {(Files(environment, model), name.rpartition("-")[2], commit) for environment, model, name, commit in named}


def denied_at(root: Path, files: Files, revision: str) -> list[Denial]:
    """The deny list that a revision holds; the target branch's is the one that counts."""
    text = git.show(root, revision, files.denied)
    return release.denied_from_text(text, str(files.denied)) if text else []


def restorable(root: Path, files: Files, revision: str) -> list[Delivery]:
    """The healthy deliveries that are not denied: what may serve again without a canary."""
    denied = {denial.delivery for denial in denied_at(root, files, revision)}
    return [one for one in healthy(root, files, revision) if one.delivery not in denied]


def holding(root: Path, files: Files, revision: str, rendered: str) -> list[Delivery]:
    """The healthy, not denied deliveries whose file is `rendered`, byte for byte.

    Only those are read that it names: a file that is the same says the same delivery.
    """
    named = [one for one in restorable(root, files, revision) if one.delivery in rendered]
    texts = git.shows(root, [one.commit for one in named], files.rendered)
    return [one for one, text in zip(named, texts, strict=True) if text == rendered]


def last_healthy(root: Path, files: Files, revision: str) -> Delivery | None:
    """The champion: walking back from `revision`, the first delivery that is healthy and not denied.

    Not the newest tag: after a rollback those differ. The commit is the tagged one.
    """
    known = {one.delivery: one for one in restorable(root, files, revision)}
    return next(
        (known[one.delivery] for one in deliveries(root, files, revision) if one.delivery in known),
        None,
    )


def held(root: Path, files: Files, revision: str) -> Delivery | None:
    """The delivery that a revision holds."""
    return brought(git.show(root, revision, files.rendered), revision)


def steps(now: Delivery | None, came: Sequence[Delivery], restorable: Sequence[Delivery]) -> list[Delivery]:
    """Where one rollback after the other leads to from what is delivered `now`: nearest first, the commits the tagged ones.

    `came` is all that was delivered, `restorable` what may return, both newest first.
    """
    known = {one.delivery: one for one in restorable}
    return [known[one] for one in before([now or Delivery("", "", ""), *came]) if one in known]


def served(came: Sequence[Delivery], restorable: Sequence[Delivery]) -> list[Delivery]:
    """What may return, most recently served first."""
    known = {one.delivery: one for one in restorable}
    return [known[one] for one in dict.fromkeys(one.delivery for one in came) if one in known]


def before(came: Sequence[Delivery]) -> list[str]:
    """What served before the newest of `came` (newest first), nearest first.

    A delivery that came back takes away what came after it, as a revert does: who rolled back from something does not
    want it again at the next step.
    """
    way: list[str] = []
    for one in reversed(came):
        way = way[: way.index(one.delivery)] if one.delivery in way else way
        way.append(one.delivery)
    return way[-2::-1]


def champion(root: Path, files: Files, revision: str) -> Release | None:
    """The release of the last healthy delivery. Raises Problem where it has none: a missing champion is no first release."""
    best = last_healthy(root, files, revision)
    found = release_at(root, files, best.commit) if best else None
    if best and found is None:
        where = f"{files.release} at {best.commit[:10]}"
        raise Problem(f"{files.who}: {best.version} is healthy and has no release, expected the champion's ({where})")
    return found


def brought_by(root: Path, files: Files, revision: str, delivery: str) -> Delivery | None:
    """When `delivery` came for its latest stay; None if it never came."""
    return latest_stay(deliveries(root, files, revision), delivery)


def latest_stay(came: Sequence[Delivery], delivery: str) -> Delivery | None:
    """The beginning of the latest stay of `delivery` among `came` (newest first)."""
    start = None
    for one in came:
        if one.delivery == delivery:
            start = one
        elif start:
            break
    return start


def release_at(root: Path, files: Files, revision: str) -> Release | None:
    """The release that a revision holds."""
    text = git.show(root, revision, files.release)
    return release.from_text(text, f"{revision}:{files.release}") if text else None


def releases(root: Path, files: Files, revision: str) -> list[str]:
    """The release.yaml of every delivery in the first-parent history of `revision`, as text, newest first."""
    commits = git.first_parents(root, revision, files.rendered)  # which every rule asks for
    return [text for text in git.shows(root, commits, files.release) if text]


def versions(root: Path, model: str, environments: list[str], revision: str) -> list[str]:
    """Every version that a model ever had in the first-parent history of `revision`, denied ones too."""
    found = set()
    for environment in environments:
        files = Files(environment, model)
        found |= {one.version for one in deliveries(root, files, revision)}
        found |= {denial.version for denial in denied_at(root, files, revision)}
    return sorted(found, key=release.parse)
