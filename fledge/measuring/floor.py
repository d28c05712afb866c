"""The least that comparing two models takes: import, read the rows, load both, score the rows with each.

`python -m fledge.measuring.floor MODEL_DIR CANDIDATE CHAMPION ROWS…` does that and nothing else. What `make bench` measures is held
against the time of this process.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from fledge.artifact import contract as contracts
from fledge.artifact import savedmodel
from fledge.gates import limits as sections
from fledge.gates import rows as tables


def main(argv: Sequence[str]) -> int:
    """Score the rows of the files with both models. Raises what loading and scoring raise."""
    model_dir, *models, files = Path(argv[0]), Path(argv[1]), Path(argv[2]), [Path(name) for name in argv[3:]]
    contract = contracts.load(model_dir / "contract.yaml")
    rows = tables.load(files, contract, sections.load(model_dir / "params.yaml"))
    for model in [savedmodel.load(path) for path in models]:
        model.run(contract.signature, {name: rows.inputs[name] for name in contract.inputs})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
