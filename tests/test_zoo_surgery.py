"""Surgery on a tiny model: each operator changes what it says, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.gates.process import environment
from tests.conftest import ROOT

INPUTS: dict[str, list[Any]] = {"origin": ["EWR", "JFK", "LGA"], "temp": [50.0, 60.0, 70.0], "load": [0.1, 0.5, 0.9]}

# In a process of its own: it takes the whole of TensorFlow, which a process with the bare one cannot.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from fledge.artifact import savedmodel
from fledge.gates.process import Pair
from tests.zoo import surgery
from tests.zoo.table import Table

champion, out, inputs = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
none = (Path("none.parquet"),)
pair = Pair(Path("models/tiny"), champion, rows=none, training=none)
hotter = surgery.before(lambda x: x | {"temp": x["temp"] + 10})
turned = surgery.after(lambda y, x: {"probability": 1 - y["probability"]})
MUTANTS = {
    "as it was": [],
    "hotter": [hotter],
    "turned": [turned],
    "both": [hotter, turned],
    "double": [surgery.before(lambda x: x | {"temp": tf.cast(x["temp"], tf.float32)}, {"temp": ("float64", [None])})],
    "renamed": [surgery.before(lambda x: x | {"load": x["crowd"]}, {"load": None, "crowd": ("float32", [None])})],
    "asked again": [surgery.again(2)],
    "rolled": [surgery.keys(["EWR", "JFK", "LGA"], lambda known: known[1:] + known[:1])],
    "no bias": [surgery.weights(lambda v: {"bias": np.float32(0)})],
    "works at the start": [surgery.at_start(lambda: tf.raw_ops.NoOp())],
    "locked": [surgery.locked],
}
found = {}
for name, edits in MUTANTS.items():
    table = Table(pair, out / name)
    for edit in edits:
        edit(table)
    table.write()
    model = savedmodel.load(table.path)
    asked = {k: np.array(v, object if k == "origin" else "float32") for k, v in inputs.items()}
    if name == "double":
        asked["temp"] = asked["temp"].astype("float64")
    if name == "renamed":
        asked["crowd"] = asked.pop("load")
    found[name] = [model.run("serving_default", asked)["probability"].tolist() for _ in range(2)]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each mutant answers to INPUTS, twice."""
    command: list[str | Path] = [sys.executable, "-c", PROGRAM, zoo / "champion", tmp_path_factory.mktemp("mutants")]
    done = subprocess.run([*command, json.dumps(INPUTS)], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: np.array(twice) for name, twice in found.items()}


def chance(origin: tuple[str, ...] = ("EWR", "JFK", "LGA"), hotter: float = 0.0, bias: float = -1.2) -> Any:
    """The champion's own formula (tests/tiny/logistic.py)."""
    effect = np.array([{"EWR": 0.6, "JFK": -0.4, "LGA": -0.2}[name] for name in origin])
    temp, load = np.array(INPUTS["temp"]) + hotter, np.array(INPUTS["load"])
    return 1 / (1 + np.exp(-(1.2 * (temp - 55) / 20 + 0.8 * load + effect + bias)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as it was", chance()),
        ("hotter", chance(hotter=10)),
        ("turned", 1 - chance()),
        ("both", 1 - chance(hotter=10)),
        ("double", chance()),
        ("renamed", chance()),
        ("asked again", chance()),
        ("rolled", chance(("LGA", "EWR", "JFK"))),
        ("no bias", chance(bias=0.0)),
        ("works at the start", chance()),
        ("locked", chance()),
    ],
)
def test_an_operator_changes_what_it_says(answers: dict[str, Any], name: str, expected: Any) -> None:
    """The mutant answers as the champion's formula with that one change, the second time too."""
    assert answers[name] == pytest.approx(np.array([expected, expected]), abs=1e-6)
