"""What the latency gate says of times that need no clock: each verdict, by its reason."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from scipy.stats import norm

from fledge.checks import latency
from fledge.checks.latency import Budget, Ratio, Tail
from fledge.evidence import Verdict
from fledge.gates import limits
from fledge.problems import Problem
from fledge.stats import Array
from fledge.stats.timing import Sample
from tests.tiny.owner import limits as limits_of

FILE = "params.yaml"
RATIO = Ratio(batch=32, block_above=1.05, pass_below=1.10, inconclusive="warn")
TAIL = Tail(slack=1.10, alpha=0.001)


def rounds(candidate: Array, champion: Array) -> Sample:
    """Rounds of two calls."""
    return Sample(np.stack([candidate, champion], axis=1))


def spread(middle: float, width: float, rounds: int) -> Array:
    """Times (rounds,) in blocks of 25 that spread around `middle` as a lognormal, exactly."""
    quantiles = norm.ppf((np.arange(rounds // 25) + 0.5) / (rounds // 25))
    return np.repeat(middle * np.exp(width * quantiles), 25)


def test_what_many_rounds_cannot_tell_is_inconclusive() -> None:
    """The rounds are doubled three times, and then the verdict is INCONCLUSIVE: a warning where params.yaml says so."""
    looked = []

    def samples() -> Iterator[Sample]:
        for count in (1000, 2000, 4000, 8000):
            looked.append(count)
            yield rounds(spread(1.075, 0.6, count), np.ones(count))

    found = latency.ratio(samples(), RATIO, FILE)
    assert (found.verdict, found.n, looked) == (Verdict.INCONCLUSIVE, 8000, [1000, 2000, 4000, 8000])
    assert re.search("between .* and .* after 8,000 rounds, expected a narrower interval", found.reason)
    assert found.remedy == "measure again on a quieter machine"
    assert not found.blocks
    assert replace(found, inconclusive="block").blocks


def test_the_first_rounds_that_tell_are_enough() -> None:
    """A clear answer ends the measurement: faster and slower candidates are told by the first thousand rounds."""
    for factor, verdict, reason in [
        (1.0, Verdict.PASS, "1.000 times the champion's latency, between 1.000 and 1.000"),
        (1.2, Verdict.BLOCK, "1.200 times the champion's latency, between 1.200 and 1.200, expected at most 1.05"),
    ]:
        found = latency.ratio(iter([rounds(np.full(1000, factor), np.ones(1000))]), RATIO, FILE)
        assert (found.verdict, found.n, found.reason) == (verdict, 1000, reason)


def test_the_ratio_of_every_block_is_kept_in_order_of_time() -> None:
    """A candidate that becomes slower and slower shows it block by block."""
    found = latency.ratio([rounds(np.repeat([1.0, 1.1, 1.2, 1.3], 25), np.ones(100))], RATIO, FILE)
    assert found.details == {"blocks": [1.0, 1.1, 1.2, 1.3]}


def test_a_refused_ratio_says_what_to_do() -> None:
    """The remedy of a block names file and key of the limit."""
    found = latency.ratio([rounds(np.full(100, 2.0), np.ones(100))], RATIO, FILE)
    assert found.remedy == "make the model cheaper, or move params.yaml: gates.latency.ratio.block_above"
    assert (found.estimate, found.margin) == (2.0, 1.05)
    # Rounds without any spread see whatever is above the limit.
    assert found.smallest_detectable_effect == pytest.approx(1.05)


def test_a_ratio_that_passes_is_held_against_what_it_passes_below() -> None:
    """Shown below 1.10 is a pass though it lies above 1.05: the margin is the one that was kept."""
    found = latency.ratio([rounds(np.full(1000, 1.06), np.ones(1000))], RATIO, FILE)
    assert (found.verdict, found.margin) == ("BLOCK", 1.05)
    found = latency.ratio([rounds(np.full(1000, 1.04), np.ones(1000))], RATIO, FILE)
    assert (found.verdict, found.margin) == ("PASS", 1.10)


@pytest.mark.parametrize(("low", "high", "verdict"), [(1, 2, "PASS"), (11, 12, "BLOCK"), (5, 15, "INCONCLUSIVE")])
def test_the_budget_is_about_half_of_the_calls(low: float, high: float, verdict: str) -> None:
    """A median whose interval is under the budget passes, over it blocks, around it is inconclusive."""
    times = np.repeat([low, high], 500) + np.linspace(0, 0.1, 1000)
    found = latency.budget(Sample(1e6 * times[:, None]), Budget(batch=32, p50_ms=10), FILE)
    assert found.verdict == verdict
    assert re.fullmatch(r"half of the calls take over \d+\.\d\d ms, expected 10 ms", found.reason)
    assert (found.remedy == "") == (verdict == "PASS")


def test_calls_that_are_slow_now_and_then_are_refused() -> None:
    """A candidate of which every tenth call takes twice as long blocks, though its median is the champion's."""
    random = np.random.default_rng(0)
    theirs, ours = random.lognormal(0, 0.05, 1000), random.lognormal(0, 0.05, 1000)
    assert latency.tail(rounds(ours, theirs), TAIL, FILE).verdict is Verdict.PASS
    ours[::10] *= 2
    assert latency.ratio([rounds(ours, theirs)], RATIO, FILE).verdict is Verdict.PASS
    found = latency.tail(rounds(ours, theirs), TAIL, FILE)
    assert found.verdict is Verdict.BLOCK
    assert re.search(
        r"^10\.\d% of calls are slower than 1.1 times the champion's p95, of the champion's 5.0% than that p95; in \d+ "
        r"rounds only the candidate was slow, in \d+ only the champion, p .*, expected at least 0.001$",
        found.reason,
    ), found.reason
    assert found.remedy.endswith("or move params.yaml: gates.latency.tail")
    assert found.interval is not None
    assert found.interval[0] > 0


def test_a_candidate_that_is_a_little_slower_throughout_has_no_tail() -> None:
    """A median that is 5 % slower is the ratio's business: the tail counts from `slack` times the champion's p95."""
    random = np.random.default_rng(1)
    theirs, ours = random.lognormal(0, 0.02, 1000), 1.05 * random.lognormal(0, 0.02, 1000)
    assert latency.tail(rounds(ours, theirs), TAIL, FILE).verdict is Verdict.PASS
    assert latency.tail(rounds(ours, theirs), Tail(slack=1.0, alpha=0.001), FILE).verdict is Verdict.BLOCK


WRONG = {
    "batch": ({"batch": 0}, "found 0, expected greater than 0 \\(.*: gates.latency.ratio.batch\\)"),
    "order": ({"block_above": 1.2}, "expected block_above to be at most pass_below \\(.*: gates.latency.ratio\\)"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_limits_that_could_never_tell_are_refused(tmp_path: Path, wrong: str) -> None:
    """A batch of nothing, or limits between which everything is a warning, are refused by file and key."""
    change, reason = WRONG[wrong]
    content = limits_of()
    content["latency"]["ratio"] |= change
    YAML().dump({"gates": content}, tmp_path / "params.yaml")
    with pytest.raises(Problem, match=reason):
        limits.load(tmp_path / "params.yaml").of("latency", "ratio", Ratio)
