"""Is the candidate as fast as its champion, and within its budget?

Sources: Abedi & Brecht 2017 (interleaved trials), McNemar 1947 (slow calls), and Chromium's Pinpoint (compare.py), which
also says different, same or unknown. No ratio of p99s is judged: so few calls make one that it says little.
"""

from collections.abc import Iterable
from typing import Annotated, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator
from pydantic_core import PydanticCustomError
from scipy import stats

from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.stats import POWER, timing
from fledge.stats.timing import Reading, Sample

Positive = Annotated[float, Field(gt=0)]

TOLD = {True: Verdict.BLOCK, False: Verdict.PASS, None: Verdict.INCONCLUSIVE}
QUIETER = "measure again on a quieter machine"


class Ratio(Limit):
    batch: PositiveInt
    block_above: Positive
    pass_below: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        # The other way round what lies between would never be told, and a warning at most.
        if self.block_above > self.pass_below:
            raise PydanticCustomError("order", "block_above to be at most pass_below")
        return self


class Budget(Limit):
    batch: PositiveInt
    p50_ms: Positive


class Tail(Limit):
    slack: Annotated[float, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0, lt=0.5)]


def ratio(samples: Iterable[Sample], limit: Ratio, file: str) -> Check:
    """BLOCK where the ratio is shown above `block_above`, PASS where shown below `pass_below`, else INCONCLUSIVE."""
    reading = timing.told(samples, limit.block_above, limit.pass_below)
    low, high = reading.interval
    found = f"{reading.ratio:.3f} times the champion's latency, between {low:.3f} and {high:.3f}"
    expected = {
        True: f", expected at most {limit.block_above:g}",
        False: "",
        None: f" after {reading.rounds:,} rounds, expected a narrower interval",
    }[reading.slower]
    return Check(
        "latency",
        "ratio",
        TOLD[reading.slower],
        found + expected,
        remedy(reading.slower, f"make the model cheaper, or move {file}: gates.latency.ratio.block_above"),
        reading.ratio,
        reading.interval,
        limit.pass_below if reading.slower is False else limit.block_above,
        reading.rounds,
        reading.detectable,
        "ratio",
        limit.inconclusive,
        details(reading),
    )


def budget(sample: Sample, limit: Budget, file: str) -> Check:
    """The interval of the median of calls (nanoseconds, (n, 1)) against the budget: under it, over it or around it."""
    times = sample.times[:, 0] / 1e6
    median, (low, high) = timing.latency_median(times, block=sample.block)
    slower = True if low > limit.p50_ms else False if high <= limit.p50_ms else None
    return Check(
        "latency",
        "budget",
        TOLD[slower],
        f"half of the calls take over {median:.2f} ms, expected {limit.p50_ms:g} ms",
        remedy(slower, f"make the model cheaper, or move {file}: gates.latency.budget.p50_ms"),
        median,
        (low, high),
        limit.p50_ms,
        len(times),
        unit="ms",
        inconclusive=limit.inconclusive,
    )


def tail(sample: Sample, limit: Tail, file: str) -> Check:
    """BLOCK where slow calls are shown to be more frequent than the champion's, by McNemar's exact test at `alpha`.

    The burden is the gate's: what is not shown is a PASS. The estimate is the difference of the two shares; its
    1 − 2·alpha interval and the smallest detectable one are normal approximations.
    """
    ours, theirs = sample.times.T
    found = timing.tail(ours, theirs, limit.slack, sample.block)
    worse, better, rounds = found.only_candidate, found.only_champion, len(ours)
    difference = (worse - better) / rounds
    error = float(np.sqrt(worse + better - rounds * difference**2) / rounds)
    even = float(np.sqrt(worse + better)) / rounds  # were either as likely
    z, bad = float(stats.norm.ppf(1 - limit.alpha)), found.p < limit.alpha
    reason = (
        f"{found.candidate:.1%} of calls are slower than {limit.slack:g} times the champion's p95, of the champion's "
        f"{found.champion:.1%} than that p95; in {worse} rounds only the candidate was slow, in {better} only the "
        f"champion, p {found.p:.2g}"
    )
    return Check(
        "latency",
        "tail",
        Verdict.BLOCK if bad else Verdict.PASS,
        reason + (f", expected at least {limit.alpha:g}" if bad else ""),
        "look for work that only some calls do (retracing, growing tables, a cache that fills), or move "
        f"{file}: gates.latency.tail"
        if bad
        else "",
        difference,
        (difference - z * error, difference + z * error),
        0.0,
        rounds,
        (z + float(stats.norm.ppf(POWER))) * even,
        "of calls",
        limit.inconclusive,
        {"equal": 0},
    )


def details(reading: Reading) -> dict[str, list[float]]:
    """Each block's ratio in order of time, for a plot."""
    return {"blocks": [round(ratio, 4) for ratio in reading.blocks]}


def remedy(slower: bool | None, refused: str) -> str:
    """What to do about a reading: `refused` where it is shown, another machine where it is not told."""
    return {True: refused, False: "", None: QUIETER}[slower]
