"""What Envoy has counted of each backend: requests that ended, and how many of them badly.

The gateway counts a prediction once, when it ends, in `fledge.requests` with these labels (fledge/rehearsal/gateway.py):
backend `<namespace>_<service>_<port>`, code (HTTP status, 0 if the client went away before an answer), grpc (status
number, empty for REST) and flags (Envoy's response flags; `-` if nothing disturbed the request).
"""

import re
from collections import defaultdict
from collections.abc import Mapping

import aiohttp

from fledge.judge.evalues import Counts

Totals = dict[str, Counts]  # by "<namespace>_<service>", REST and gRPC summed

_LINE = re.compile(
    r'^envoy_fledge_requests\{backend="(.*)_[^_"]*",code="(\d+)",grpc="(\d*)",flags="(.*)"\} (\d+)$', re.MULTILINE
)


def bad(code: int, grpc: str, flags: str) -> bool:
    """Whether a request ended badly: no answer that its client can use.

    A 4xx is bad too, as every gRPC status but OK is: TensorFlow Serving answers 400 / INVALID_ARGUMENT when a graph
    fails on a row. The clients' own mistakes are shared out by the weights and so say nothing against a canary.
    Resets, timeouts, connection failures and clients that gave up leave a flag.
    """
    return not 200 <= code < 400 or grpc not in ("", "0") or flags != "-"


def totals(exposition: str) -> Totals:
    """Sum Envoy's `/stats/prometheus` text by Service."""
    found: defaultdict[str, Counts] = defaultdict(Counts)
    for service, code, grpc, flags, count in _LINE.findall(exposition):
        found[service] += Counts(int(count), int(count) if bad(int(code), grpc, flags) else 0)
    return dict(found)


def monotone(before: Mapping[str, Counts], seen: Mapping[str, Counts], now: Mapping[str, Counts]) -> Totals:
    """Go on counting: `before` plus what came since `seen`. Counters that fell started again from 0 (a new Envoy)."""

    def since(service: str) -> Counts:
        last, new = seen.get(service, Counts()), now.get(service, Counts())
        again = new.requests < last.requests or new.bad < last.bad
        return new if again else new - last

    return {service: before.get(service, Counts()) + since(service) for service in {*before, *now}}


async def read(session: aiohttp.ClientSession, envoy: str) -> Totals:
    """Ask Envoy's admin interface at the URL `envoy`. Raises aiohttp.ClientError or TimeoutError."""
    async with session.get(f"{envoy}/stats/prometheus", params={"filter": "^fledge"}) as answer:
        answer.raise_for_status()
        return totals(await answer.text())
