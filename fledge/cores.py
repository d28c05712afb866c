"""The same act on many things, on all cores, and how far it is."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Given = TypeVar("Given")
Made = TypeVar("Made")
FEW = 8  # are made here: a process that imports Fledge takes as long as it saves
LINES = 10  # told of the whole where there is no terminal


def each(act: Callable[[Given], Made], given: Sequence[Given], what: str) -> Iterator[Made]:
    """What `act` makes of each, in their order; a problem of one ends the others. Many are told on stderr as `what`.

    `act` is a function of a module, or a `partial` of one, because it goes to other processes.
    """
    if len(given) <= FEW:
        yield from map(act, given)
        return
    # spawn: a process that is forked while the bar's thread holds a lock would wait for ever.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _behave) as pool:
        try:
            yield from told(pool.map(act, given, chunksize=4), len(given), what)
        finally:
            pool.shutdown(cancel_futures=True)


def _behave() -> None:
    """In another process: Ctrl-C is answered by the first one alone, and where that is killed this one ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, daemon=True).start()


def _end_with() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def told(made: Iterator[Made], total: int, what: str) -> Iterator[Made]:
    """Pass on what comes, and say on stderr how far it is: a bar on a terminal, a line for each tenth elsewhere."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for count, one in enumerate(made, 1):
            if count * LINES // total > (count - 1) * LINES // total:
                print(f"{what}: {count} of {total}", file=sys.stderr, flush=True)
            yield one
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        for one in made:
            bar.advance(task)
            yield one
