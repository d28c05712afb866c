"""A running judge for tests, and a question that it takes."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

QUERY = {
    "environment": "production",
    "model": "m",
    "stable": "aaa",
    "canary": "bbb",
    "weight": "5",
    "error-ratio": "0.01",
}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def judged(*words: str) -> AsyncIterator[Callable[..., Awaitable[dict[str, Any]]]]:
    """A judge with these words of its command, in a process of its own as in a pod; `ask(weight="25")` is its answer."""
    port = _free_port()
    command = [sys.executable, "-m", "fledge.judge", f"--port={port}", *words]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with aiohttp.ClientSession() as session:

            async def healthy() -> bool:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        return answer.ok
                except aiohttp.ClientError:
                    return False

            async with asyncio.timeout(30):
                while not await healthy():
                    await asyncio.sleep(0.05)

            async def ask(**query: str) -> dict[str, Any]:
                async with session.get(f"http://127.0.0.1:{port}/v1/verdict", params=QUERY | query) as answer:
                    return {"status": answer.status, **(await answer.json())}

            yield ask
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) in (0, -signal.SIGTERM)
