"""`python -m fledge.judge --port=8080 --envoy=http://127.0.0.1:19000`: serve verdicts until told to stop.

In a cluster `--prometheus=http://prometheus.monitoring.svc:9090` instead of `--envoy`.
"""

import argparse
import math
from collections.abc import Sequence

import uvicorn

from fledge.judge.envoy import Envoy
from fledge.judge.prometheus import Prometheus
from fledge.judge.service import app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; returns when SIGTERM or SIGINT has come and open answers are sent."""
    parser = argparse.ArgumentParser(prog="python -m fledge.judge", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--envoy", type=_url, help="URL of Envoy's admin interface")
    source.add_argument("--prometheus", type=_url, help="URL of the Prometheus that scrapes the models' pods")
    parser.add_argument("--scrape-interval", type=_interval, default=15.0, help="of those pods, in seconds")
    given = parser.parse_args(argv)
    counts = Envoy(given.envoy) if given.envoy else Prometheus(given.prometheus, given.scrape_interval)
    uvicorn.run(
        app(counts),
        host=given.host,
        port=given.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    return 0


def _url(text: str) -> str:
    return text.rstrip("/")


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ValueError(text)
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
