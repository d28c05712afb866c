"""The processes that make mutants: by surgery first, then by training. They tell of each one that is there."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fledge.gates.process import environment
from tests.zoo.record import Mutant

Made = Mapping[str, threading.Event]


@contextmanager
def making(mutants: Sequence[Mutant], house: Path) -> Iterator[Made]:
    """Make them in the background; an event for each id says that it is there, or that nobody is at work any more."""
    made = {one.id: threading.Event() for one in mutants}
    ids = {one.folder: one.id for one in mutants}
    stop, running = threading.Event(), list[subprocess.Popen[str]]()

    def work() -> None:
        with (house / "making.log").open("w") as log:
            for command in _commands(mutants, house):
                if stop.is_set():
                    break
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment())
                running.append(process)
                with process:
                    assert process.stdout
                    for folder in process.stdout:
                        if folder.strip() in ids:
                            made[ids[folder.strip()]].set()
        for event in made.values():
            event.set()

    for one in mutants:
        shutil.rmtree(house / one.folder, ignore_errors=True)  # what an earlier run left is not this one's
        if one.refusal:
            made[one.id].set()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield made
    finally:
        stop.set()
        for process in running:
            process.terminate()
        worker.join()


def _commands(mutants: Sequence[Mutant], house: Path) -> Iterator[list[str]]:
    kinds = {
        "making": [one.id for one in mutants if one.edits and not one.retrained],
        "retraining": [one.id for one in mutants if one.retrained],
    }
    for module, ids in kinds.items():
        if ids:
            yield [sys.executable, "-m", f"tests.zoo.{module}", str(house), *ids]
