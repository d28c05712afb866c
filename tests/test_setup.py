"""Setting up: a Python that does not fit is one line, before anything is installed."""

import subprocess

import pytest

from scripts import setup
from tests.conftest import ROOT


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_a_python_that_does_not_fit_is_one_line(version: tuple[int, int]) -> None:
    """Too old and too new are both told what is expected and how to choose another."""
    found = ".".join(map(str, version))
    line = setup.unfit(version)
    assert line == f"setup: found Python {found}, expected 3.11 to 3.13 (make setup PYTHON=python3.13)"


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_the_supported_pythons_fit(version: tuple[int, int]) -> None:
    """3.11, 3.12 and 3.13 are let through."""
    assert setup.unfit(version) is None


def test_make_stops_at_a_python_that_is_missing() -> None:
    """`make setup` with an interpreter that is not there fails without touching the environment."""
    done = subprocess.run(
        ["make", "--always-make", "setup", "PYTHON=python-that-is-not-there"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "python-that-is-not-there" in done.stderr
