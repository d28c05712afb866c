"""Load a SavedModel in this new process and answer the one request on standard input: JSON in, JSON out."""

import json
import sys
from pathlib import Path

import numpy as np

from fledge import savedmodel


def main(argv: list[str]) -> int:
    request = json.load(sys.stdin)
    kinds = {name: object if dtype == "string" else dtype for name, dtype in request["dtypes"].items()}
    inputs = {name: np.array(values, dtype=kinds[name]) for name, values in request["inputs"].items()}
    answers = savedmodel.load(Path(argv[0])).run(request["signature"], inputs)
    print(json.dumps({name: values.tolist() for name, values in answers.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
