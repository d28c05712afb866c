"""What a person writes by hand for a second model: other inputs, three classes. `models/` and project.yaml, nothing else."""

import json
import textwrap
from pathlib import Path

FILES = {
    "data.py": '''
        """Points on a plane and a word, in three colours that overlap."""

        import numpy as np
        import pandas as pd


        def write(folder):
            folder.mkdir(parents=True)
            for seed, month in enumerate(["2020-01", "2020-02"]):
                draw = np.random.default_rng(seed)
                colour = draw.integers(0, 3, 24_000)
                frame = pd.DataFrame({
                    "x": (colour * 0.7 + draw.normal(size=len(colour))).astype("float32"),
                    "y": (colour * -0.5 + draw.normal(size=len(colour))).astype("float32"),
                    "word": np.where(draw.random(len(colour)) < (colour + 1) / 4, "a", "b"),
                    "colour": colour,
                    "week": np.arange(len(colour)) // 500 + 48 * seed,
                })
                frame.to_parquet(folder / f"{month}.parquet")
    ''',
    "model.py": '''
        """A softmax of three inputs."""

        import keras
        import tensorflow as tf


        class Preprocessing(tf.Module):
            def __call__(self, values):
                word = tf.cast(values["word"] == "a", tf.float32)
                known = [tf.where(tf.math.is_nan(values[name]), 0.0, values[name]) for name in ("x", "y")]
                return tf.stack([*(tf.clip_by_value(one, -8.0, 8.0) for one in known), word], axis=1)


        def build(params, rows):
            preprocessing = Preprocessing()
            kinds = {"x": "float32", "y": "float32", "word": object}
            features = preprocessing({name: tf.constant(rows[name].to_numpy(kind)) for name, kind in kinds.items()})
            core = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
            core.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
            core.fit(features, rows["colour"].to_numpy(), epochs=params["epochs"], verbose=2)
            return preprocessing, core
    ''',
    "contract.yaml": """
        signature: serving_default
        inputs:
          x: {dtype: float32, missing: nan, means: 0.0, range: [-6, 8], known_at: 0}
          y: {dtype: float32, missing: nan, means: 0.0, range: [-8, 6], known_at: 0}
          word: {dtype: string, known: [a, b], unknown: b, known_at: 0}
        outputs:
          probabilities: {dtype: float32, shape: [3], range: [0, 1]}
        classes: [red, green, blue]
    """,
}
REQUEST = {
    "name": "one",
    "kind": "golden",
    "inputs": {"x": [1.0], "y": [2.0], "word": ["a"]},
    "expect": {"range": {"probabilities": [0, 1]}},
}


def write(folder: Path) -> None:
    """Turn a copy of models/delays into the model `colours`."""
    for name, text in FILES.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    (folder / "requests.jsonl").write_text(json.dumps(REQUEST) + "\n")
    (folder / "README.md").write_text("# colours\n")
