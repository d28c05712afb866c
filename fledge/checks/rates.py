"""Does the candidate answer as much in a second as its champion, alone, to many at once, and at its peak?

Sources: Abedi & Brecht 2017 (interleaved trials); Schroeder, Wierman & Harchol-Balter 2006 (a peak is asked open loop).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, PositiveInt
from scipy.stats import binomtest

from fledge.checks.latency import QUIETER, TOLD, Positive, remedy
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.stats import ALPHA, POWER, Array, timing
from fledge.stats.timing import Sample

REACHED = 0.95  # share of the asked rate from which a machine has kept up


class Throughput(Limit):
    batch: PositiveInt
    at_least: Positive


class Concurrency(Limit):
    threads: Annotated[int, Field(ge=2)]
    batch: PositiveInt
    at_least: Positive


class Load(Limit):
    peak: Positive
    factor: Annotated[float, Field(ge=1)]
    seconds: Positive


class Answers(NamedTuple):
    """What came of requests sent at `rate` a second for `seconds`: milliseconds of each, and the codes of those that failed."""

    ms: Array
    failed: Sequence[str]
    rate: float
    seconds: float


def throughput(samples: Iterable[Sample], limit: Throughput, file: str) -> Check:
    """Rows a second in large batches, candidate / champion: not shown below `at_least`."""
    what = f"the champion's rows a second in batches of {limit.batch}"
    return _rate("throughput", samples, what, limit, file)


def concurrency(sample: Sample, limit: Concurrency, file: str) -> Check:
    """Answers a second to threads that all ask at once, candidate / champion: not shown below `at_least`.

    The third column is the champion's time for as many answers to one thread. Where its threads gain less by being many
    than the limit allows the candidate to lose, a lock would not have shown: that is INCONCLUSIVE, not a PASS.
    """
    crowds = sample._replace(times=sample.times[:, :2])
    what = f"the champion's answers a second to {limit.threads} threads at once"
    found = _rate("concurrency", [crowds], what, limit, file)
    gain, (low, _) = timing.latency_ratio(sample.times[:, 2], sample.times[:, 1], block=sample.block)
    found = replace(found, details={**found.details, "gain": gain})
    if found.verdict is not Verdict.PASS or low * limit.at_least > 1:
        return found
    reason = f"{found.reason}; here that many threads get {gain:.2f} times the answers of one, expected over {1 / limit.at_least:.2f}"
    return replace(
        found, verdict=Verdict.INCONCLUSIVE, reason=reason, remedy="measure again where a second core is free"
    )


def load(answers: Answers, limit: Load, file: str) -> Check:
    """BLOCK for any request that failed at `factor` times the peak; INCONCLUSIVE where the machine cannot ask that often.

    The stand-in's latency says nothing about production: it is reported, never judged.
    """
    asked, n, failed = answers.rate * answers.seconds, len(answers.ms), len(answers.failed)
    rate = n / answers.seconds
    verdict = Verdict.BLOCK if failed else Verdict.PASS if n >= REACHED * asked else Verdict.INCONCLUSIVE
    p50, p99 = (float(value) for value in (np.quantile(answers.ms, [0.5, 0.99]) if n else (0, 0)))
    said = f" ({', '.join(sorted(set(answers.failed)))})" if failed else ""
    found = f"{failed} of {n} requests failed{said} at {rate:.0f} a second, {limit.factor:g} times the peak is {answers.rate:g}"
    reason, advice = {
        Verdict.BLOCK: (
            f"{found}, expected none",
            f"ask it as often by hand (python -m fledge.serving), or move {file}: gates.resources.load.peak",
        ),
        Verdict.PASS: (f"{found}; p50 {p50:.1f} ms, p99 {p99:.1f} ms here", ""),
        Verdict.INCONCLUSIVE: (f"{found}, expected at least {REACHED:.0%} of that", QUIETER),
    }[verdict]
    share = binomtest(failed, max(n, 1)).proportion_ci(1 - 2 * ALPHA, "exact")
    return Check(
        "resources",
        "load",
        verdict,
        reason,
        advice,
        failed / max(n, 1),
        (float(share.low), float(share.high)),
        0.0,
        n,
        1 - (1 - POWER) ** (1 / max(n, 1)),
        "of requests",
        limit.inconclusive,
        {"requests": n, "failed": failed, "p50_ms": p50, "p99_ms": p99, "rate": rate, "asked": answers.rate},
    )


def _rate(name: str, samples: Iterable[Sample], what: str, limit: Throughput | Concurrency, file: str) -> Check:
    """The champion's time over the candidate's: the other way round than a ratio of times."""
    reading = timing.told(samples, 1 / limit.at_least, 1 / limit.at_least)
    low, high = 1 / reading.interval[1], 1 / reading.interval[0]
    expected = "" if reading.slower is False else f", expected at least {limit.at_least:g}"
    return Check(
        "resources",
        name,
        TOLD[reading.slower],
        f"{1 / reading.ratio:.3f} times {what}, between {low:.3f} and {high:.3f}{expected}",
        remedy(reading.slower, f"make the model cheaper, or move {file}: gates.resources.{name}.at_least"),
        1 / reading.ratio,
        (low, high),
        limit.at_least,
        reading.rounds,
        1 / reading.detectable,
        "of champion's",
        limit.inconclusive,
        {"blocks": [round(1 / ratio, 4) for ratio in reading.blocks]},
    )
