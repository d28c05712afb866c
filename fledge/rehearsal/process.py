"""Child processes that never outlive the rehearsal."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}

# Loaded before any fork: between fork and exec nothing but prctl may be called.
_libc = ctypes.CDLL(None)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process' environment for a child, with bytecode caching on and TensorFlow quiet."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **QUIET, **(extra or {})}


async def start(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> asyncio.subprocess.Process:
    """Start `argv` in `cwd` (the repository's root), in a session of its own, its output appended to `log`.

    The kernel kills it when the calling thread ends, however that ends (prctl(2), PR_SET_PDEATHSIG);
    in its own session it does not see the terminal's Ctrl-C, so that whoever started it ends it in order.
    Raises OSError where the program does not exist.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=dies_with(os.getpid()),
        )


async def stop(process: asyncio.subprocess.Process, grace: float) -> None:
    """SIGTERM, `grace` seconds to go, then SIGKILL; returns when the process is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await process.wait()
    kill(process)
    await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """SIGKILL to the process and to whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def dies_with(parent: int) -> Callable[[], None]:
    """Return a `preexec_fn` that makes the child die with the calling thread of process `parent`."""

    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec
