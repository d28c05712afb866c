"""Threads that ask at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fledge.measuring import crowd, footprint
from tests.measuring.test_footprint import INPUTS

THREADS = 3


def test_the_threads_are_inside_the_call_at_the_same_time() -> None:
    """A call that returns only when three threads are in it returns, as often as each of them makes it."""
    meeting, met = threading.Barrier(THREADS, timeout=10), []

    def call() -> None:
        meeting.wait()
        met.append(threading.get_ident())

    with ThreadPoolExecutor(THREADS) as pool:
        crowd.at_once(call, THREADS, 2, pool)()
    assert sorted(map(met.count, set(met))) == [2] * THREADS


def test_what_a_thread_raises_is_raised() -> None:
    """An answer that fails is not counted as a fast one."""

    def call() -> None:
        raise ValueError("refused")

    with ThreadPoolExecutor(THREADS) as pool, pytest.raises(ValueError, match="refused"):
        crowd.at_once(call, THREADS, 1, pool)()


def test_every_artifact_is_timed_in_every_round(zoo: Path) -> None:
    """The other process answers with a column of times for each artifact and one for a thread alone, enough for blocks."""
    request = footprint.request("serving_default", INPUTS)
    times, block = crowd.asked([zoo / "good", zoo / "champion"], [request, request], 2)
    assert times.shape[1] == 3
    assert (times > 0).all()
    assert len(times) >= 2 * block
