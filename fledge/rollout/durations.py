"""Durations as Argo Rollouts reads them: Go's, such as `500ms` or `1m30s` (time.ParseDuration), here without a sign."""

import re

from fledge.problems import Problem

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def seconds(duration: object, who: str, where: str) -> float:
    """Return a duration in seconds. Raises Problem, in the name of `who` and with `where` it stands, for anything else."""
    text = str(duration)
    parts = PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Problem(f"{who}: found duration {duration!r}, expected one like 10s or 1m30s ({where})")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def pause_seconds(duration: object, where: str) -> float:
    """Return how long a `pause` step lasts: a whole number is in seconds, as in Rollouts' PauseDuration."""
    text = str(duration)
    return float(text) if text.isdecimal() else seconds(duration, "rollout", where)
