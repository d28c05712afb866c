"""How far a release is from its champion: what differs, the level that each difference asks for, the next version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["major", "minor", "patch"]
LEVELS: tuple[Level, ...] = ("patch", "minor", "major")


@dataclass(frozen=True)
class Difference:
    """One thing in which a release differs from its champion, and the level that it asks for.

    `key` names it (`inputs.temp.range`), `found` is both values, `said` the change in words, `why` the reason.
    """

    key: str
    found: str
    said: str
    level: Level
    why: str

    def __str__(self) -> str:
        return f"  {self.level}  {self.key}: {self.found}\n         {self.said}: {self.why}"


def level(found: Sequence[Difference]) -> tuple[Level, str]:
    """The highest level that a difference asks for, and what asks for it; a patch where nothing differs."""
    highest: Level = max((one.level for one in found), key=LEVELS.index, default="patch")
    return highest, "; ".join(one.said for one in found if one.level == highest) or "the same contract and recipe"


def told(found: Sequence[Difference]) -> str:
    """The differences, those first that ask for most; lines for a person."""
    ordered = sorted(found, key=lambda one: -LEVELS.index(one.level))
    return "\n".join(map(str, ordered)) or "  nothing differs: the same contract and recipe"


def next_version(highest: str | None, step: Level) -> str:
    """The version after `highest` by one `step`; the first one is 1.0.0."""
    if highest is None:
        return "1.0.0"
    major, minor, patch = map(int, highest.split("."))
    return {
        "major": f"{major + 1}.0.0",
        "minor": f"{major}.{minor + 1}.0",
        "patch": f"{major}.{minor}.{patch + 1}",
    }[step]
