"""Golden and edge requests: what is an answer as expected, and what is not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.client.golden import answers, check, read, version
from fledge.problems import Problem
from tests.client.test_replay import Twice, served
from tests.upstreams import HOSTS

RANGE = {"range": {"y": [0.0, 1.0]}}


@pytest.mark.parametrize(
    ("expect", "answer", "reason"),
    [
        (RANGE, {"y": np.array([0.0, 1.0])}, None),
        (RANGE, {"y": np.array([])}, None),
        (RANGE, {"y": np.array([0.5, 1.5])}, "found y [0.5, 1.5], expected 0 to 1"),
        (RANGE, {"y": np.array([np.nan])}, "found y [nan], expected 0 to 1"),
        (RANGE, {"z": np.array([0.5])}, "found no y, expected it in 0 to 1"),
        (RANGE, "UNAVAILABLE", "found UNAVAILABLE, expected an answer"),
        ({"error": "INVALID_ARGUMENT"}, "INVALID_ARGUMENT", None),
        ({"error": "INVALID_ARGUMENT"}, "400", None),
        ({"error": "INVALID_ARGUMENT"}, "503", "found 503, expected INVALID_ARGUMENT"),
        ({"error": "INVALID_ARGUMENT"}, {"y": np.array([0.5])}, "found an answer, expected INVALID_ARGUMENT"),
        ({"same_as": "a", "tolerance": 0.1}, {"y": np.array([0.55])}, None),
        ({"same_as": "a", "tolerance": 0.01}, {"y": np.array([0.55])}, "found y [0.55], expected [0.5] as a ± 0.01"),
        (
            {"same_as": "a", "tolerance": 0.1},
            {"y": np.array([0.5, 0.5])},
            "found y [0.5, 0.5], expected [0.5] as a ± 0.1",
        ),
        ({"same_as": "a", "tolerance": 0.1}, {"y": np.array([np.nan])}, "found y [nan], expected [0.5] as a ± 0.1"),
        (
            {"same_as": "b", "tolerance": 0.1},
            {"y": np.array([0.5])},
            "found no answer for b, expected an answer to compare with",
        ),
    ],
)
def test_check(expect: dict[str, Any], answer: Any, reason: str | None) -> None:
    """An answer is as expected, or there is one line that says what was found instead."""
    assert check(expect, answer, {"a": {"y": np.array([0.5])}}) == reason


def test_read(tmp_path: Path) -> None:
    """Requests come in the file's order; blank lines are none, and a line separator in a string ends no line."""
    file = tmp_path / "requests.jsonl"
    file.write_text('{"name": "a"}\n\n{"name": "b\u2028c"}\n', encoding="utf-8")
    assert read(file) == [{"name": "a"}, {"name": "b\u2028c"}]


@pytest.mark.parametrize(
    ("content", "reasons"),
    {
        "lines": (
            b'{"name": "a"}\nno request\n[1]\n',
            [
                "found no JSON (Expecting value: line 1 column 1 (char 0)), expected a request as a JSON object ({file}: line 2)",
                "found a JSON list, expected a request as a JSON object ({file}: line 3)",
            ],
        ),
        "empty": (b"\n", ["found no request, expected golden and edge requests ({file})"]),
        "bytes": (b"\xff", ["found UnicodeDecodeError("]),
        "absent": (None, ["found FileNotFoundError("]),
    }.values(),
    ids=["lines", "empty", "bytes", "absent"],
)
def test_read_refuses(tmp_path: Path, content: bytes | None, reasons: list[str]) -> None:
    """Each line that is no request is named with its number; so is a file that is absent, unreadable or empty."""
    file = tmp_path / "requests.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Problem) as problem:
        read(file)
    assert len(problem.value.lines) == len(reasons)
    for line, reason in zip(problem.value.lines, reasons, strict=True):
        assert line.startswith(f"{file}: {reason.format(file=file)}")


def test_both_ways_through_the_gateway(tmp_path: Path) -> None:
    """Every request goes by REST and by gRPC; only answers that are not as expected give a line, naming the way."""
    row = {"x": [0.25, 0.5], "n": [1, 2], "s": ["a", ""]}
    good = {"name": "good", "inputs": row, "expect": {"range": {"y": [0.5, 1.0]}}}
    same = {"name": "same", "inputs": row, "expect": {"same_as": "good", "tolerance": 0}}
    wrong = {"name": "wrong", "inputs": row, "expect": {"range": {"y": [0.0, 0.5]}}}

    async def story(requests: list[dict[str, Any]]) -> list[str]:
        async with served(tmp_path, Twice()) as gateway:
            where = ("{}:{}".format(*gateway.address), HOSTS["rest"], HOSTS["grpc"], "m")
            assert await asyncio.to_thread(version, where[0], where[2], where[3]) == 7
            return await asyncio.to_thread(answers, *where, requests)

    lines = asyncio.run(story([good, same, wrong]))
    assert lines == [
        f"m: wrong over {api}: found y [0.5, 1.0], expected 0 to 0.5 (models/m/requests.jsonl)"
        for api in ("rest", "grpc")
    ]


def test_edge_requests_reach_the_server(tmp_path: Path) -> None:
    """Absent and extra inputs, and values of another type, are sent as they are: the server is who refuses them."""
    model = Twice()
    strange = {"name": "strange", "inputs": {"x": [1.0], "more": [5]}, "expect": {"range": {"y": [2, 2]}}}

    async def story() -> list[str]:
        async with served(tmp_path, model) as gateway:
            address = "{}:{}".format(*gateway.address)
            return await asyncio.to_thread(answers, address, HOSTS["rest"], HOSTS["grpc"], "m", [strange])

    assert asyncio.run(story()) == []
    assert [(api, sorted(row)) for api, row in model.seen] == [("rest", ["more", "x"]), ("grpc", ["more", "x"])]


def test_a_model_that_does_not_answer() -> None:
    """Without a server there is a Problem that names the model, not a list of failures."""
    with pytest.raises(Problem, match=r"m: UNAVAILABLE: .*expected an answer from the gateway"):
        answers("127.0.0.1:1", "m", "m", "m", [json.loads('{"name": "a"}')])
