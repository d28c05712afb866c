"""What a model costs: size, memory, start, time of a call, calls at once."""

from typing import Any

import numpy as np

from tests.zoo import flow as tf
from tests.zoo.edits import files
from tests.zoo.record import Mutant
from tests.zoo.surgery import Tensors, again, at_start, before, locked, weights

MEGABYTES = 50
TIMES = "MB, .* times the champion's .* MB, expected at most"
WARM_UP = "assets.extra/tf_serving_warmup_requests"


def ballast() -> Any:
    """A variable of 50 MB that nothing reads."""
    size = [MEGABYTES * 2**20 // 4]
    handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=size, shared_name="ballast")
    return tf.raw_ops.AssignVariableOp(resource=handle, value=tf.fill(size, 1.0))


def hard_work() -> Any:
    """A second or so of nothing, which cannot be worked out beforehand."""
    value = tf.fill([1500, 1500], 1e-3)
    for _ in range(8):
        value = tf.matmul(value, value) * 1e-3
    with tf.control_dependencies([value]):
        return tf.raw_ops.NoOp()


def padded(x: Tensors, rows: int = 64, size: int = 96) -> Tensors:
    """A product of matrices in small batches only, as of a buffer that is filled up."""
    count = tf.where(tf.size(x["temp"]) <= rows, size, 1)
    wide = tf.fill([count, count], tf.cast(count, tf.float32))
    return x | {"temp": x["temp"] + 1e-30 * tf.reduce_mean(tf.matmul(wide, wide))}


MUTANTS = [
    Mutant(
        "21",
        "optimizer state left in",
        "resources.size",
        TIMES,
        [weights(lambda v: {"adam/slots": np.random.default_rng(0).normal(size=150_000).astype("float32")})],
    ),
    Mutant("54a", "network asked three times", "latency.ratio", "times the champion's latency", [again(2)]),
    Mutant("54b", "slower in small batches", "latency.ratio", "times the champion's latency", [before(padded)]),
    Mutant("55", "50 MB more memory", "resources.memory", TIMES, [at_start(ballast)]),
    Mutant(
        "56a",
        "slow to load",
        "resources.load_time",
        "first answer after .* ms, expected at most|first answer after .* times the champion's.*expected at most",
        [at_start(hard_work)],
    ),
    Mutant(
        "56b",
        "no warm-up",
        "structural.served",
        "brings no warm-up requests",
        [files(lambda path: (path / WARM_UP).unlink())],
    ),
    Mutant(
        "57",
        "one lock for all calls",
        "resources.concurrency",
        "times the champion's answers a second to 4 threads.*expected at least",
        [locked],
    ),
]
