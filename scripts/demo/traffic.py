"""What users saw: the log that `fledge.replay` writes, a line for each request."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    at: float  # seconds since the epoch
    api: str  # rest or grpc
    ok: bool
    number: int | None  # TensorFlow Serving's version, which only gRPC says


def answers(log: Path, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
    """Every request that was answered, or failed, in [since, until)."""
    found = []
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line, while it is being written
        if since <= entry["t"] < until:
            found.append(Answer(entry["t"], entry["api"], entry["ok"], entry["version"]))
    return found


def counts(some: list[Answer]) -> dict[str, int]:
    return {"sent": len(some), "failed": sum(not answer.ok for answer in some)}


def last_from(some: list[Answer], number: int) -> float | None:
    """When the last answer of that version came."""
    times = [answer.at for answer in some if answer.number == number]
    return max(times) if times else None
