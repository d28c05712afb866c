"""Make mutants by surgery: `python -m tests.zoo.making OUT ID …`, one process with all of TensorFlow, seconds."""

import sys
from collections.abc import Iterable
from pathlib import Path

from fledge.artifact import contract, vectors
from fledge.gates.process import Pair
from tests.zoo.record import Mutant
from tests.zoo.register import everything
from tests.zoo.table import Table

MODEL = Path("models/delays")


def champion() -> Pair:
    """The trained model, which every mutant is judged against."""
    return Pair(MODEL, MODEL / "saved_model", MODEL / "saved_model")


def make(mutants: Iterable[Mutant], pair: Pair, out: Path) -> None:
    """Each mutant in its folder below `out`: the artifact, and contract, rows or training rows where they differ."""
    for mutant in mutants:
        folder = out / mutant.folder
        table = Table(pair, folder)
        for edit in mutant.edits:
            edit(table)
        table.write()
        if mutant.again:
            record_again(table.path, pair.model_dir)
        for change in table.last:
            change(table.path)
        print(mutant.folder, flush=True)


def record_again(artifact: Path, model_dir: Path) -> None:
    """The golden answers are the mutant's own, as if it had been trained so."""
    from fledge.artifact import savedmodel

    promised = contract.load(model_dir / "contract.yaml")
    kept = vectors.read(artifact / vectors.FILE, promised)
    assert kept, f"no {vectors.FILE} in the champion, expected what training leaves there (make train)"
    inputs, _ = kept
    model = savedmodel.load(artifact)
    (artifact / vectors.FILE).write_text(vectors.dumps(inputs, model.run(promised.signature, inputs)))
    model.close()


def main(argv: list[str]) -> int:
    """Make those that are named."""
    import tensorflow  # noqa: F401  the whole of it, before anything takes the bare one

    wanted = [one for one in everything() if one.id in argv[1:]]
    make(wanted, champion(), Path(argv[0]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
