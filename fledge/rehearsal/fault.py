"""The server with a fault that no offline test can see: a share of its predictions fails with INTERNAL."""

import argparse
import random
from collections.abc import Callable, Sequence

from fledge.artifact.savedmodel import Model
from fledge.serving.__main__ import main as serve
from fledge.serving.errors import error
from fledge.serving.predict import Run


def failing(run: Run, share: float, draw: Callable[[], float] = random.random) -> Run:
    """Return `run`, but for a call where `draw` (uniform in [0, 1)) is below `share`: that raises INTERNAL."""

    def sometimes(model, signature, inputs, outputs, timeout_ms, /):  # type: ignore[no-untyped-def]
        if draw() < share:
            raise error("INTERNAL", "the fault switch of this rehearsal")
        return run(model, signature, inputs, outputs, timeout_ms)

    return sometimes


def main(argv: Sequence[str] | None = None) -> int:
    """Serve like `fledge.serving` with the flags after `--`."""
    parser = argparse.ArgumentParser(prog="python -m fledge.rehearsal.fault", description=__doc__)
    parser.add_argument("--share", type=float, required=True, help="of the predictions, 0 to 1")
    parser.add_argument("flags", nargs="+", help="of the server")
    options = parser.parse_args(argv)
    return serve(options.flags, failing(Model.run, options.share))


if __name__ == "__main__":
    raise SystemExit(main())
