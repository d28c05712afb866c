"""A user's mistake is its lines; whoever stops reading is told nothing."""

import os
import subprocess
import sys

import pytest

VERB = """
from fledge.problems import Problem, reported

@reported
def main(argv=None):
    print("a line\\n" * {lines})
    {end}

raise SystemExit(main())
"""


def run(lines: int, end: str, stdout: int) -> tuple[int, str]:
    """Exit code of a verb that prints so much and ends so, and what it says on stderr."""
    code = VERB.format(lines=lines, end=end)
    done = subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("lines", [1, 100_000], ids=["all at the end", "more than a pipe holds"])
def test_a_reader_who_goes_early_is_told_nothing(lines: int) -> None:
    """Where nobody reads its output any more a verb ends without a traceback, with exit code 1."""
    read, write = os.pipe()
    os.close(read)
    try:
        assert run(lines, "return 0", write) == (1, "")
    finally:
        os.close(write)


def test_a_problem_is_its_lines() -> None:
    """All lines of a Problem on stderr, exit code 1; where all is well the code is the verb's own."""
    assert run(1, "raise Problem('a: b, expected c (d)', 'e: f')", subprocess.DEVNULL) == (
        1,
        "a: b, expected c (d)\ne: f\n",
    )
    assert run(1, "return 0", subprocess.DEVNULL) == (0, "")
