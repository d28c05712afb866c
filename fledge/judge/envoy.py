"""The judge's counts from Envoy: one gateway whose own configuration keeps `fledge.requests`, as in a rehearsal.

Envoy's counters belong to Services and are older than any canary, so the judge samples them between looks.
"""

import asyncio
import logging
import time

import aiohttp

from fledge.judge import counts
from fledge.judge.evalues import Judgement
from fledge.judge.memory import PERIOD, Canary, Memory

LOG = logging.getLogger(__name__)


class Envoy:
    """The Envoy whose admin interface is at `url`, sampled each `period` seconds."""

    name = "Envoy"

    def __init__(self, url: str, period: float = PERIOD) -> None:
        self.url, self._period, self._memory = url, period, Memory()

    async def look(self, session: aiohttp.ClientSession, who: Canary, weight: int, error_ratio: float) -> Judgement:
        """Judge by what Envoy says now. Raises aiohttp.ClientError or TimeoutError."""
        self._memory.notice(await counts.read(session, self.url))
        return self._memory.look(who, weight, error_ratio, time.monotonic())

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Sample until cancelled."""
        while True:
            try:
                self._memory.sample(await counts.read(session, self.url))
            except (aiohttp.ClientError, TimeoutError):
                pass  # the next look says so
            except Exception:  # a judge without samples would go on with less than it should know
                LOG.exception("judge: found no counters in Envoy's answer, expected them (%s)", self.url)
            await asyncio.sleep(self._period)
