"""On what terms a branch's candidate is judged: whose limits, and whose gates (docs/gates.md).

A pull request must not relax what judges it: limits and gates are the target branch's. Where the branch changes them
both judge, the target's and its own, and a reader is told each change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge import git
from fledge.differences import differences, said
from fledge.project import parsed_yaml, read_yaml

# What decides a verdict: the library, the verb and what starts it, the gates and how pytest runs them, the packages
# that they import, and what could stand in front of one: a module of its name at the root.
CODE = (
    *("fledge", "scripts/gates.py", "scripts/setup.py", "tests/gates", "Makefile", "pyproject.toml"),
    *("requirements.lock", ".venv", ".tools"),
    *(":(glob)*.py", ":(glob)*.pyc", ":(glob)*.so", ":(glob)*/__init__.*"),
)
JUDGING = ("gates", "slo")  # of params.yaml


@dataclass(frozen=True)
class Terms:
    """`limits` has the keys `gates` and `slo` of a params.yaml that messages call `file`.

    `revision` is whose gates run, None for those that are here; `own` tells the branch's terms from the target's.
    `notes` are what a reader must know, a line each.
    """

    limits: Mapping[str, Any]
    file: str
    revision: str | None
    own: bool
    notes: tuple[str, ...]


def terms(root: Path, model: str, base: str, alone: str | None = None) -> list[Terms]:
    """The target branch's terms first; then the branch's own, where it changes limits or gates.

    `alone` says why the model's own limits judge although the target branch has some: a major version that nothing
    there can be compared with; each difference from the target's is told. They do as well where the target branch
    lacks the model.
    Raises Problem for a params.yaml that is no YAML, or is not there.
    """
    path = Path("models") / model / "params.yaml"
    ours, theirs, fork = _judging(read_yaml(root / path)), _at(root, base, path), git.fork(root, base)
    if theirs is None:
        alone = f"{base} has no {path}: a new model, judged by its own limits."
    limits, file = (ours, str(path)) if alone or theirs is None else (theirs, f"{base}:{path}")
    revision = base if git.changed(root, base, *CODE) else None
    code = git.changed(root, fork, *CODE) if revision else []
    changed = [] if ours == limits else list(changes(_at(root, fork, path) or {}, ours))
    told = [f"This branch changes {one} ({path})." for one in changed]
    told += [f"This branch changes what judges: {', '.join(code)}."] if code else []
    judged = [alone or f"Judged by the limits of {file}."]
    if alone and theirs is not None:
        judged += [f"Its own limits differ from {base}'s: {one} ({path})." for one in changes(theirs, ours)]
    if not told:
        return [Terms(limits, file, revision, False, tuple(judged))]
    hint = f"What it changes judges alone once {base} holds it: merge it first, without a release."
    first = Terms(limits, file, revision, False, (*judged, *told, hint))
    whose = f"Judged by this branch's own {' and '.join(['limits'] * bool(changed) + ['gates'] * bool(code))} as well."
    return [first, Terms(ours, str(path), None if code else revision, True, (whose, *told))]


def _judging(content: Any) -> dict[str, Any]:
    return {key: content.get(key) for key in JUDGING} if isinstance(content, Mapping) else {}


def _at(root: Path, revision: str, path: Path) -> dict[str, Any] | None:
    text = git.show(root, revision, path)
    return None if text is None else _judging(parsed_yaml(text, f"{revision}:{path}"))


def changes(before: Any, after: Any) -> Iterator[str]:
    """Each key that was changed, added or taken away, with both values."""
    for key, old, new in differences(before, after):
        yield f"{key} from {said(old)} to {said(new)}"
