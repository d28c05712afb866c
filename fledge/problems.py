"""A user's mistake: what was found, what was expected, and where to change it."""

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
Main = Callable[..., int]


class Problem(Exception):
    """One or more lines for the person who must act, each `who: found, expected (file: key)`."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = "\n".join(lines).splitlines()  # however it was split when it came from another process


def reported(main: Main) -> Main:
    """Wrap a `main` so that a Problem becomes its lines on stderr and exit code 1, without a traceback.

    Whoever reads its output may go before its end, as `head` does: that ends it without a word.
    """

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            code = main(argv)
            sys.stdout.flush()
        except Problem as problem:
            print(*problem.lines, sep="\n", file=sys.stderr)
            return 1
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the very end
            return 1
        return code

    return wrapped


def caught(act: Callable[[Given], Made], given: Given) -> Made | Problem:
    """What `act` makes of it, or why it does not: the others' problems are then told in the same run."""
    try:
        return act(given)
    except Problem as problem:
        return problem


def every(made: Iterable[Made | Problem]) -> list[Made]:
    """All that was made. Raises one Problem with the lines of all that were not."""
    found = list(made)
    if lines := [line for one in found if isinstance(one, Problem) for line in one.lines]:
        raise Problem(*dict.fromkeys(lines))
    return [one for one in found if not isinstance(one, Problem)]
