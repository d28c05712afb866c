"""What the judge remembers: where a canary's counts begin, and what belongs to which step."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.judge.counts import Totals, monotone
from fledge.judge.evalues import Counts
from fledge.judge.memory import FORGET, Canary, Memory

WHO = Canary("production", "m", "aaa", "bbb")


def totals(canary: tuple[int, int], stable: tuple[int, int] = (0, 0)) -> Totals:
    return {"production_m-canary": Counts(*canary), "production_m-stable": Counts(*stable)}


def remembering(*samples: Totals) -> Memory:
    memory = Memory()
    for sample in samples:
        memory.sample(sample)
    return memory


def test_earlier_canaries_do_not_count() -> None:
    """Failures that the canary's Service counted before this canary are not held against it."""
    memory = remembering(totals((900, 300)), totals((900, 300)))
    memory.notice(totals((910, 300), (50, 1)))
    found = memory.look(WHO, 5, 0.01, at=0)
    assert (found.canary, found.stable) == (Counts(10, 0), Counts(50, 1))


def test_requests_before_the_first_look_count() -> None:
    """What reached the canary between the weight's change and the first look counts, however many seconds that took."""
    memory = remembering(*[totals((7, 7)), totals((7, 7)), totals((20, 9)), totals((31, 12))])
    memory.notice(totals((40, 15)))
    assert memory.look(WHO, 5, 0.01, at=0).canary == Counts(33, 8)


def test_first_canary_of_a_new_gateway() -> None:
    """Where Envoy has counted nothing at all yet, everything that it counts afterwards is this canary's."""
    memory = remembering({}, {})
    memory.notice(totals((3, 1), (60, 0)))
    assert memory.look(WHO, 5, 0.01, at=0).canary == Counts(3, 1)


def test_judge_that_has_just_started() -> None:
    """Without samples the first look is the beginning: unknown counters are nobody's evidence."""
    memory = Memory()
    memory.notice(totals((900, 300)))
    found = memory.look(WHO, 5, 0.01, at=0)
    assert (found.canary, found.verdict) == (Counts(), "inconclusive")


def test_between_two_weights() -> None:
    """What ended between two weights counts for E_clean, but for no E-value of shares; the stable's not at all."""
    memory = remembering(totals((0, 0)), totals((0, 0)))
    memory.notice(totals((100, 0), (1900, 0)))
    memory.look(WHO, 5, 0.01, at=0)
    memory.notice(totals((140, 3), (2500, 0)))  # at which share?
    assert memory.look(WHO, 25, 0.01, at=10).verdict == "inconclusive"
    memory.notice(totals((150, 3), (2530, 0)))
    found = memory.look(WHO, 25, 0.01, at=20)
    assert (found.canary, found.stable) == (Counts(150, 3), Counts(1930, 0))
    assert found.e_worse == 1


def test_evidence_goes_on_at_the_next_weight() -> None:
    """A canary that was clean at 5 % needs only a first request at 25 % to pass there."""
    memory = remembering(totals((0, 0)), totals((0, 0)))
    memory.notice(totals((400, 0), (7600, 0)))
    assert memory.look(WHO, 5, 0.01, at=0).verdict == "pass"
    assert memory.look(WHO, 25, 0.01, at=1).verdict == "inconclusive"
    memory.notice(totals((401, 0), (7603, 0)))
    assert memory.look(WHO, 25, 0.01, at=2).verdict == "pass"


@pytest.mark.parametrize(("weight", "at"), [(5, 10), (25, 10 + FORGET + 1)])
def test_a_new_run_of_the_same_canary(weight: int, at: float) -> None:
    """When the weight falls, or after a long silence, the same pair is judged afresh."""
    memory = remembering(totals((0, 0)), totals((0, 0)))
    memory.notice(totals((100, 50), (300, 0)))
    assert memory.look(WHO, 25, 0.01, at=10).verdict == "fail"
    memory.sample(totals((100, 50), (900, 0)))
    memory.sample(totals((100, 50), (900, 0)))
    memory.notice(totals((101, 50), (920, 0)))
    found = memory.look(WHO, weight, 0.01, at=at)
    assert (found.canary, found.stable) == (Counts(1, 0), Counts(20, 0))


def test_canaries_are_told_apart() -> None:
    """Another canary hash, model or environment has evidence of its own."""
    memory = remembering(totals((0, 0)), totals((0, 0)))
    memory.notice(totals((100, 50)))
    assert memory.look(WHO, 25, 0.01, at=0).verdict == "fail"
    memory.sample(totals((100, 50)))
    memory.sample(totals((100, 50)))
    assert memory.look(Canary("production", "m", "aaa", "ccc"), 5, 0.01, at=1).canary == Counts()
    assert memory.look(Canary("staging", "m", "aaa", "bbb"), 5, 0.01, at=1).canary == Counts()


def test_a_new_envoy() -> None:
    """When Envoy starts again its counters fall to 0; what was counted before stays, what comes after is added."""
    memory = remembering(totals((10, 1)), totals((10, 1)))
    memory.notice(totals((30, 4), (500, 2)))
    memory.look(WHO, 5, 0.01, at=0)
    memory.notice(totals((6, 2), (100, 0)))
    found = memory.look(WHO, 5, 0.01, at=10)
    assert (found.canary, found.stable) == (Counts(26, 5), Counts(600, 2))


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_counting_on_never_falls(seen: Sequence[int]) -> None:
    """Whatever Envoy says, the judge's own counters never fall, and rise by what Envoy's rose by."""
    before, last = totals((0, 0)), totals((0, 0))
    for count in seen:
        now = totals((count, count))
        after = monotone(before, last, now)
        risen = (after["production_m-canary"] - before["production_m-canary"]).requests
        previous = last["production_m-canary"].requests
        assert risen == (count - previous if count >= previous else count)
        before, last = after, now
