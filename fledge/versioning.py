"""How far a change of contract or recipe reaches: the level of the next semantic version."""

from typing import Any, Literal

Level = Literal["major", "minor", "patch"]


def level(before: dict[str, Any], after: dict[str, Any], same_recipe: bool) -> tuple[Level, str]:
    """The level for a change from the contract `before` to `after` (contract.yaml as read), and why.

    An old client's request must get an answer of the old meaning: TensorFlow Serving refuses a request
    that lacks an input or sends one too many (serving-contract: "input size does not match signature").
    """
    broken = breaks(before, after)
    if broken:
        return "major", "; ".join(broken)
    if before != after:
        return "minor", "the contract changed, compatibly"
    if not same_recipe:
        return "minor", "the training parameters changed"
    return "patch", "the same recipe"


def breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What an old client would notice, a line each."""
    lines = _shapes("input", before["inputs"], after["inputs"])
    lines += [f"input {name} is new and required" for name in after["inputs"] if name not in before["inputs"]]
    lines += _shapes("output", before["outputs"], after["outputs"])
    if before.get("signature") != after.get("signature"):
        lines.append(f"signature {before.get('signature')} became {after.get('signature')}")
    if before.get("classes") != after.get("classes"):
        lines.append("the classes or their order changed")
    return lines


def _shapes(what: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            lines.append(f"{what} {name} is gone")
        elif (old.get("dtype"), old.get("shape")) != (new.get("dtype"), new.get("shape")):
            lines.append(f"{what} {name} changed its type or shape")
    return lines


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
