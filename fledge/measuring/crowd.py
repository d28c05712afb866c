"""How fast artifacts answer many threads at once: a lock inside a graph shows here and nowhere else.

As a program, `python -m fledge.measuring.crowd DIR DIR < request.json`, it is the process that asks: TensorFlow makes its pool of
threads once per process, and the gates' own has a pool of one.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fledge.measuring import footprint, rounds
from fledge.measuring.rounds import Call
from fledge.stats.timing import Sample

CALLS = 4  # of each thread in a round: starting threads is not what is timed
CALLER = -1  # each call in the thread that makes it: a graph that is answered by many threads could hide its lock
SECONDS = 24.0  # of all looks; only the first is made, an eighth of them


def asked(paths: Sequence[Path], requests: Sequence[Mapping[str, Any]], threads: int) -> Sample:
    """Nanoseconds for the same number of answers: (rounds, artifacts + 1), by a new process.

    Of each artifact to `threads` threads at once, and in the last column of the last artifact to one thread alone: the
    two differ by what this machine gives to threads. `requests` are those of `footprint.request`, one for each artifact.
    Raises Problem where that process fails.
    """
    found = footprint.asked("fledge.measuring.crowd", paths, {"threads": threads, "requests": requests})
    return Sample(np.array(found["times"]), found["block"])


def at_once(call: Call, threads: int, calls: int, pool: ThreadPoolExecutor) -> Call:
    """A call that makes `call` so many times in each of `threads` threads of a pool. It raises what they raise."""

    def work() -> None:
        for _ in range(calls):
            call()

    def all_of_them() -> None:
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()

    return all_of_them


def measured(paths: Sequence[Path], content: Mapping[str, Any]) -> Sample:
    """The times of rounds in this process, which must be a fresh one: its pool of threads is made here."""
    from fledge.artifact import savedmodel  # here: whoever asks needs no TensorFlow

    threads, calls = content["threads"], []
    for path, asks in zip(paths, content["requests"], strict=True):
        # Bound: of threads that bring their inputs along, Python lets one at a time do so, and hides any lock.
        bound = asks["signature"], footprint.arrays(asks)
        model = savedmodel.load(path, inter_op_threads=CALLER, bound=bound)
        calls.append(partial(model.run, asks["signature"], {}))
    with ThreadPoolExecutor(threads) as pool:
        crowds = [at_once(call, threads, CALLS, pool) for call in calls]
        alone = at_once(calls[-1], 1, threads * CALLS, pool)
        (sample,) = islice(rounds.looks([*crowds, alone], seconds=SECONDS), 1)
    return sample


def main(argv: Sequence[str]) -> int:
    times, block = measured([Path(name) for name in argv], json.load(sys.stdin))
    print(json.dumps({"times": times.tolist(), "block": block}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
