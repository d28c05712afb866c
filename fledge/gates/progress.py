"""How far a run of the gates is: a pytest plugin that writes a line for each step to a pipe, and the reader of it.

The lines are `total N`, `start ID`, `end ID` and `left ID`, of which an ID is pytest's: file::test[case].
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Step:
    """A check that begins, or is made: so many of `total` were made before it or with it, `seconds` after the start."""

    gate: str
    check: str
    made: int
    total: int
    seconds: float
    ended: bool


Tell = Callable[[Step], None]


@dataclass
class Seen:
    """What was read: the checks that were left out, as "gate.check" (another task's, or a comparison with nothing)."""

    left: set[str] = field(default_factory=set)


def read(lines: Iterable[str], tell: Tell | None = None) -> Seen:
    """Tell each step as its line comes, until the lines end."""
    seen, made, total, start = Seen(), 0, 0, time.monotonic()
    for line in lines:
        what, _, value = line.strip().partition(" ")
        if what == "total":
            total = int(value)
        elif what == "left":
            seen.left.add(".".join(_named(value)))
        else:
            made += what == "end"
            if tell:
                tell(Step(*_named(value), made, total, time.monotonic() - start, what == "end"))
    return seen


def _named(test: str) -> tuple[str, str]:
    """Gate and check of a test's ID; the check is what the case is called, where there is one."""
    file, _, name = test.partition("::")
    check = name.partition("[")[2].removesuffix("]") or name.removeprefix("test_")
    return Path(file).stem.removeprefix("test_"), check


class Writer:
    """The plugin: a line to the pipe for each of pytest's events."""

    def __init__(self, pipe: int) -> None:
        os.set_inheritable(pipe, False)  # a process that a gate starts must not keep the reader waiting
        self.stream = os.fdopen(pipe, "w", buffering=1)

    def pytest_deselected(self, items: "list[pytest.Item]") -> None:
        for item in items:
            self.stream.write(f"left {item.nodeid}\n")

    def pytest_collection_finish(self, session: "pytest.Session") -> None:
        self.stream.write(f"total {len(session.items)}\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.stream.write(f"start {nodeid}\n")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.stream.write(f"end {nodeid}\n")


def pytest_addoption(parser: "pytest.Parser") -> None:
    parser.addoption("--steps", type=int, metavar="FD", help="an open file descriptor to write steps to")


def pytest_configure(config: "pytest.Config") -> None:
    pipe = config.getoption("--steps")
    if pipe is not None:
        config.pluginmanager.register(Writer(pipe))
