"""What an artifact costs a process that does nothing else: the time to load it and to answer first, and memory.

As a program, `python -m fledge.measuring.footprint DIR < request.json`, it is that process. It loads as `fledge.serving` does,
warm-up included, so that an artifact without a warm-up file shows a slow first answer.
"""

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fledge.problems import Problem

STATUS = Path("/proc/self/status")
FIRST = 32  # rows of the first request
LONGEST_S = 120  # a process: an import of TensorFlow, a load and some seconds of calls, on a busy machine
CALLS = 20  # with all rows: what an allocator keeps has then been seen


class Footprint(NamedTuple):
    """`ready_ms`: from the beginning of loading to the first answer; `first_ms`: that answer alone; `memory_mb`: MiB."""

    ready_ms: float
    first_ms: float
    memory_mb: float


def taken(path: Path, signature: str, inputs: Mapping[str, Any]) -> Footprint:
    """The footprint of the artifact in a folder, by a new process that answers `inputs` (arrays (n,)).

    Raises Problem where that process ends without.
    """
    return Footprint(**asked("fledge.measuring.footprint", [path], request(signature, inputs)))


def request(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays as JSON can carry them."""
    return {
        "signature": signature,
        "inputs": {name: values.tolist() for name, values in inputs.items()},
        "dtypes": {name: values.dtype.name for name, values in inputs.items()},
    }


def arrays(content: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a request."""
    return {name: np.array(values, content["dtypes"][name]) for name, values in content["inputs"].items()}


def asked(program: str, paths: Sequence[Path], content: Any) -> dict[str, Any]:
    """What a new process of a module says to JSON, in JSON. Raises Problem with its last line where it fails or hangs."""
    command, names = [sys.executable, "-m", program, *map(str, paths)], " and ".join(path.name for path in paths)
    who = f"{names}: a fresh process"
    try:
        done = subprocess.run(command, input=json.dumps(content), capture_output=True, text=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        raise Problem(f"{who} ran for {LONGEST_S} s, expected answers") from None
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise Problem(f"{who} ended with {done.returncode} and said {said!r}, expected answers")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measured(path: Path, content: Mapping[str, Any]) -> Footprint:
    """The footprint in this process, which must be a fresh one: of what has been loaded before, pages are shared."""
    from fledge.artifact.savedmodel import Model  # here: whoever asks for a footprint needs no TensorFlow
    from fledge.flags import parse
    from fledge.serving.loading import loader
    from fledge.serving.metrics import Metrics
    from fledge.serving.predict import executor

    # One thread: with more, how many of them get a heap of their own is luck.
    flags, _, _ = parse(["--tensorflow_session_parallelism=1", "--max_num_load_retries=0"])
    metrics, inputs = Metrics(), arrays(content)
    before = _resident()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "1"
        version.symlink_to(path.resolve())
        begun = time.perf_counter()
        model = loader(flags, executor(Model.run, metrics), metrics)("model", version)
    loaded = time.perf_counter()
    model.run(content["signature"], {name: values[:FIRST] for name, values in inputs.items()})
    answered = time.perf_counter()
    for _ in range(CALLS):
        model.run(content["signature"], inputs)
    return Footprint(1e3 * (answered - begun), 1e3 * (answered - loaded), _peak() - before)


def _resident() -> float:
    """Memory of this process in MiB, from which `_peak` counts anew."""
    gc.collect()
    if STATUS.is_file():
        Path("/proc/self/clear_refs").write_text("5")
        return _kept("VmRSS")
    return _peak()


def _peak() -> float:
    if STATUS.is_file():
        return _kept("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def _kept(key: str) -> float:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) / 1024


def main(argv: Sequence[str]) -> int:
    print(json.dumps(measured(Path(argv[0]), json.load(sys.stdin))._asdict()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
