"""The same recipe with other seeds, K times in one process: what each retraining answers to the held-out rows is kept.

A file per seed under .fledge/calibration/<model>/<key>/, the key being a hash of all that the answers follow from. It
is written aside and renamed, so what is there is whole, and what is there is not trained again.
"""

import ast
import contextlib
import functools
import hashlib
import importlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fledge.artifact import contract as contracts
from fledge.artifact.contract import Contract
from fledge.checks.scores import scored
from fledge.gates import limits
from fledge.gates import rows as tables
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from pipelines import train

Array = NDArray[Any]
Harm = Callable[[Sequence[Array]], list[Array]]
KEPT = Path(".fledge/calibration")
LIBRARIES = ("tensorflow", "keras", "numpy")  # whose version may change what a seed gives


@dataclass(frozen=True)
class Setting:
    """One recipe of a model, and the rows that it is fitted to and judged on. `params` is `train:` of params.yaml."""

    model: str
    params: Mapping[str, Any]
    contract: Contract
    limits: Limits
    training: pd.DataFrame
    rows: Rows
    key: str

    @property
    def folder(self) -> Path:
        """Where its retrainings are kept."""
        return KEPT / self.model / self.key

    def file(self, seed: int) -> Path:
        """What the retraining with `seed` left: `answer` (n,) or (n, classes) float32, and `weight_<i>` in order."""
        return self.folder / f"seed-{seed:05d}.npz"


def setting(model: str, changed: Mapping[str, Any] | None = None) -> Setting:
    """The recipe of models/<model>/params.yaml, with what `changed` replaces in it, and its rows.

    Raises Problem as pipelines.train does, for a month, a column or a key that is not there.
    """
    home = Path("models") / model
    contract, limit = contracts.load(home / "contract.yaml"), limits.load(home / "params.yaml")
    params = train.recipe(home / "params.yaml") | dict(changed or {})
    training = train.complete(train.read(model, params, "months"), model, contract, limit.label)
    months = {*params["months"], *limit.months}
    files = [Path("data") / model / f"{month}.parquet" for month in limit.months]
    rows = tables.load(files, contract, limit)
    inputs = [Path("data") / model / f"{month}.parquet" for month in sorted(months)]
    return Setting(model, params, contract, limit, training, rows, key(home, params, limit, inputs))


def key(home: Path, params: Mapping[str, Any], limit: Limits, files: Sequence[Path]) -> str:
    """12 hex digits of the sha256 of recipe without its seed, data, contract, code and libraries; comments do not count."""
    recipe = {name: value for name, value in params.items() if name not in ("seed", "evaluate")}
    parts = {
        "recipe": recipe,
        "rows": [limit.label, *limit.rows, "of", *limit.holdout],
        "data": tables.sha256(files),
        "contract": _read(contracts.load(home / "contract.yaml")),
        "code": ast.dump(ast.parse((home / "model.py").read_text())),
        "environment": train.ENVIRONMENT,
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _read(contract: Contract) -> dict[str, Any]:
    """What a network can learn from the contract: which inputs there are, how they are read, what it answers."""
    return contract.model_dump(mode="json", exclude={"inputs": {"__all__": {"known_at"}}})


def answer(one: Setting, seed: int) -> Array:
    """What the kept retraining with `seed` answers, (n,) or (n, classes) float64."""
    found: Array = np.load(one.file(seed))["answer"].astype(np.float64)
    return found


def retrain(one: Setting, seeds: Iterable[int], tell: Callable[[], None]) -> None:
    """Fit the recipe with each seed that is not kept, and keep it; `tell` is called when one more is there.

    TensorFlow frees all but 5 to 8 MB of a network (2.20, measured): 600 of them make a process of 4 to 5 GB.
    """
    for seed in [seed for seed in seeds if not one.file(seed).is_file()]:
        if not one.file(seed).is_file():  # another process may work at the same ones
            keep(one.file(seed), *fitted(one, seed))
        tell()


def fitted(one: Setting, seed: int) -> tuple[Array, list[Array]]:
    """What a network fitted with `seed` answers to the held-out rows, and its weights; as in a fresh process."""
    features, core = _built(one, seed)
    return _answer(one, core, features), core.get_weights()


def keep(file: Path, answer: Array, weights: Sequence[Array]) -> None:
    """Write one retraining aside, then rename: Ctrl-C leaves the whole file or none. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            named: dict[str, Any] = {f"weight_{i}": weight for i, weight in enumerate(weights)}
            np.savez(stream, answer=answer, **named)
        os.replace(aside, file)
    except BaseException:
        os.unlink(aside)
        raise


def damage(one: Setting, seeds: Sequence[int], harms: Mapping[str, Harm], tell: Callable[[], None]) -> None:
    """Keep what the kept networks of `seeds` answer once each harm was done to their weights (`damaged_file`).

    The network is built anew once, by fitting it, because only the model's own code knows how; then it takes each
    kept network's weights.
    """
    if not (missing := undamaged(one, harms, seeds)):
        return
    features, core = _built(one, one.params["seed"])
    for name, seed in missing:
        found = np.load(one.file(seed))
        core.set_weights(harms[name]([found[f"weight_{i}"] for i in range(len(core.get_weights()))]))
        keep(damaged_file(one, name, seed), _answer(one, core, features), [])
        tell()


def undamaged(one: Setting, harms: Iterable[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Each harm and seed whose answers are not kept."""
    return [(name, seed) for name in harms for seed in seeds if not damaged_file(one, name, seed).is_file()]


def damaged_file(one: Setting, name: str, seed: int) -> Path:
    """Where the answers of a kept network with damaged weights are kept."""
    return one.folder / name.replace(" ", "-").replace("%", "") / f"seed-{seed:05d}.npz"


def _built(one: Setting, seed: int) -> tuple[Any, Any]:
    """The held-out rows as features, and the network fitted with `seed`."""
    _ready(one.params["seed"])
    import keras
    import tensorflow as tf

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    build = importlib.import_module(f"models.{one.model}.model").build
    with contextlib.redirect_stdout(io.StringIO()):
        preprocessing, core = build({**one.params, "seed": seed}, one.training)
    return preprocessing({name: tf.constant(values) for name, values in one.rows.inputs.items()}), core


def _answer(one: Setting, core: Any, features: Any) -> Array:
    ((_, described), *_) = one.contract.outputs.items()
    answers = core(features, training=False).numpy().reshape(-1, *described.shape)
    return scored(answers, one.limits.task).astype("float32")


@functools.cache
def _ready(seed: int) -> None:
    """TensorFlow's threads are set once in a process, and only one that retrains waits for it."""
    train.prepare(seed)
