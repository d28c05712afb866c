"""Send rows of past data as requests, at a steady rate, by REST and by gRPC; log every answer.

Open loop: a request is sent when it is due, not when the one before has been answered, so that a slow server is seen as
its users see it. Rows begin again when they run out. It ends after `--seconds`, when the judge at `--until` says pass or
fail, or on SIGTERM or SIGINT; what is under way is waited for. Exit code 0 whatever the answers were: the judge judges.
"""

import argparse
import asyncio
import itertools
import json
import signal
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fledge.client.client import Answer, Client, Inputs, Signature
from fledge.problems import Problem, reported

UNDER_WAY = 256  # requests at once; beyond it the loop waits: the server is down, not slow
WAIT = 120.0  # s for the model to answer for the first time
LOOK = 1.0  # s between questions to the judge


def columns(files: Sequence[Path], inputs: dict[str, np.dtype[Any]]) -> Inputs:
    """The inputs' columns of all files, shape (rows,), in the signature's dtypes.

    A missing value is NaN in a float and "" in a string. Raises Problem, a line for each file that is not there, column
    that is absent, and missing value that a dtype cannot hold.
    """
    lines, tables = [], []
    for file in files:
        if not file.is_file():
            lines.append(f"replay: {file} is not there, expected a Parquet file (--rows)")
            continue
        absent = sorted(set(inputs) - set(pq.read_schema(file).names))
        lines += [f"replay: {file} has no column {name}, expected the model's inputs (--rows)" for name in absent]
        if not absent:
            tables.append(pq.read_table(file, columns=list(inputs)))
    if lines:
        raise Problem(*lines)
    table = pa.concat_tables(tables, promote_options="permissive")
    if not table.num_rows:
        raise Problem("replay: found no row, expected some (--rows)")
    return {name: _column(name, table[name], dtype) for name, dtype in inputs.items()}


def _column(name: str, column: pa.ChunkedArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == object:
        return np.array(["" if value is None else value for value in column.to_pylist()], dtype=object)
    if column.null_count and dtype.kind != "f":
        raise Problem(f"replay: {name} has {column.null_count} missing values, expected none in {dtype} (--rows)")
    return np.asarray(column.to_numpy()).astype(dtype)


class Log:
    """Counts every answer, and writes it to a file if there is one."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._ms: defaultdict[str, list[float]] = defaultdict(list)
        self._failed = 0

    def add(self, api: str, answer: Answer, ms: float) -> None:
        """Note an answer that has just come."""
        self._ms[api].append(ms)
        self._failed += not answer.ok
        if self._file:
            line = {"t": round(time.time(), 6), "api": api, "ok": answer.ok, "status": answer.status}
            print(json.dumps(line | {"version": answer.version, "ms": round(ms, 3)}), file=self._file)

    def summary(self) -> str:
        """Everything in one line."""
        parts = [f"{api} {len(ms)} (p50 {statistics.median(ms):.1f} ms)" for api, ms in sorted(self._ms.items())]
        return f"replay: sent {sum(map(len, self._ms.values()))}, failed {self._failed}" + "".join(
            f", {part}" for part in parts
        )


async def replay(client: Client, rows: Inputs, rate: float, grpc_share: float, log: Log, stop: asyncio.Event) -> None:
    """Send until `stop` is set; returns when everything sent is answered and logged."""
    free = asyncio.Semaphore(UNDER_WAY)

    async def send(inputs: Inputs, api: str) -> None:
        try:
            began = time.perf_counter()
            answer = await (client.grpc if api == "grpc" else client.rest)(inputs, decode=False)
            log.add(api, answer, 1000 * (time.perf_counter() - began))
        finally:
            free.release()

    size = len(next(iter(rows.values())))
    async with asyncio.TaskGroup() as tasks:
        async for i in _due(rate, stop):
            await free.acquire()
            row = {name: values[i % size : i % size + 1] for name, values in rows.items()}
            # Evenly mixed: the running share of gRPC is always as near as it can be.
            api = "grpc" if int((i + 1) * grpc_share) > int(i * grpc_share) else "rest"
            tasks.create_task(send(row, api))


async def _due(rate: float, stop: asyncio.Event) -> AsyncIterator[int]:
    """0, 1, 2, … each when it is due; what was missed for longer than a moment is left out, not caught up with."""
    now = asyncio.get_running_loop().time
    due = now()
    for i in itertools.count():
        await _pause(stop, due - now())
        if stop.is_set():
            return
        yield i
        due = max(due + 1 / rate, now() - 0.1)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)


async def _described(client: Client, model: str, stop: asyncio.Event) -> Signature | None:
    """The model's signature as soon as it answers; None if told to stop first. Raises Problem after WAIT."""
    last = ""
    deadline = time.monotonic() + WAIT
    while not stop.is_set():
        try:
            return await client.signature()
        except grpc.aio.AioRpcError as error:
            last = f"{error.code().name}: {error.details()}"
        if time.monotonic() > deadline:
            raise Problem(f"replay: {model} does not answer within {WAIT:g} s, {last}, expected metadata (--address)")
        await _pause(stop, 0.2)
    return None


async def _judged(url: str, stop: asyncio.Event) -> None:
    """Set `stop` once the verdict is no longer inconclusive. A judge that is away is asked again."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while not stop.is_set():
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    found = await answer.json()
                    if answer.status == 400:
                        raise Problem(f"replay: {found['error']}, expected a question that the judge takes (--until)")
                    if answer.ok and found["verdict"] != "inconclusive":
                        stop.set()
            await _pause(stop, LOOK)


async def _main(options: argparse.Namespace, log: Log) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    async with Client(options.address, options.rest_host, options.grpc_host, options.model) as client:
        signature = await _described(client, options.model, stop)
        if signature is None:
            return
        rows = columns(options.rows, signature.inputs)
        sending = asyncio.create_task(replay(client, rows, options.rate, options.grpc_share, log, stop))
        sending.add_done_callback(lambda _: stop.set())
        if options.seconds:
            loop.call_later(options.seconds, stop.set)
        try:
            await (_judged(options.until, stop) if options.until else stop.wait())
        finally:
            stop.set()
            await sending


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Replay until told to stop; one line of summary on stdout."""
    parser = argparse.ArgumentParser(prog="python -m fledge.client.replay", description=__doc__)
    parser.add_argument("--rows", nargs="+", type=Path, required=True, help="Parquet files, one row per example")
    parser.add_argument("--model", required=True)
    parser.add_argument("--address", required=True, help="host:port of the gateway")
    parser.add_argument("--rest-host", required=True)
    parser.add_argument("--grpc-host", required=True)
    parser.add_argument("--rate", type=float, default=100.0, help="requests per second")
    parser.add_argument("--grpc-share", type=float, default=0.5)
    parser.add_argument("--log", type=Path, help="JSON lines, one for each answer, appended")
    parser.add_argument("--until", help="URL of the judge: stop when the verdict is no longer inconclusive")
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args(argv)
    if options.rate <= 0 or not 0 <= options.grpc_share <= 1:
        raise Problem("replay: found a rate or share out of range, expected --rate > 0 and 0 <= --grpc-share <= 1")
    with ExitStack() as stack:
        # Line by line: whoever reads the log while it grows sees every answer at once.
        file = stack.enter_context(options.log.open("a", buffering=1)) if options.log else None
        log = Log(file)
        try:
            asyncio.run(_main(options, log))
        finally:
            print(log.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
