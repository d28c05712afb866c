"""A folder with an owner's files in which the template's pipelines run as their own processes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.conftest import ROOT

# A model of another kind than models/delays: two numbers and a word in, three classes out.
COLOURS = {
    "data.py": """
        import pandas as pd

        def write(folder):
            folder.mkdir(parents=True)
            for month in ("2020-01", "2020-02"):
                rows = [(float(i % 7), float(i % 5), "ab"[i % 2], i % 3, i // 50) for i in range(300)]
                frame = pd.DataFrame(rows, columns=["x", "y", "word", "colour", "week"])
                frame.astype({"x": "float32", "y": "float32"}).to_parquet(folder / f"{month}.parquet")
    """,
    "model.py": """
        import keras
        import tensorflow as tf

        class Preprocessing(tf.Module):
            def __call__(self, values):
                word = tf.cast(values["word"] == "a", tf.float32)
                return tf.stack([values["x"], values["y"], word], axis=1)

        def build(params, rows):
            preprocessing = Preprocessing()
            features = preprocessing({name: tf.constant(rows[name].to_numpy(kind)) for name, kind in
                                      [("x", "float32"), ("y", "float32"), ("word", object)]})
            core = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
            core.compile("sgd", loss="sparse_categorical_crossentropy")
            core.fit(features, rows["colour"].to_numpy(), epochs=params["epochs"], verbose=2)
            return preprocessing, core
    """,
    "contract.yaml": """
        signature: serving_default
        inputs:
          x: {dtype: float32, range: [0, 6]}
          y: {dtype: float32, range: [0, 4]}
          word: {dtype: string, known: [a, b], unknown: b}
        outputs:
          probabilities: {dtype: float32, shape: [3], range: [0, 1]}
        classes: [red, green, blue]
    """,
    "params.yaml": """
        train: {seed: 1, months: [2020-01], evaluate: [2020-02], epochs: 1}
        gates: {task: multiclass, metrics: [log_loss], label: colour, cluster: week, rows: [2020-02], some: {check: {limit: 1.0}}}
        slo: {error_ratio: 0.01}
    """,
}
REQUEST = {
    "name": "one",
    "kind": "golden",
    "inputs": {"x": [1.0], "y": [2.0], "word": ["a"]},
    "expect": {"range": {"probabilities": [0, 1]}},
}


def an_owner_of_colours(root: Path) -> Path:
    """A repository of the template with `colours` for its only model, without git."""
    for part in (".dvc/config", "dvc.yaml", "pipelines", "requirements.lock"):
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, root / part)
    config = root / ".dvc" / "config"
    config.write_text(config.read_text().replace("[core]\n", "[core]\n    no_scm = true\n"))
    owner = YAML().load(ROOT / "project.yaml")
    owner["models"] = ["colours"]
    YAML().dump(owner, root / "project.yaml")
    folder = root / "models" / "colours"
    folder.mkdir(parents=True)
    for name, text in COLOURS.items():
        (folder / name).write_text("\n".join(line[8:] for line in text.splitlines()))
    (folder / "requests.jsonl").write_text(json.dumps(REQUEST) + "\n")
    return root


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """`python -m <command>` in `root`, with the template's modules behind the owner's, all caches inside `root`."""
    caches = {
        name: str(root / ".fledge" / name)
        for name in (
            "DVC_SITE_CACHE_DIR",
            "DVC_GLOBAL_CONFIG_DIR",
            "DVC_SYSTEM_CONFIG_DIR",
            "KERAS_HOME",
            "MPLCONFIGDIR",
        )
    }
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= caches | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DO_NOT_TRACK": "true",
    }
    command = (sys.executable, "-m", *command)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
