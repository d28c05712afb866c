"""Replay: every row becomes a request, every request a line of the log, at the rate that was asked for."""

import asyncio
import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from fledge.artifact import bare
from fledge.client import replay
from fledge.problems import Problem
from fledge.rehearsal.gateway import Gateway
from tests.upstreams import HOSTS, SERVICES, Pod, endpoints, routes

# isort: split
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

INPUTS = {"x": types_pb2.DT_FLOAT, "n": types_pb2.DT_INT64, "s": types_pb2.DT_STRING}


class Twice:
    """A model `m`, version 7: `y` is twice `x`. Remembers the rows that it saw, by API."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, method: str, body: bytes) -> bytes:
        if method == "GetModelMetadata":
            return self.metadata()
        if method == "REST":
            rows = json.loads(body)["instances"]
            self.seen.append(("rest", rows[0]))
            return json.dumps({"predictions": [2 * row["x"] for row in rows]}).encode()
        request = predict_pb2.PredictRequest.FromString(body)
        inputs = {name: bare.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        self.seen.append(("grpc", {name: values[0] for name, values in inputs.items()}))
        answer = predict_pb2.PredictResponse()
        answer.model_spec.version.value = 7
        answer.outputs["y"].CopyFrom(bare.make_tensor_proto(2 * inputs["x"]))
        return answer.SerializeToString()

    def metadata(self) -> bytes:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        for name, dtype in INPUTS.items():
            signature.inputs[name].dtype = dtype
        signature.outputs["y"].dtype = types_pb2.DT_FLOAT
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.version.value = 7
        answer.metadata["signature_def"].Pack(signatures)
        return answer.SerializeToString()


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Three rows; the second lacks a number and a string."""
    return parquet(tmp_path / "rows.parquet", x=[1.0, None, 3.0], n=[1, 2, 3], s=["a", None, "c"], label=[0, 1, 0])


@asynccontextmanager
async def served(folder: Path, model: Callable[[str, bytes], bytes]) -> AsyncIterator[Gateway]:
    gateway = Gateway()
    await gateway.start(folder / "envoy")
    try:
        async with Pod("m", model=model) as pod:
            await gateway.apply(routes(100, 0), SERVICES, endpoints(stable=pod))
            yield gateway
    finally:
        await gateway.stop()


async def started(rows: Path, address: tuple[str, int], *more: str) -> asyncio.subprocess.Process:
    """`python -m fledge.client.replay`, as a pod would run it."""
    command = [sys.executable, "-m", "fledge.client.replay", "--rows", str(rows), "--model", "m"]
    command += ["--address", "{}:{}".format(*address), "--rest-host", HOSTS["rest"], "--grpc-host", HOSTS["grpc"]]
    return await asyncio.create_subprocess_exec(
        *command, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


def read(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_rows_arrive_as_they_are(tmp_path: Path, rows: Path) -> None:
    """Each row reaches the model whole by either API: dtypes of the signature, NaN and "" for what is missing."""
    model = Twice()

    async def story() -> None:
        async with served(tmp_path, model) as gateway:
            process = await started(rows, gateway.address, "--rate", "50", "--seconds", "1")
            assert await asyncio.wait_for(process.wait(), 60) == 0

    asyncio.run(story())
    for api, text in (("rest", str), ("grpc", bytes.decode)):
        seen = [row for by, row in model.seen if by == api]
        assert {(int(row["n"]), float(row["x"]), text(row["s"])) for row in seen if row["n"] != 2} == {
            (1, 1.0, "a"),
            (3, 3.0, "c"),
        }
        second = next(row for row in seen if row["n"] == 2)
        assert np.isnan(second["x"])
        assert text(second["s"]) == ""


def test_every_request_is_logged_once(tmp_path: Path, rows: Path) -> None:
    """The log holds a line for each request that was sent, half of them gRPC with the version; SIGTERM ends it in order."""
    model, log = Twice(), tmp_path / "log.jsonl"

    async def story() -> str:
        async with served(tmp_path, model) as gateway:
            process = await started(rows, gateway.address, "--rate", "200", "--log", str(log))
            async with asyncio.timeout(60):
                while len(read(log)) < 100:  # while it runs: lines are not kept back
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0
            return output.decode()

    output = asyncio.run(story())
    lines = read(log)
    assert len(lines) == len(model.seen)
    assert Counter(line["api"] for line in lines) == Counter(api for api, _ in model.seen)
    assert abs(sum(1 if line["api"] == "grpc" else -1 for line in lines)) <= 1
    assert {(line["api"], line["ok"], line["status"], line["version"]) for line in lines} == {
        ("grpc", True, "OK", 7),
        ("rest", True, "200", None),
    }
    assert re.fullmatch(
        rf"replay: sent {len(lines)}, failed 0, grpc \d+ \(p50 [\d.]+ ms\), rest \d+ \(p50 [\d.]+ ms\)\n", output
    )


def test_failures_are_logged_with_their_status(tmp_path: Path, rows: Path) -> None:
    """A backend that has gone is 503 and UNAVAILABLE in the log, each request once; the exit code stays 0."""
    log = tmp_path / "log.jsonl"

    async def story() -> str:
        async with served(tmp_path, Twice()) as gateway:
            process = await started(rows, gateway.address, "--rate", "100", "--log", str(log))
            async with asyncio.timeout(60):
                while not read(log):
                    await asyncio.sleep(0.02)
                await gateway.apply(routes(100, 0), SERVICES, {})
                while sum(not line["ok"] for line in read(log)) < 20:
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0
            return output.decode()

    output = asyncio.run(story())
    lines = read(log)
    failed = [line for line in lines if not line["ok"]]
    assert {(line["api"], line["status"], line["version"]) for line in failed} == {
        ("rest", "503", None),
        ("grpc", "UNAVAILABLE", None),
    }
    assert f"sent {len(lines)}, failed {len(failed)}" in output


def test_rate_and_cost(tmp_path: Path, rows: Path) -> None:
    """At 150 requests a second the rate is kept, and sending costs less than half of one core."""
    log, rate, seconds = tmp_path / "log.jsonl", 150, 6

    async def story() -> float:
        async with served(tmp_path, Twice()) as gateway:
            process = await started(rows, gateway.address, "--rate", str(rate), "--log", str(log))
            async with asyncio.timeout(60):
                while not read(log):
                    await asyncio.sleep(0.02)
                stat = Path(f"/proc/{process.pid}/stat")
                before, began = _cpu(stat), time.monotonic()
                await asyncio.sleep(seconds)
                used = (_cpu(stat) - before) / (time.monotonic() - began)
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), 30)
            return used

    used = asyncio.run(story())
    times = [line["t"] for line in read(log)]
    assert len(times) / (times[-1] - times[0]) == pytest.approx(rate, rel=0.1)
    assert used < 0.5, f"{used:.2f} of a core"


