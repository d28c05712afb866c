"""`python -m fledge.judge --port=8080 --envoy=http://127.0.0.1:19000`: serve verdicts until told to stop."""

import argparse
from collections.abc import Sequence

import uvicorn

from fledge.judge.service import app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; returns when SIGTERM or SIGINT has come and open answers are sent."""
    parser = argparse.ArgumentParser(prog="python -m fledge.judge", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--envoy", required=True, help="URL of Envoy's admin interface")
    arguments = parser.parse_args(argv)
    uvicorn.run(
        app(arguments.envoy.rstrip("/")),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
