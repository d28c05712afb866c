"""The rules of `make check`: what no linter knows of releases and rendered files. The table says which and why.

A rendered file is judged where its bytes are new to its environment, and in the first environment, where `make render`
can mend it in the same pull request, also where they are not. What a later environment or a healthy tag holds was
judged when it was merged: a rule that is younger than those bytes must neither refuse a rollback nor every pull request
until production has followed. `make check ALL=1` judges everything anew.

A release is derived again where its bytes are new to the target branch, in the first environment, where releases begin:
what the branch once had was judged then, and a rollback needs neither the remote nor the commit of a training.
"""

from collections.abc import Iterator
from pathlib import Path

from fledge import git
from fledge.problems import Problem
from fledge.release import Files
from fledge.rules.documents import Documents, Pair, Platform
from fledge.rules.offers import Offer
from fledge.rules.table import RULES, Rule, Scope

__all__ = ["RULES", "broken", "broken_beside", "problems_beside", "problems_of"]

MODELS = ("manifests/releases/", "manifests/rendered/")  # what the platform's file does not follow from
SOURCES = ("manifests/", "project.yaml", "fledge/", "requirements.lock", "scripts/setup.py")

Found = Iterator[tuple[str, str]]  # (name of the rule, line)


def problems_of(root: Path, files: Files, base: str, *, anew: bool = False) -> Iterator[str]:
    """The lines of every rule that one (environment, model) of the working tree breaks, each once.

    `anew`: judge its rendered file also where its bytes were judged before.
    """
    yield from dict.fromkeys(line for _, line in broken(Pair.read(root, files, base), anew))


def problems_beside(root: Path, base: str, *, anew: bool = False) -> Iterator[str]:
    """As `problems_of` for what no (environment, model) owns: the repository and the platform's file."""
    yield from dict.fromkeys(line for _, line in broken_beside(Platform.read(root, base), anew))


def broken(pair: Pair, anew: bool = False) -> Found:
    """As `problems_of`, with the name of each line's rule."""
    yield from _held(pair, _of("files"))
    if not pair.rendered or not (pair.root / pair.files.release).exists():
        return
    yield from _held(pair, _of("history"))
    if offer := Offer.of(pair):
        yield from _held(offer, _of("offer"))
    first = pair.owner.below(pair.files.environment) is None
    if anew or not pair.twins or (first and pair.kept):
        yield from broken_objects(pair, "model")


def broken_beside(platform: Platform, anew: bool = False) -> Found:
    """As `problems_beside`, with the name of each line's rule. The platform's file is read where its sources changed."""
    yield from _held(platform, _of("repository"))
    names = [*git.changed(platform.root, platform.base), *git.untracked(platform.root)]
    follows = (name for name in names if name.startswith(SOURCES) and not name.startswith(MODELS))
    if anew or str(platform.path) in names or any(follows):
        yield from broken_objects(platform, "platform")


def broken_objects(of: Documents, scope: Scope) -> Found:
    """The rules of rendered objects. Where one does not fit its kind's schema, others would read what is not there."""
    wrong = list(_held(of, _of("schema")))
    yield from wrong or _held(of, [*_of("every"), *_of(scope)])


def _held(of: Documents, rules: list[Rule]) -> Found:
    for rule in rules:
        try:
            yield from ((rule.name, line) for line in rule.function(of))
        except Problem as problem:
            yield from ((rule.name, line) for line in problem.lines)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what a schema would have said, before it
            yield rule.name, of.line(f"{rule.name} cannot read it, {error!r}", "whole objects", str(of.path))


def _of(scope: Scope) -> list[Rule]:
    return [rule for rule in RULES if rule.scope == scope]
