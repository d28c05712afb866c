"""What users saw: the log that `fledge.client.replay` writes, a line for each request."""

import json
from dataclasses import dataclass
from pathlib import Path

TAIL = 1 << 16  # bytes, some hundred lines


@dataclass(frozen=True)
class Answer:
    at: float  # seconds since the epoch
    api: str  # rest or grpc
    ok: bool
    number: int | None  # TensorFlow Serving's version, which only gRPC says


def answers(log: Path, since: float = 0.0) -> list[Answer]:
    """Every request that was answered, or failed, since a time."""
    return _read(log.read_text().splitlines() if log.exists() else [], since)


def latest(log: Path, since: float) -> list[Answer]:
    """As `answers`, but from the end of the log alone, for those who look often."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL))
        return _read(stream.read().decode().splitlines()[1:], since)


def _read(lines: list[str], since: float) -> list[Answer]:
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line, while it is being written
        if entry["t"] >= since:
            found.append(Answer(entry["t"], entry["api"], entry["ok"], entry["version"]))
    return found


def counts(some: list[Answer]) -> dict[str, int]:
    return {"sent": len(some), "failed": sum(not answer.ok for answer in some)}


def last_from(some: list[Answer], number: int) -> float | None:
    """When the last answer of that version came."""
    times = [answer.at for answer in some if answer.number == number]
    return max(times) if times else None
