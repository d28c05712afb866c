"""Fetch an artifact by its DVC hash from any fsspec remote: verified file by file, published by rename."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fledge.fetch import fetch, fetch_one
from fledge.fetch.served import configure
from fledge.problems import Problem, reported


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Fetch an artifact, or one file of it."""
    parser = argparse.ArgumentParser(prog="fledge.fetch", description=__doc__)
    parser.add_argument("--remote", required=True, help="the DVC remote's address")
    parser.add_argument("--artifact", required=True, help="DVC's hash of the folder: 32 hex digits and .dir")
    parser.add_argument("--to", required=True, type=Path, help="the folder to write to")
    parser.add_argument("--sha256", help="of the whole tree")
    parser.add_argument("--key", default="", help="public keys, base64 of DER, by comma: one of them signed it")
    parser.add_argument("--model", help="write <to>/<model>/<number> and the server's configuration")
    parser.add_argument("--number", type=int, help="TensorFlow Serving's version, with --model")
    parser.add_argument("--only", help="fetch this one file of the folder")
    options = parser.parse_args(argv)
    if (options.model is None) != (options.number is None):
        found, absent = ("--model", "--number") if options.number is None else ("--number", "--model")
        raise Problem(f"fetch: found {found} without {absent}, expected both or neither ({absent})")
    if options.only and (options.key or options.sha256):
        raise Problem("fetch: found --only with --key or --sha256, expected these for a whole folder (--only)")
    if options.only:
        path = fetch_one(options.remote, options.artifact, options.only, options.to / options.only)
    else:
        path = options.to / options.model / str(options.number) if options.model else options.to
        keys = options.key.split(",") if options.key else []
        fetch(options.remote, options.artifact, path, sha256=options.sha256, keys=keys)
    if options.model and not options.only:
        configure(options.to, options.model, options.number)
    print(f"fetched {options.artifact} to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
