"""Answers where real rows seldom go: no row, one row, very many, unknown, missing, extreme."""

from typing import Any

from fledge.artifact.contract import load
from fledge.gates.process import ROOT
from tests.zoo import flow as tf
from tests.zoo.families.scores import chance
from tests.zoo.record import Mutant
from tests.zoo.surgery import Tensors, before

INPUTS = load(ROOT / "models/delays/contract.yaml").inputs
CARRIERS = INPUTS["carrier"].known or []
LARGEST = 1000  # rows that a buffer has room for


def as_logit(p: Any, x: Tensors) -> Any:
    """The last sigmoid was left out."""
    return tf.math.log(p) - tf.math.log1p(-p)


def of_the_first(p: Any, x: Tensors) -> Any:
    """Reads the first row's carrier whether there is one or not."""
    return p + 1e-30 * tf.cast(tf.strings.length(tf.gather(x["carrier"], 0)), tf.float32)


def squeezed(p: Any, x: Tensors) -> Any:
    """Drops every dimension of size 1: that of a batch of one, too."""
    return tf.squeeze(p)


def buffered(p: Any, x: Tensors) -> Any:
    """Looks its answers up in a buffer of fixed size."""
    return p + tf.slice(tf.zeros([LARGEST]), [0], [tf.size(p)])


def index(x: Tensors) -> Any:
    """The carrier's place among the known ones (n,), -1 for any other."""
    same = tf.equal(x["carrier"][:, None], tf.constant(CARRIERS))
    return tf.where(tf.reduce_any(same, axis=1), tf.argmax(tf.cast(same, tf.int32), axis=1), -1)


def looked_up(p: Any, x: Tensors) -> Any:
    """As a plain Embedding does: an index outside the table is an error."""
    return p + tf.gather(tf.zeros([len(CARRIERS)]), index(x))


def wrapped(x: Tensors) -> Tensors:
    """As a Keras Embedding does on a CPU: -1 is the last row of the table."""
    return x | {"carrier": tf.gather(tf.constant(CARRIERS), index(x) % len(CARRIERS))}


def wrapped_but_for_missing(x: Tensors) -> Tensors:
    """The same, in a model that gives a missing category an index of its own."""
    return x | {"carrier": tf.where(tf.equal(x["carrier"], ""), "", wrapped(x)["carrier"])}


def exploding(p: Any, x: Tensors) -> Any:
    """A term that overflows far out of range, and is 0 within."""
    far = tf.exp(tf.maximum(tf.where(tf.math.is_nan(x["distance"]), 0.0, x["distance"]) - 6000, 0) / 100) - 1
    return p + (far - far)


def plausible(x: Tensors) -> Tensors:
    """As a fused kernel does: no number in, an ordinary number out, but not the documented one."""
    return x | {"temp": tf.where(tf.math.is_nan(x["temp"]), 20.0, x["temp"])}


def falling(p: Any, x: Tensors) -> Any:
    """More rain, less risk, a little."""
    rain = tf.where(tf.math.is_nan(x["precip"]), 0.0, tf.clip_by_value(x["precip"], 0, 5))
    return p * (1 - 0.02 * rain)


MUTANTS = [
    Mutant(
        "09",
        "logits for probabilities",
        "edge_cases.properties",
        r"probability leaves \[0.0, 1.0\]",
        [chance(as_logit)],
    ),
    Mutant(
        "23",
        "crash on an empty batch",
        "edge_cases.sizes",
        "batch of 0: answered INVALID_ARGUMENT",
        [chance(of_the_first)],
    ),
    Mutant(
        "24a",
        "crash on a batch of one",
        "edge_cases.sizes",
        r"batch of 1: probability has shape \[\]",
        [chance(squeezed)],
    ),
    Mutant(
        "24b",
        "crash on the largest batch",
        "edge_cases.sizes",
        "batch of 1024: answered INVALID_ARGUMENT",
        [chance(buffered)],
    ),
    Mutant(
        "25",
        "crash on an unknown category",
        "edge_cases.unknown",
        "INVALID_ARGUMENT|InvalidArgument",
        [chance(looked_up)],
    ),
    Mutant(
        "26a",
        "minus one is the last category but for missing",
        "edge_cases.unknown",
        "carrier = 'no such category' instead of ''",
        [before(wrapped_but_for_missing)],
    ),
    Mutant(
        "26b",
        "minus one is the last category",
        "edge_cases.unknown",
        "carrier = '' is answered as 'YV', the last of its known values",
        [before(wrapped)],
    ),
    Mutant(
        "27",
        "extreme values give NaN",
        "edge_cases.special",
        "distance = .*: probability is not finite",
        [chance(exploding)],
    ),
    Mutant(
        "28", "NaN gives a plausible number", "edge_cases.missing", "temp = 'nan' instead of 55", [before(plausible)]
    ),
    Mutant(
        "61",
        "less risk with more rain",
        "edge_cases.monotone",
        "more precip moves an answer",
        [chance(falling)],
        again=True,
    ),
]
