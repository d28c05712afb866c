"""Say on stderr how far a transfer is, once it takes longer than a moment: a bar where there is a terminal, else lines.

How many files there are is known, how many bytes is not: DVC's listing has no sizes.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

AFTER, EVERY = 2.0, 5.0  # s without a word; s between two lines


@dataclass
class Meter:
    """What was done so far. Any thread may add."""

    what: str
    files: int
    made: int = 0
    size: int = 0  # bytes
    began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, size: int = 0, files: int = 0) -> None:
        with self._lock:
            self.size += size
            self.made += files

    @property
    def line(self) -> str:
        seconds = time.monotonic() - self.began
        return f"{self.what}: {self.made} of {self.files} files, {self.size / 1e6:.1f} MB, {seconds:.0f} s"


@contextlib.contextmanager
def metered(what: str, files: int) -> Iterator[Meter]:
    """A meter for `files` files, of which nothing is said if the block ends within AFTER seconds."""
    meter, done = Meter(what, files), threading.Event()
    teller = threading.Thread(target=_tell, args=(meter, done), daemon=True)
    teller.start()
    try:
        yield meter
    finally:
        done.set()
        teller.join()


def _tell(meter: Meter, done: threading.Event) -> None:
    if done.wait(AFTER):
        return
    if sys.stderr.isatty():
        _bar(meter, done)
        return
    while True:
        print(meter.line, file=sys.stderr, flush=True)
        if done.wait(EVERY):
            return


def _bar(meter: Meter, done: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn()]
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task(meter.line, total=meter.files)
        while not done.wait(0.2):
            bar.update(task, description=meter.line, completed=meter.made)
