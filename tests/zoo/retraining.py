"""Train mutants: `python -m tests.zoo.retraining OUT ID …`, the stage's own functions in one process, seconds each."""

import contextlib
import importlib
import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fledge.artifact import contract as contracts
from fledge.gates import limits
from pipelines import train
from tests.zoo.making import MODEL, champion, make
from tests.zoo.record import Lesson, Mutant
from tests.zoo.register import everything

if TYPE_CHECKING:
    import numpy as np


def main(argv: list[str]) -> int:
    """Train and export those that are named, then change what else belongs to them."""
    out, wanted = Path(argv[0]), [one for one in everything() if one.retrained and one.id in argv[1:]]
    name, contract = MODEL.name, contracts.load(MODEL / "contract.yaml")
    params, label = train.recipe(MODEL / "params.yaml"), limits.load(MODEL / "params.yaml").label
    rows, evaluation = (
        train.complete(train.read(name, params, key), name, contract, label) for key in ("months", "evaluate")
    )
    lesson, asked = Lesson(params, rows), train.asked(contract, evaluation)
    train.prepare(params["seed"])
    for one in wanted:
        artifact = out / f"{one.folder}.trained" / "saved_model"
        taught(one, lesson, artifact, asked)
        make([one], replace(champion(), candidate=artifact), out)
    return 0


def taught(mutant: Mutant, lesson: Lesson, artifact: Path, asked: "Mapping[str, np.ndarray[Any, Any]]") -> None:
    """The model of the mutant's own lesson, exported with the answers of its network."""
    import keras

    from pipelines.export import export

    assert mutant.retrained
    own = mutant.retrained(lesson)
    keras.backend.clear_session()
    keras.utils.set_random_seed(own.params["seed"])
    with contextlib.redirect_stdout(io.StringIO()):
        preprocessing, core = importlib.import_module(f"models.{MODEL.name}.model").build(own.params, own.rows)
    contract = contracts.load(MODEL / "contract.yaml")
    artifact.parent.mkdir(parents=True, exist_ok=True)
    export(artifact, contract, preprocessing, core, train.warm_up(MODEL / "requests.jsonl", contract), asked)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
