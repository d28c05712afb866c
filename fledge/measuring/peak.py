"""Ask a served model as often as its users do at their peak, and more: open loop, by gRPC, one row at a time."""

import asyncio
import io
import json

import numpy as np

from fledge.checks.rates import Answers
from fledge.client.client import Client, Inputs
from fledge.client.replay import Log, replay


def asked(address: str, name: str, rows: Inputs, rate: float, seconds: float) -> Answers:
    """What the model `name` at "host:port" answers to `rate` requests a second for `seconds`.

    A request is sent when it is due, whether or not the one before has been answered; what a machine cannot send in
    time it leaves out. Returns when all that were sent are answered or given up.
    """
    log = io.StringIO()
    asyncio.run(_sent(address, name, rows, rate, seconds, Log(log)))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = [line["status"] for line in lines if not line["ok"]]
    return Answers(np.array([line["ms"] for line in lines]), failed, rate, seconds)


async def _sent(address: str, name: str, rows: Inputs, rate: float, seconds: float, log: Log) -> None:
    stop = asyncio.Event()
    async with Client(address, address, address, name) as client:
        await client.grpc({column: values[:1] for column, values in rows.items()})  # opens the connection
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await replay(client, rows, rate, 1.0, log, stop)
