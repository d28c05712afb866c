"""Operations that no stock server has, or should not run, and an artifact from another TensorFlow."""

from typing import Any

from tests.zoo import flow as tf
from tests.zoo.families.scores import chance
from tests.zoo.record import Mutant
from tests.zoo.surgery import Tensors
from tests.zoo.table import Table


def calls_python(p: Any, x: Tensors) -> Any:
    """A step in Python, which the server has not."""
    return tf.ensure_shape(tf.numpy_function(lambda value: value, [p], tf.float32), [None])


def reads_files(p: Any, x: Tensors) -> Any:
    """Looks into the server's files."""
    return p + 0 * tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def of_a_plugin(table: Table) -> None:
    """One operation is of a library that was loaded in training."""
    chance(lambda p, x: p + 0)(table)
    next(node for node in table.graph.node if node.op == "AddV2").op = "PluginAdd"


def from_the_future(table: Table) -> None:
    """Exported by the next TensorFlow."""
    table.meta.meta_info_def.tensorflow_version = "2.21.0"


MUTANTS = [
    Mutant("13a", "calls Python", "structural.ops", "PyFunc", [chance(calls_python)]),
    Mutant("13b", "operation of a plugin", "structural.ops", "PluginAdd", [of_a_plugin]),
    Mutant("13c", "reads files of the server", "structural.ops", "ReadFile", [chance(reads_files)]),
    Mutant("22", "newer TensorFlow", "structural.tensorflow", r"2\.21\.0", [from_the_future]),
]
