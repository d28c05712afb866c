"""With what a candidate is compared: its champion by the champion's own contract, and an anchor of the same major."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fledge import release
from fledge.artifact import compatibility, versioning
from fledge.artifact.versioning import LEVELS, Level
from fledge.evidence import Check, Verdict
from fledge.problems import Problem
from fledge.release import Files, Release, history


def step(before: str, after: str) -> Level | None:
    """By which part the version `after` is above `before`; None where it is not."""
    old, new = release.parse(before), release.parse(after)
    changed = [level for level, a, b in zip(reversed(LEVELS), old, new, strict=True) if a != b]
    return changed[0] if new > old else None


def version_check(model: str, candidate: Release, champion: Release, before: Any, after: Any) -> Check:
    """A version is above the champion's, by no less than the contract's difference asks for."""
    taken = step(champion.version, candidate.version)
    needed, why = versioning.level(compatibility.differences(before, after))
    enough = taken is not None and LEVELS.index(taken) >= LEVELS.index(needed)
    found = f"{candidate.version} is {taken or 'not'} above the champion's {champion.version}"
    contract = "the same contract" if needed == "patch" else f"{needed}: {why}"
    if enough:
        return Check("release", "version", Verdict.PASS, f"{found} ({contract})")
    expected = f"expected {needed} or more ({contract})" if needed != "patch" else "expected above it"
    remedy = f"make release MODEL={model} counts the version from the contract; or keep the champion's contract"
    return Check("release", "version", Verdict.BLOCK, f"{found}, {expected}", remedy)


def incomparable(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Why the answers of two contracts cannot be held against each other, nothing where they can."""
    reasons = []
    if _shapes(before) != _shapes(after):
        reasons.append("the outputs differ")
    if before.get("classes") != after.get("classes"):
        reasons.append("the classes differ")
    return reasons


def _shapes(contract: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (one.get("dtype"), one.get("shape") or []) for name, one in contract["outputs"].items()}


def anchor(root: Path, files: Files, base: str, champion: Release, pinned: str | None, key: str) -> Release | None:
    """The oldest healthy, not denied release of the champion's major version, or the `pinned` one; None for the champion.

    Each release may be worse than the last one by the margin; held against one that stays, a chain of them may not.
    Raises Problem for a pinned version that was never healthy there; `key` names it.
    """
    healthy = reversed(history.restorable(root, files, base))
    known = [one for one in healthy if pinned or _major(one.version) == _major(champion.version)]
    found = (history.release_at(root, files, one.commit) for one in known if pinned in (None, one.version))
    chosen = next((one for one in found if one), None)
    if pinned and chosen is None:
        there = ", ".join(dict.fromkeys(one.version for one in known)) or "none at all"
        raise Problem(f"{files.who}: {pinned} was never healthy there, expected one of {there} ({key})")
    return None if chosen is None or chosen.artifact == champion.artifact else chosen


def _major(version: str) -> int:
    return release.parse(version)[0]