def _cpu(stat: Path) -> float:
    """Seconds of CPU that a process has used (proc(5), utime and stime in ticks)."""
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_ends_with_the_verdict(tmp_path: Path, rows: Path) -> None:
    """With --until it goes on while the judge is away or undecided, and ends with exit code 0 at its verdict."""
    verdicts = iter([None, "inconclusive", "pass"])

    async def verdict(_: web.Request) -> web.Response:
        found = next(verdicts)
        return web.json_response({"verdict": found}) if found else web.json_response({"error": "away"}, status=503)

    async def story() -> None:
        judge = web.Application()
        judge.router.add_get("/v1/verdict", verdict)
        runner = web.AppRunner(judge)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/verdict?model=m"
        async with served(tmp_path, Twice()) as gateway:
            process = await started(rows, gateway.address, "--until", url)
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        await runner.cleanup()
        assert process.returncode == 0
        assert b"failed 0" in output
        assert list(verdicts) == []

    asyncio.run(story())


def test_a_question_that_the_judge_refuses(tmp_path: Path, rows: Path) -> None:
    """A 400 of the judge ends it with exit code 1 and the judge's own line."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": "judge: weight is 0"}, status=400)

    async def story() -> None:
        judge = web.Application()
        judge.router.add_get("/v1/verdict", refuse)
        runner = web.AppRunner(judge)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with served(tmp_path, Twice()) as gateway:
            process = await started(
                rows, gateway.address, "--until", f"http://127.0.0.1:{runner.addresses[0][1]}/v1/verdict"
            )
            _, errors = await asyncio.wait_for(process.communicate(), 60)
        await runner.cleanup()
        assert process.returncode == 1
        assert errors.decode() == "replay: judge: weight is 0, expected a question that the judge takes (--until)\n"

    asyncio.run(story())


def test_absent_column_and_file(tmp_path: Path, rows: Path) -> None:
    """A file that is not there and a column that is absent are a line each."""
    with pytest.raises(Problem) as problem:
        replay.columns([tmp_path / "none.parquet", rows], {"x": np.dtype("float32"), "z": np.dtype("float32")})
    assert [line.split(",")[0] for line in problem.value.lines] == [
        f"replay: {tmp_path / 'none.parquet'} is not there",
        f"replay: {rows} has no column z",
    ]


def test_missing_integer(tmp_path: Path) -> None:
    """An integer cannot be missing: there is no value that stands for it."""
    file = parquet(tmp_path / "rows.parquet", n=[1, None])
    with pytest.raises(Problem, match="n has 1 missing values, expected none in int64"):
        replay.columns([file], {"n": np.dtype("int64")})
