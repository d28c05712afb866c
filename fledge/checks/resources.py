"""What does the candidate cost beside its champion: CPU, memory, bytes, and time to start?

Size and memory are facts; what a clock says is shown or not. Sources: Abedi & Brecht 2017 (interleaved trials), Mann &
Whitney 1947 (a few starts).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pydantic import PositiveInt

from fledge.checks.latency import TOLD, Positive, details, remedy
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.stats import Array, timing
from fledge.stats.timing import Sample

Starts = Mapping[str, Array]

MB = 2**20  # bytes
BESIDE = "of champion's"  # the unit of a ratio
WHAT = {"ready_ms": "first answer after", "first_ms": "that answer alone"}
ORDER = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.BLOCK)


class Cost(Limit):
    batch: PositiveInt
    at_most: Positive


class Memory(Limit):
    batch: PositiveInt
    at_most: Positive
    cap_mb: Positive


class Size(Limit):
    at_most: Positive
    cap_mb: Positive


class LoadTime(Limit):
    at_most: Positive
    ready_ms: Positive
    first_ms: Positive
    least_ms: Positive


class Start(NamedTuple):
    """One time of a start, and what it was held against."""

    found: str
    verdict: Verdict
    estimate: float
    interval: tuple[float, float]
    margin: float
    unit: str


def cost(samples: Iterable[Sample], limit: Cost, file: str) -> Check:
    """CPU time for the same rows, candidate / champion, from CPU nanoseconds a batch: not shown above `at_most`."""
    reading = timing.told(samples, limit.at_most, limit.at_most)
    ours, theirs = (nanoseconds / 1e3 / limit.batch for nanoseconds in reading.medians)
    (low, high), slower = reading.interval, reading.slower
    expected = "" if slower is False else f", expected at most {limit.at_most:g}"
    return Check(
        "resources",
        "cost",
        TOLD[slower],
        f"{ours:.2f} CPU-seconds per million rows, {reading.ratio:.3f} times the champion's {theirs:.2f}, between "
        f"{low:.3f} and {high:.3f}{expected}",
        remedy(slower, f"make the model cheaper, or move {file}: gates.resources.cost.at_most"),
        reading.ratio,
        reading.interval,
        limit.at_most,
        reading.rounds,
        reading.detectable,
        BESIDE,
        limit.inconclusive,
        details(reading) | {"cpu_seconds": {"candidate": ours, "champion": theirs}},
    )


def memory(ours: Array, theirs: Array | None, limit: Memory, file: str) -> Check:
    """Peak memory of fresh processes that load and answer (MB, one value each), their median beside cap and champion's."""
    champion = None if theirs is None else float(np.median(theirs))
    check = _amount("memory", float(np.median(ours)), champion, limit, file)
    return replace(check, interval=(float(ours.min()), float(ours.max())), n=len(ours))


def size(ours: int, theirs: int | None, limit: Size, file: str) -> Check:
    """Bytes of all files of the artifact beside cap and champion's."""
    return _amount("size", ours / MB, None if theirs is None else theirs / MB, limit, file)


def load_time(ours: Starts, theirs: Starts | None, limit: LoadTime, file: str) -> Check:
    """Time to the first answer, and of that answer alone, beside budget and champion's.

    `ours` and `theirs` hold milliseconds of a few fresh processes each, by the names of the budgets. BLOCK where all of
    the candidate's are beyond the budget, or beyond `at_most` times all of the champion's; INCONCLUSIVE where their
    median is. Beside the champion's, less than `least_ms` counts as that much: a first answer in 3 ms instead of 1 is no
    news.
    """
    starts = [_start(name, ours[name], None if theirs is None else theirs[name], limit) for name in WHAT]
    worst = max(starts, key=lambda start: (ORDER.index(start.verdict), start.estimate / start.margin))
    expected = "" if worst.verdict is Verdict.PASS else f", expected at most {worst.margin:g} {worst.unit}"
    slower = {Verdict.BLOCK: True, Verdict.PASS: False, Verdict.INCONCLUSIVE: None}[worst.verdict]
    return Check(
        "resources",
        "load_time",
        worst.verdict,
        "; ".join(start.found for start in starts) + expected,
        remedy(slower, f"ship a warm-up file, load less, or move {file}: gates.resources.load_time"),
        worst.estimate,
        worst.interval,
        worst.margin,
        len(ours["ready_ms"]),
        unit=worst.unit,
        inconclusive=limit.inconclusive,
        details={
            name: {"candidate": ours[name].tolist(), "champion": [] if theirs is None else theirs[name].tolist()}
            for name in WHAT
        }
        | ({"equal": 1} if worst.unit == BESIDE else {}),
    )


def _amount(name: str, ours: float, theirs: float | None, limit: Memory | Size, file: str) -> Check:
    allowed = limit.cap_mb if theirs is None else min(limit.cap_mb, limit.at_most * theirs)
    bad = not ours <= allowed
    key = "cap_mb" if allowed == limit.cap_mb else "at_most"
    beside = "" if theirs is None else f", {ours / theirs:.3f} times the champion's {theirs:.2f} MB"
    return Check(
        "resources",
        name,
        Verdict.BLOCK if bad else Verdict.PASS,
        f"{ours:.2f} MB{beside}" + (f", expected at most {allowed:.2f} MB" if bad else ""),
        f"make the artifact smaller, or move {file}: gates.resources.{name}.{key}" if bad else "",
        ours,
        None,
        allowed,
        1,
        unit="MB",
        inconclusive=limit.inconclusive,
    )


def _start(name: str, ours: Array, theirs: Array | None, limit: LoadTime) -> Start:
    """One of the two times: against its budget where that is what it fails, or there is no champion."""
    budget, median = {"ready_ms": limit.ready_ms, "first_ms": limit.first_ms}[name], float(np.median(ours))
    alone = Start(
        f"{WHAT[name]} {median:.1f} ms",
        _verdict(median, ours.min(), budget),
        median,
        (float(ours.min()), float(ours.max())),
        budget,
        "ms",
    )
    if theirs is None:
        return alone
    ratio, interval = timing.fresh_ratio(*(np.maximum(times, limit.least_ms) for times in (ours, theirs)))
    found = f"{alone.found}, {ratio:.2f} times the champion's, between {interval[0]:.2f} and {interval[1]:.2f}"
    beside = Start(found, _verdict(ratio, interval[0], limit.at_most), ratio, interval, limit.at_most, BESIDE)
    return max(beside, alone._replace(found=found), key=lambda start: ORDER.index(start.verdict))


def _verdict(middle: float, low: float, most: float) -> Verdict:
    return Verdict.BLOCK if low > most else Verdict.PASS if middle <= most else Verdict.INCONCLUSIVE
