"""Small SavedModels, made once a session by one fresh process with the whole of TensorFlow.

`half`: versions 1 and 2, `y = x / 2 + 2` and `+ 3`; `risk`: a string and a float through a table to probabilities;
`kinds`: one signature for each trait of an output or a run. Beside them `reference.json`: what TensorFlow itself says.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ORIGINS = ["EWR", "JFK", "", "nowhere", "LGA"]
TEMPERATURES = [-3.5, 0.0, float("nan"), 12.25, 1e30]
TENSORS: list[tuple[str, list[Any]]] = [
    ("float32", [0.1, -2.5, 3e38]),
    ("float64", [0.1, 1e300]),
    ("float16", [0.5, -65504.0]),
    ("bfloat16", [0.5, 3.0]),
    ("int8", [-128, 127]),
    ("int16", [-32768]),
    ("int32", [7, -7]),
    ("int64", [-(2**63), 2**63 - 1]),
    ("uint8", [0, 255]),
    ("uint16", [65535]),
    ("uint32", [2**32 - 1]),
    ("uint64", [2**64 - 1]),
    ("bool", [True, False]),
    ("string", ["", "É", "a b"]),
]


def build(folder: Path) -> Path:
    """Return the folder of the models, made there unless this session has made them."""
    models = folder / "saved_models"
    if not models.exists():
        subprocess.run([sys.executable, "-m", "tests.serving.examples", str(models)], check=True, capture_output=True)
    return models


def _half(tf: Any, path: Path, constant: float) -> None:
    module = tf.Module()
    module.a, module.b = tf.Variable(0.5), tf.Variable(constant)
    spec = tf.TensorSpec([None, 1], tf.float32, name="x")
    function = tf.function(lambda x: {"y": module.a * x + module.b}).get_concrete_function(x=spec)
    module.function = function
    tf.saved_model.save(module, path, signatures={"serving_default": function})


def _risk(tf: Any, path: Path) -> None:
    module = tf.Module()
    initial = tf.lookup.KeyValueTensorInitializer(["EWR", "JFK"], [1.0, -1.0])
    module.table = tf.lookup.StaticHashTable(initial, 0.25)
    module.weights = tf.Variable([[0.5, -0.25, 1.0], [0.125, 2.0, -1.0]])

    def classify(origin: Any, temp: Any) -> dict[str, Any]:
        known = tf.where(tf.math.is_nan(temp), tf.zeros_like(temp), temp)
        features = tf.stack([module.table.lookup(origin), known], axis=1)
        probabilities = tf.nn.softmax(features @ module.weights)
        names = tf.gather(tf.constant(["low", "mid", "high"]), tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "class": names}

    specs = {
        "origin": tf.TensorSpec([None], tf.string, name="origin"),
        "temp": tf.TensorSpec([None], tf.float32, name="temp"),
    }
    function = tf.function(classify).get_concrete_function(**specs)
    tf.saved_model.save(module, path, signatures={"serving_default": function})


def _kinds(tf: Any, path: Path) -> None:
    def signature(outputs: Any, **dtypes: str) -> Any:
        specs = {name: tf.TensorSpec(None, dtype, name=name) for name, dtype in dtypes.items()}
        return tf.function(outputs).get_concrete_function(**specs)

    def count(n: Any) -> dict[str, Any]:
        def step(i: Any, total: Any) -> tuple[Any, Any]:
            return i + 1, total + tf.math.floormod(i, 7)

        zero = tf.zeros([], tf.int64)
        _, total = tf.while_loop(lambda i, _: i < tf.reduce_max(n), step, (zero, zero), parallel_iterations=1)
        return {"total": tf.fill(tf.shape(n), total)}

    signatures = {
        "serving_default": signature(lambda x: {"y": tf.identity(x)}, x="float"),
        "many": signature(
            lambda i, n, u, flag, blob: {
                "i_out": tf.identity(i),
                "n_out": tf.identity(n),
                "u_out": tf.identity(u),
                "flag_out": tf.identity(flag),
                "blob_bytes": tf.identity(blob),
                "text": tf.strings.join([blob, tf.fill(tf.shape(blob), "!")]),
            },
            i="int32",
            n="int64",
            u="uint8",
            flag="bool",
            blob="string",
        ),
        "double": signature(lambda x: {"y": tf.identity(x)}, x="double"),
        "half": signature(lambda x: {"y": tf.cast(x, tf.half)}, x="float"),
        "takes_half": signature(lambda x: {"y": tf.cast(x, tf.float32)}, x="half"),
        "total": signature(lambda x: {"y": tf.reduce_sum(x)}, x="float"),
        "unequal": signature(lambda x: {"y": tf.identity(x), "z": tf.concat([x, x], 0)}, x="float"),
        "count": signature(count, n="int64"),
    }
    tf.saved_model.save(tf.Module(), path, signatures=signatures)


def _reference(tf: Any, models: Path) -> dict[str, Any]:
    from fledge.artifact import bare

    risk = tf.saved_model.load(str(models / "risk" / "1")).signatures["serving_default"]
    answers = risk(origin=tf.constant(ORIGINS), temp=tf.constant(TEMPERATURES))
    protos = {
        dtype: tf.make_tensor_proto(tf.constant(values, dtype).numpy()).SerializeToString().hex()
        for dtype, values in TENSORS
    }
    return {
        "probabilities": answers["probabilities"].numpy().tolist(),
        "class": [name.decode() for name in answers["class"].numpy()],
        "protos": protos,
        "whole_tensorflow_kept": sys.modules["tensorflow"] is tf and bare.make_tensor_proto([1.0]).dtype == tf.float64,
    }


def _main(models: Path) -> None:
    import tensorflow as tf

    aside = models.with_suffix(".partial")
    _half(tf, aside / "half" / "1", 2.0)
    _half(tf, aside / "half" / "2", 3.0)
    _risk(tf, aside / "risk" / "1")
    _kinds(tf, aside / "kinds" / "1")
    (aside / "reference.json").write_text(json.dumps(_reference(tf, aside)))
    aside.rename(models)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
