"""What a long verb says while it works: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINES = 20  # how often it speaks where no bar can be drawn


@contextmanager
def counted(what: str, total: int) -> Generator[Callable[[], None]]:
    """Gives a function to call after each of `total` things; says what, how many of them, how long it took and will take."""
    if sys.stdout.isatty():
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(
            *columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=Console()
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return
    began, done = time.monotonic(), 0

    def said() -> None:
        nonlocal done
        done += 1
        if done * LINES // total > (done - 1) * LINES // total:
            took = time.monotonic() - began
            print(f"{time.strftime('%H:%M:%S')} {line(what, done, total, took)}", flush=True)

    yield said


def line(what: str, done: int, total: int, seconds: float) -> str:
    """One plain line of progress."""
    left = seconds / done * (total - done)
    return f"{what}: {done} of {total}, {seconds / 60:.1f} min, about {left / 60:.1f} min left"
