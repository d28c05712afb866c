"""What is said of rows a second, of threads at once and of a peak: each verdict, by its reason."""

import re

import numpy as np
import pytest

from fledge.checks import rates
from fledge.checks.rates import Answers, Concurrency, Load, Throughput
from fledge.evidence import Verdict
from fledge.stats.timing import Sample
from tests.checks.test_latency import FILE, rounds, spread

THROUGHPUT = Throughput(batch=256, at_least=0.9, inconclusive="warn")
CONCURRENCY = Concurrency(threads=4, batch=1024, at_least=0.8, inconclusive="warn")
LOAD = Load(peak=50, factor=2, seconds=4, inconclusive="warn")


@pytest.mark.parametrize(
    ("factor", "verdict", "reason"),
    [
        (1.0, "PASS", "1.000 times the champion's rows a second in batches of 256, between 1.000 and 1.000"),
        (0.5, "PASS", "2.000 times the champion's rows a second in batches of 256, between 2.000 and 2.000"),
        (
            1.25,
            "BLOCK",
            "0.800 times the champion's rows a second in batches of 256, between 0.800 and 0.800, expected at least 0.9",
        ),
    ],
)
def test_rows_a_second_are_the_other_way_round_than_times(factor: float, verdict: str, reason: str) -> None:
    """Twice the time is half the rows a second; fewer than the limit block, more pass."""
    found = rates.throughput([rounds(np.full(100, factor), np.ones(100))], THROUGHPUT, FILE)
    assert (found.verdict, found.reason, found.estimate) == (verdict, reason, 1 / factor)
    assert found.details == {"blocks": [1 / factor] * 4}
    assert found.remedy == (
        "" if verdict == "PASS" else "make the model cheaper, or move params.yaml: gates.resources.throughput.at_least"
    )


def test_rows_a_second_that_are_not_told_are_a_warning() -> None:
    """An interval around the limit is INCONCLUSIVE, and its ends are in order."""
    found = rates.throughput([rounds(spread(1 / 0.9, 0.5, 1000), np.ones(1000))], THROUGHPUT, FILE)
    assert (found.verdict, found.blocks) == (Verdict.INCONCLUSIVE, False)
    assert found.interval is not None
    assert found.interval[0] < 0.9 < found.interval[1]
    assert found.smallest_detectable_effect is not None
    assert found.smallest_detectable_effect < 0.9


def crowds(candidate: float, champion: float, alone: float) -> Sample:
    """Forty rounds of so long for the candidate's crowd, the champion's, and for one thread of the champion's."""
    return Sample(np.tile([candidate, champion, alone], (40, 1)), 1)


def test_a_lock_shows_when_threads_ask_at_once() -> None:
    """A candidate that makes four threads wait for each other is refused, by a check that says how many they were."""
    found = rates.concurrency(crowds(4, 2, 4), CONCURRENCY, FILE)
    assert found.verdict is Verdict.BLOCK
    assert found.reason.startswith(
        "0.500 times the champion's answers a second to 4 threads at once, between 0.500 and"
    )
    assert found.remedy.endswith("params.yaml: gates.resources.concurrency.at_least")
    assert rates.concurrency(crowds(2, 2, 4), CONCURRENCY, FILE).verdict is Verdict.PASS


def test_where_threads_gain_nothing_a_lock_would_not_show() -> None:
    """On a machine without a second free core an equal candidate is no proof: INCONCLUSIVE, a warning, with the gain."""
    found = rates.concurrency(crowds(2, 2, 2.4), CONCURRENCY, FILE)
    assert (found.verdict, found.blocks) == (Verdict.INCONCLUSIVE, False)
    assert found.reason.endswith("; here that many threads get 1.20 times the answers of one, expected over 1.25")
    assert found.remedy == "measure again where a second core is free"
    assert rates.concurrency(crowds(2, 2, 2.6), CONCURRENCY, FILE).verdict is Verdict.PASS
    assert rates.concurrency(crowds(4, 2, 2), CONCURRENCY, FILE).verdict is Verdict.BLOCK


def test_one_failed_request_at_the_peak_blocks() -> None:
    """Whatever else was answered, a request that failed is refused, with its code."""
    found = rates.load(Answers(np.ones(400), ["UNAVAILABLE"], 100, 4), LOAD, FILE)
    assert found.verdict is Verdict.BLOCK
    assert (
        found.reason == "1 of 400 requests failed (UNAVAILABLE) at 100 a second, 2 times the peak is 100, expected none"
    )
    assert found.blocks


def test_a_machine_that_cannot_ask_that_often_tells_nothing() -> None:
    """Where fewer requests could be sent than asked for, none of which failed, the check warns; at 95 % it passes."""
    few, enough = (rates.load(Answers(np.ones(n), [], 100, 4), LOAD, FILE) for n in (379, 380))
    assert (few.verdict, few.blocks, enough.verdict) == (Verdict.INCONCLUSIVE, False, Verdict.PASS)
    assert re.search("at 95 a second, 2 times the peak is 100, expected at least 95% of that", few.reason)
    none = rates.load(Answers(np.array([]), [], 100, 4), LOAD, FILE)
    assert none.verdict is Verdict.INCONCLUSIVE


def test_the_latency_at_the_peak_is_reported_and_not_judged() -> None:
    """The stand-in's latency says nothing about production: any passes, and the median and 99 % quantile are kept."""
    found = rates.load(Answers(np.linspace(0, 10_000, 401), [], 100, 4), LOAD, FILE)
    assert found.verdict is Verdict.PASS
    assert found.details == {
        "requests": 401,
        "failed": 0,
        "p50_ms": 5000,
        "p99_ms": pytest.approx(9900),
        "rate": 100.25,
        "asked": 100,
    }


def test_no_failure_of_n_says_how_seldom_failures_are() -> None:
    """0 of 300 leaves at most 1 % (the rule of three, 95 %), and a share that 300 requests would show nine times in ten."""
    found = rates.load(Answers(np.ones(300), [], 75, 4), LOAD, FILE)
    assert found.interval is not None
    assert found.interval[1] == pytest.approx(3 / 300, rel=0.01)
    share = found.smallest_detectable_effect
    assert share is not None
    assert (1 - share) ** 300 == pytest.approx(0.1)
