"""The judge's counts from Prometheus, which scrapes the model servers: in a cluster, whose gateway keeps no such counter.

What is counted (TensorFlow Serving's own names): a bad request is one in `request_count` with a status but OK, as the
Envoy source counts every 4xx and 5xx; a good one is one in `request_latency_count` with a name of the API. Not
`request_count{status="OK"}`: a readiness probe adds to it each second, and an idle canary would soon look clean. A REST
call for status or metadata that fails has no label that tells it apart, and counts as bad.

What only the gateway sees is not counted: no healthy pod, a reset, a timeout, a prediction that hangs. The guardrail
reads the same counters and sees none of it either. A pod that crashes or fails its probe leaves the Service; one whose
predictions hang while its metadata answers is seen by nobody. If all of them hang there is no request, so no pass.

What is asked for are raw counters: `increase()` and `rate()` miss the first error of a status that had no series before.
A series that appears later is counted from 0, one that does not exist is 0, one that falls started again from 0.

Each pod is scraped at an offset of its own, so at any moment the counters of one side are up to an interval older than
the other's, by enough failures to abort a good canary or to pass a bad one where there is much traffic. Therefore a
weight's counts begin one interval after the first look with that weight, when no pod's last scrape is older than the
weight, and all later looks ask for the state at a whole number of intervals after that: each pod's last scrape is then
as old as it was at the beginning, and both sides are counted for equally long. Looks in between see the same again.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp

from fledge.judge.counts import Totals
from fledge.judge.evalues import Counts, Judgement, judge
from fledge.judge.memory import FORGET, Canary, Memory

COUNT, LATENCY = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency_count"
POD_HASH = "rollouts_pod_template_hash"  # the pod's label, as a target label (docs/delivery.md)
LOOKBACK = "10m"  # a pod that was not scraped for a while, or is gone, keeps its last counts
SETTLE = 2.0  # s, for a scrape that has begun to be stored, and for clocks that do not quite agree

Labels = frozenset[tuple[str, str]]  # a series
Values = Mapping[Labels, int]  # raw counters


def query(who: Canary) -> str:
    """PromQL for every counter of both releases' pods. The names are Kubernetes', so nothing needs an escape."""
    pods = f'namespace="{who.environment}",{POD_HASH}=~"{who.stable}|{who.canary}",model_name="{who.model}"'
    ended = f"last_over_time({COUNT}{{{pods}}}[{LOOKBACK}])"
    answered = f'last_over_time({LATENCY}{{{pods},API!=""}}[{LOOKBACK}])'
    return f"{ended} or {answered}"


def values(answer: Any) -> dict[Labels, int]:
    """The counters in an answer of `/api/v1/query`. Raises aiohttp.ClientPayloadError with what is wrong with it."""
    try:
        if answer["status"] != "success":
            raise aiohttp.ClientPayloadError(f"{answer['errorType']}: {answer['error']}")
        if answer["data"]["resultType"] != "vector":
            raise aiohttp.ClientPayloadError(f"a {answer['data']['resultType']}, expected a vector")
        return {frozenset(one["metric"].items()): int(float(one["value"][1])) for one in answer["data"]["result"]}
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise aiohttp.ClientPayloadError(f"not an answer of Prometheus' HTTP API: {error!r}") from error


class Watch:
    """One canary as Prometheus shows it: which moment to ask about, what was counted, and what the judge remembers."""

    def __init__(self, who: Canary, interval: float) -> None:
        self._who, self._interval = who, interval
        self._memory = Memory()
        self._weight, self._begin, self._moment = 0, -math.inf, -math.inf  # s since the epoch
        self._seen: dict[Labels, int] = {}
        self._totals: Totals = {who.service(role): Counts() for role in ("canary", "stable")}
        self.looked = -math.inf
        self.lock = asyncio.Lock()  # an older answer that comes later would look like a restart

    def moment(self, weight: int, now: float) -> float:
        """The moment to ask about in a look at `now`, both in s since the epoch; never before an earlier one."""
        if weight != self._weight or self._unknown():
            self._weight, self._begin = weight, now + self._interval
        self.looked = now
        self._settled = now - SETTLE - self._begin
        whole = max(0, math.floor(self._settled / self._interval))
        self._moment = max(self._moment, min(now, self._begin + whole * self._interval))
        return self._moment

    def look(self, counters: Values, error_ratio: float) -> Judgement:
        """Judge by the counters at that moment."""
        for series, value in counters.items():
            self._count(series, value)
        self._memory.notice(dict(self._totals))
        if unknown := self._unknown():
            return _nothing(error_ratio, f"Prometheus knows no pod with {POD_HASH} {', '.join(unknown)}")
        if self._settled < 0:
            return _nothing(error_ratio, "the pods have not been scraped since this weight began")
        return self._memory.look(self._who, self._weight, error_ratio, self.looked)

    def _count(self, series: Labels, value: int) -> None:
        labels, last = dict(series), self._seen.get(series, 0)
        self._seen[series] = value
        risen = value - last if value >= last else value
        role = "canary" if labels[POD_HASH] == self._who.canary else "stable"
        self._totals[self._who.service(role)] += _counts(labels, risen)

    def _unknown(self) -> list[str]:
        """The hashes without a series. A pod that is ready has one, by its probe."""
        known = {dict(series)[POD_HASH] for series in self._seen}
        return [one for one in (self._who.stable, self._who.canary) if one not in known]


class Prometheus:
    """The Prometheus at `url`, which scrapes the models' pods each `interval` seconds."""

    name = "Prometheus"

    def __init__(self, url: str, interval: float) -> None:
        self.url, self._interval = url, interval
        self._watches: dict[Canary, Watch] = {}

    async def look(self, session: aiohttp.ClientSession, who: Canary, weight: int, error_ratio: float) -> Judgement:
        """Judge by the last whole interval. Raises aiohttp.ClientError or TimeoutError."""
        now = time.time()
        self._watches = {key: watch for key, watch in self._watches.items() if now - watch.looked <= FORGET}
        watch = self._watches.setdefault(who, Watch(who, self._interval))
        async with watch.lock:
            return watch.look(await self._read(session, who, watch.moment(weight, now)), error_ratio)

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Nothing: the counters belong to a ReplicaSet, and its canary begins where it is looked at first."""

    async def _read(self, session: aiohttp.ClientSession, who: Canary, moment: float) -> dict[Labels, int]:
        asked = {"query": query(who), "time": f"{moment:.3f}"}
        async with session.post(f"{self.url}/api/v1/query", data=asked) as answer:
            try:
                return values(await answer.json())
            except ValueError as error:
                raise aiohttp.ClientPayloadError(f"not JSON: {error}") from error


def _counts(labels: Mapping[str, str], requests: int) -> Counts:
    status = labels.get("status")
    if status is None:  # of request_latency: answered
        return Counts(requests, 0)
    return Counts() if status == "OK" else Counts(requests, requests)


def _nothing(error_ratio: float, reason: str) -> Judgement:
    return replace(judge([], error_ratio), reason=reason)
