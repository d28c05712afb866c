"""A user's mistake: what was found, what was expected, and where to change it."""

import functools
import sys
from collections.abc import Callable, Sequence

Main = Callable[..., int]


class Problem(Exception):
    """One or more lines for the person who must act, each `who: found, expected (file: key)`."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


def reported(main: Main) -> Main:
    """Wrap a `main` so that a Problem becomes its lines on stderr and exit code 1, without a traceback."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except Problem as problem:
            print(*problem.lines, sep="\n", file=sys.stderr)
            return 1

    return wrapped
