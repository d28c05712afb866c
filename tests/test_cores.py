"""Many things on all cores: in order, told, and ended by the first problem."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fledge import cores
from fledge.problems import Problem
from tests.conftest import ROOT


def doubled(number: int) -> tuple[int, int]:
    """Twice the number, and which process said so."""
    return 2 * number, os.getpid()


def odd(number: int) -> int:
    """Raises Problem for an even number."""
    if number % 2 == 0:
        raise Problem(f"{number}: is even", f"{number}: expected odd")
    return number


def test_many_are_made_by_other_processes_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes is as what was given, and stderr has ten lines, the last of all."""
    made = list(cores.each(doubled, range(40), "doubled"))
    assert [one for one, _ in made] == list(range(0, 80, 2))
    assert os.getpid() not in {process for _, process in made}
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"doubled: {count} of 40" for count in range(4, 41, 4)]


def test_few_are_made_here(capsys: pytest.CaptureFixture[str]) -> None:
    """No process starts for what is done before it could begin, and nobody is told."""
    made = list(cores.each(doubled, range(cores.FEW), "doubled"))
    assert {process for _, process in made} == {os.getpid()}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("count", [2, 40])
def test_a_problem_comes_back_whole(count: int) -> None:
    """All its lines, from another process too."""
    with pytest.raises(Problem, match=r"^0: is even\n0: expected odd$"):
        list(cores.each(odd, range(count), "odd"))


def test_nothing_is_nothing() -> None:
    """No things, no results, no division by their number."""
    assert list(cores.each(doubled, [], "doubled")) == []
    assert list(cores.told(iter([]), 0, "doubled")) == []


def test_nothing_outlives_who_asked() -> None:
    """Where the first process is killed in the middle the others end by themselves."""
    code = "from fledge import cores; from tests import test_cores; print(*cores.each(test_cores.slow, range(40), 'x'))"
    begun = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert begun.stderr
    assert begun.stderr.readline() == "x: 4 of 40\n"
    begun.kill()
    # They hold this end of the pipe: it closes when the last of them is gone.
    assert "x: 40 of 40\n" not in list(begun.stderr)
    assert begun.wait() == -signal.SIGKILL


def slow(number: int) -> int:
    """Waits, so that not all are made before anybody is killed."""
    time.sleep(0.2)
    return number
