"""What the judge remembers: where a canary's counts begin, and what belongs to which step."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.judge.counts import Totals, monotone
from fledge.judge.evalues import Counts
from fledge.judge.memory import FORGET, STILL, Canary, Memory

WHO = Canary("production", "m", "aaa", "bbb")


def totals(canary: tuple[int, int], stable: tuple[int, int] = (0, 0)) -> Totals:
    return {"production_m-canary": Counts(*canary), "production_m-stable": Counts(*stable)}


def remembering(*samples: Totals) -> Memory:
    memory = Memory()
    for sample in samples:
        memory.sample(sample)
    return memory


def looking(*samples: Totals, weight: int = 5) -> Memory:
    """A memory with these samples that was asked once about WHO."""
    memory = remembering(*samples)
    memory.look(WHO, weight, 0.01, at=0)
    return memory


def traffic(seconds: int, canary: float, stable: float, bad: bool = False, after: Totals | None = None) -> list[Totals]:
    """A sample a second of traffic at these steady rates (requests a second), the canary's good or all bad."""
    first = after or totals((0, 0))
    samples = []
    for second in range(1, seconds + 1):
        new = int(second * canary)
        risen = totals((new, new if bad else 0), (int(second * stable), 0))
        samples.append({service: first[service] + risen[service] for service in first})
    return samples


def test_earlier_canaries_do_not_count() -> None:
    """Failures that the canary's Service counted before this canary are not held against it."""
    memory = remembering(totals((900, 300)), totals((900, 300), (STILL, 0)))
    memory.notice(totals((910, 300), (STILL + 50, 1)))
    assert memory.look(WHO, 5, 0.01, at=0).canary == Counts(10, 0)


def test_requests_before_the_first_look_count() -> None:
    """What reached the canary between the weight's change and the first look counts, however many seconds that took.

    Their share is unknown: they are no evidence for or against a share.
    """
    still = [totals((7, 7)), totals((7, 7), (STILL, 0))]
    memory = remembering(*still, totals((20, 9), (STILL + 250, 0)), totals((31, 12), (STILL + 460, 0)))
    memory.notice(totals((40, 15), (STILL + 650, 0)))
    found = memory.look(WHO, 5, 0.01, at=0)
    assert (found.canary, found.stable, found.e_worse) == (Counts(33, 8), Counts(), 1)


@pytest.mark.parametrize("rate", [0.1, 0.25, 1, 3, 20])
@pytest.mark.parametrize("stood", [0, 5])
def test_slow_traffic_loses_nothing(rate: float, stood: int) -> None:
    """At any rate every early failure of a canary counts, also when nothing came in the last seconds before the look."""
    stable = rate * 19  # a canary with 5 % of the requests
    earlier = traffic(60, rate * 5, rate * 15)
    nobody = traffic(180, 0, rate * 20, after=earlier[-1])
    failing = traffic(60, rate, stable, bad=True, after=nobody[-1])
    quiet = stood * failing[-1:]
    memory = remembering(*earlier, *nobody, *failing, *quiet)
    assert memory.look(WHO, 5, 0.01, at=0).canary == Counts(int(60 * rate), int(60 * rate))


@pytest.mark.parametrize("rate", [0.02, 0.25, 1, 3, 20])
@pytest.mark.parametrize("between", [0, 5, 60])
def test_what_an_earlier_canary_did_last_is_not_counted(rate: float, between: int) -> None:
    """What an earlier canary answered after its last look, however slowly, never makes a failing one look clean."""
    memory = looking(*traffic(60, rate, rate * 19))
    left_alone = traffic(300, rate, rate * 19, after=totals((int(60 * rate), 0), (int(60 * rate * 19), 0)))
    nobody = traffic(between, 0, rate * 20, after=left_alone[-1])
    last = [*left_alone, *nobody][-1]
    for sample in [*left_alone, *nobody]:
        memory.sample(sample)
    memory.notice({service: counted + Counts(1, 1) for service, counted in last.items()})
    newer = Canary("production", "m", "aaa", "ccc")
    assert memory.look(newer, 5, 0.01, at=361 + between).canary in (Counts(), Counts(1, 1))


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
    memory = looking(totals((0, 0)))
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
    memory = looking(totals((0, 0)))
    memory.notice(totals((400, 0), (7600, 0)))
    assert memory.look(WHO, 5, 0.01, at=0).verdict == "pass"
    assert memory.look(WHO, 25, 0.01, at=1).verdict == "inconclusive"
    memory.notice(totals((401, 0), (7603, 0)))
    assert memory.look(WHO, 25, 0.01, at=2).verdict == "pass"


@pytest.mark.parametrize(("weight", "at"), [(5, 10), (25, 10 + FORGET + 1)])
def test_a_new_run_of_the_same_canary(weight: int, at: float) -> None:
    """When the weight falls, or after a long silence, the same pair is judged afresh."""
    memory = looking(totals((0, 0)), weight=25)
    memory.notice(totals((100, 50), (300, 0)))
    assert memory.look(WHO, 25, 0.01, at=10).verdict == "fail"
    memory.sample(totals((100, 50), (900, 0)))
    memory.sample(totals((100, 50), (900 + STILL, 0)))
    memory.notice(totals((101, 50), (920 + STILL, 0)))
    found = memory.look(WHO, weight, 0.01, at=at)
    assert (found.canary, found.stable, found.verdict) == (Counts(1, 0), Counts(), "inconclusive")


def test_canaries_are_told_apart() -> None:
    """Another canary hash, model or environment has evidence of its own."""
    memory = looking(totals((0, 0)), weight=25)
    memory.notice(totals((100, 50)))
    assert memory.look(WHO, 25, 0.01, at=0).verdict == "fail"
    memory.sample(totals((100, 50)))
    memory.sample(totals((100, 50), (STILL, 0)))
    assert memory.look(Canary("production", "m", "aaa", "ccc"), 5, 0.01, at=1).canary == Counts()
    assert memory.look(Canary("staging", "m", "aaa", "bbb"), 5, 0.01, at=1).canary == Counts()


def test_a_new_envoy() -> None:
    """When Envoy starts again its counters fall to 0; what was counted before stays, what comes after is added."""
    memory = looking(totals((10, 1)), totals((10, 1)))
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
