"""Calls timed in interleaved rounds, with clocks that tell what they are told."""

from itertools import islice

import numpy as np
import pytest

from fledge.measuring import rounds
from fledge.measuring.rounds import Plan


class Stopwatch:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0

    def call(self, nanoseconds: int) -> rounds.Call:
        """A call that takes so long."""

        def take() -> None:
            self.now += nanoseconds

        return take


def test_every_call_has_its_own_time() -> None:
    """What the clock says between begin and end of a call is noted in that call's column, whatever the order."""
    clock = Stopwatch()
    sample = next(rounds.looks([clock.call(30), clock.call(20), clock.call(10)], lambda: clock.now))
    assert (sample.times == [30, 20, 10]).all()


def test_each_look_doubles_the_rounds_and_keeps_the_earlier_ones() -> None:
    """There are four looks, at 1, 2, 4 and 8 times the rounds; what was seen is not measured again."""
    clock, made = Stopwatch(), []
    found = list(rounds.looks([clock.call(1), lambda: made.append(1)], lambda: clock.now))
    first = len(found[0].times)
    assert [len(sample.times) for sample in found] == [first, 2 * first, 4 * first, 8 * first]
    assert len(made) == rounds.WARM_UP + 8 * first
    assert {sample.block for sample in found} == {first // rounds.BLOCKS}


def test_calls_are_made_in_rounds_of_random_order() -> None:
    """After the warm-up each round makes every call once, now this one first, now that."""
    made: list[int] = []
    sample = next(rounds.looks([lambda: made.append(0), lambda: made.append(1)]))
    counted = np.reshape(made[2 * rounds.WARM_UP :], (len(sample.times), 2))
    assert (counted.sum(axis=1) == 1).all()
    half, noise = len(counted) / 2, np.sqrt(len(counted)) / 2
    assert abs(counted[:, 0].sum() - half) < 5 * noise


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0.1, Plan(1000, 25)), (1, Plan(1000, 25)), (4, Plan(480, 12)), (50, Plan(40, 1)), (1000, Plan(40, 1))],
)
def test_slow_calls_are_made_less_often(milliseconds: float, expected: Plan) -> None:
    """All looks of 8 x 480 rounds of 4 ms take 16 s; there are forty blocks however slow, and never over 25 rounds in one."""
    assert rounds.plan(milliseconds / 1000, 16) == expected


def test_looks_are_made_only_when_asked_for() -> None:
    """Nothing is measured beyond the look that was taken."""
    made: list[int] = []
    (sample,) = islice(rounds.looks([lambda: made.append(0)]), 1)
    assert len(made) == rounds.WARM_UP + len(sample.times)
