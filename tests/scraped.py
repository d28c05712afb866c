"""A Prometheus that scrapes when told to, and answers the instant queries of the judge by the rules of the HTTP API.

Sources: prometheus.io/docs, "HTTP API" (instant queries, envelope, codes of errors) and "Querying basics": a label
without a value is no label, a matcher matches whole values, a range is open on the left. It parses with Prometheus' own
grammar, evaluates `or` of `last_over_time` of a selector, and refuses every other expression.
"""

import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import promql_parser
from aiohttp import web
from promql_parser import BinaryExpr, Call, MatrixSelector

from fledge.series import REQUEST_COUNT, REQUEST_LATENCY
from fledge.serving.metrics import Metrics

Labels = frozenset[tuple[str, str]]
_SAMPLE = re.compile(r"^([^#\s{]+)\{(.*)\} (\S+)$", re.MULTILINE)


class Server:
    """The metrics of one model server: a page as the stand-in prints it, counted as its REST and gRPC calls count."""

    def __init__(self, pod: str, pod_hash: str, model: str = "m", namespace: str = "production") -> None:
        self._model, self._metrics = model, Metrics()
        address = {"namespace": namespace, "pod": pod, "instance": f"{pod}:8501", "job": "models"}
        self.target = address | ({"rollouts_pod_template_hash": pod_hash} if pod_hash else {})

    def probed(self, times: int = 1) -> None:
        """The kubelet's readiness probe, a REST call for metadata."""
        self._answered(times, "", "REST")

    def predicted(self, times: int = 1) -> None:
        """Predictions that were answered, half of them by gRPC."""
        self._answered(times - times // 2, "predict", "REST")
        self._answered(times // 2, "Predict", "GRPC")

    def failed(self, times: int = 1, status: str = "INTERNAL") -> None:
        """Predictions that ended with this status."""
        if times:
            self._metrics.count(REQUEST_COUNT, times, model_name=self._model, status=status)

    def restarted(self) -> None:
        """The container ended and is back, in the same pod."""
        self._metrics = Metrics()

    def page(self) -> str:
        """What is scraped."""
        return self._metrics.text()

    def _answered(self, times: int, api: str, entrypoint: str) -> None:
        for _ in range(times):
            self._metrics.count(REQUEST_COUNT, model_name=self._model, status="OK")
            self._metrics.observe(REQUEST_LATENCY, 900.0, model_name=self._model, API=api, entrypoint=entrypoint)


@dataclass
class Scraped:
    """All samples by series, oldest first; `asked` are the (method, query, time) of the calls."""

    samples: dict[Labels, list[tuple[float, float]]] = field(default_factory=dict)
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    url: str = ""

    def scrape(self, at: float, *servers: Server) -> None:
        """Scrape these servers at this moment, in seconds since the epoch."""
        for server in servers:
            for name, labels, value in _SAMPLE.findall(server.page()):
                own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
                kept = {key: text for key, text in (own | server.target | {"__name__": name}).items() if text}
                self.samples.setdefault(frozenset(kept.items()), []).append((at, float(value)))

    def instant(self, query: str, at: float) -> dict[Labels, float]:
        """The vector of this query at this moment. Raises ValueError for what is no PromQL, LookupError for what is not known here."""
        return self._evaluated(promql_parser.parse(query), at)

    def answer(self, method: str, given: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body of a call of /api/v1/query."""
        try:
            at = float(given["time"])
            self.asked.append((method, given["query"], at))
            found = self.instant(given["query"], at)
        except (KeyError, ValueError) as error:
            return 400, {"status": "error", "errorType": "bad_data", "error": f"invalid parameter: {error}"}
        except LookupError as error:
            return 422, {"status": "error", "errorType": "execution", "error": str(error)}
        result = [{"metric": dict(series), "value": [at, f"{value:.17g}"]} for series, value in found.items()]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}

    def _evaluated(self, part: Any, at: float) -> dict[Labels, float]:
        if isinstance(part, BinaryExpr) and str(part.op) == "or" and not str(part.modifier):
            left = self._evaluated(part.lhs, at)
            alike = {_unnamed(series) for series in left}
            right = self._evaluated(part.rhs, at).items()
            return left | {series: value for series, value in right if _unnamed(series) not in alike}
        if isinstance(part, Call) and part.func.name == "last_over_time" and isinstance(part.args[0], MatrixSelector):
            selector = part.args[0]
            return self._last(selector.vector_selector, at, selector.range.total_seconds())
        raise LookupError(f"{part} is not known here")

    def _last(self, selector: Any, at: float, window: float) -> dict[Labels, float]:
        found = {}
        for series, samples in self.samples.items():
            newest = bisect_right(samples, at, key=lambda sample: sample[0]) - 1
            if _matches(selector, dict(series)) and newest >= 0 and samples[newest][0] > at - window:
                found[series] = samples[newest][1]
        return found


def _unnamed(series: Labels) -> Labels:
    return frozenset(pair for pair in series if pair[0] != "__name__")


def _matches(selector: Any, labels: Mapping[str, str]) -> bool:
    return labels["__name__"] == selector.name and all(
        _matched(str(one.op).rpartition(".")[2], labels.get(one.name, ""), one.value)
        for one in selector.matchers.matchers
    )


def _matched(how: str, found: str, expected: str) -> bool:
    equal = found == expected if how.endswith("Equal") else bool(re.fullmatch(expected, found))
    return equal != how.startswith("Not")


@asynccontextmanager
async def serving(scraped: Scraped) -> AsyncIterator[Scraped]:
    """The same over HTTP, at `scraped.url`."""

    async def query(request: web.Request) -> web.Response:
        given = request.query if request.method == "GET" else await request.post()
        status, body = scraped.answer(request.method, {key: str(value) for key, value in given.items()})
        return web.json_response(body, status=status)

    application = web.Application()
    application.router.add_get("/api/v1/query", query)
    application.router.add_post("/api/v1/query", query)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        scraped.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield scraped
    finally:
        await runner.cleanup()
