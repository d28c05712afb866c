"""Is a model made as its champion was? By dvc.lock at both trainings, which names parameters, code, packages and rows."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fledge import git
from fledge.artifact.versioning import Difference, Level
from fledge.release import Release, lock
from fledge.release.lock import LOCK

LONGEST, HASH = 60, 12  # characters of a value, of a hash


class Rule(NamedTuple):
    """Of the rows whose `pattern` fits a name the first counts. A parameter's name is its key, a file's its path."""

    pattern: str
    change: str
    level: Level
    why: str


TABLE = [
    Rule("train.seed", "another seed", "patch", "another draw of the same recipe"),
    Rule("train.months", "other months to train on", "patch", "the same recipe on newer rows"),
    Rule("train.evaluate", "other months to measure with", "patch", "what metrics.json is about, no answer depends on it"),
    Rule("data/*", "other rows", "patch", "the same recipe on newer rows"),
    Rule("models/*/requests.jsonl", "other warm-up requests", "patch", "no answer depends on them"),
    Rule("models/*/data.py", "other code makes the rows", "minor", "they may have another schema or mean something else"),
    Rule("train.*", "another parameter", "minor", "another recipe"),
    Rule("*", "other code, packages or parameters", "minor", "another recipe"),
]  # fmt: skip


def differences(
    root: Path, model: str, champion: Release, base: str, parameters: Mapping[str, Any], revision: str
) -> list[Difference]:
    """In what the training of dvc.lock at `revision`, with `parameters` (`train:`), differs from the champion's.

    Without the contract, which has a table of its own (`fledge.artifact.compatibility`).
    """
    before = home(root, model, champion, base)
    if before is None:
        what = f"no {LOCK} in the history of {base} names the artifact {champion.artifact.md5}"
        why = f"nobody can tell whether {champion.version} was made by the same recipe"
        return [Difference(LOCK, what, "an unknown recipe", "minor", why)]
    theirs = made(model, git.show(root, before, LOCK) or "", champion.parameters)
    ours = made(model, git.show(root, revision, LOCK) or "", parameters)
    # No stage runs data.py, nor need dvc.lock name what model.py imports: git does.
    code = [name for name in git.differing(root, before, revision, f"models/{model}") if name.endswith(".py")]
    return list(compared(theirs | dict.fromkeys(code, "as trained"), ours | dict.fromkeys(code, "changed")))


def home(root: Path, model: str, champion: Release, base: str) -> str | None:
    """The commit of the champion's training, or one in the history of `base` with the same artifact: merges may squash."""
    if _holds(root, champion.training.commit, model, champion):
        return champion.training.commit
    brought = git.git(root, "log", "--format=%H", f"-S{champion.artifact.md5}", base, "--", LOCK).split()
    return next((commit for commit in brought if _holds(root, commit, model, champion)), None)


def made(model: str, text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What made a model, by name: its stage in `text`, a dvc.lock, and the parameters of its release."""
    stage = lock.stage(text, f"train@{model}")
    found = {f"train.{key}": value for key, value in parameters.items()}
    for values in (stage.get("params") or {}).values():
        found |= {key: value for key, value in values.items() if key != "train"}
    found |= {dep["path"]: str(dep.get("md5"))[:HASH] for dep in stage.get("deps") or []}
    found["cmd"] = stage.get("cmd")
    return {name: value for name, value in found.items() if name != f"models/{model}/contract.yaml"}


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """A difference for each name of `made` that has other values."""
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            rule = next(rule for rule in TABLE if fnmatchcase(name, rule.pattern))
            found = f"{_short(old)} -> {_short(new)}"
            yield Difference(name, found, f"{rule.change} ({name})", rule.level, rule.why)


def _holds(root: Path, commit: str, model: str, champion: Release) -> bool:
    stage = lock.stage(git.show(root, commit, LOCK) or "", f"train@{model}", f"{commit}:{LOCK}")
    return champion.artifact.md5 in [out.get("md5") for out in stage.get("outs") or []]


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
