"""Signatures that are not the contract's: clients would be refused, or misread what they get."""

from tests.zoo import flow as tf
from tests.zoo.edits import contract
from tests.zoo.record import Mutant
from tests.zoo.surgery import Edit, Tensors, after, before
from tests.zoo.table import Table


def temp_as(dtype: str, shape: list[int | None], read: str = "float32") -> Edit:
    """The client must send `temp` in another form; the network gets what it always got."""
    return before(
        lambda x: x | {"temp": tf.cast(tf.reshape(x["temp"], [-1]), read)},
        {"temp": (dtype, shape)},
    )


def without_its_signature(table: Table) -> None:
    """The one signature is called predict."""
    signatures = table.meta.signature_def
    signatures["predict"].CopyFrom(signatures["serving_default"])
    del signatures["serving_default"]


def one_more(x: Tensors) -> Tensors:
    """The network reads an input that the contract lacks."""
    return x | {"temp": x["temp"] + 0 * x["snow"]}


MUTANTS = [
    Mutant(
        "01a",
        "float as double",
        "structural.signature",
        r"input temp is float64 \[None\], expected float32 \[None\]",
        [temp_as("float64", [None])],
    ),
    Mutant(
        "01b",
        "float as integer",
        "structural.signature",
        r"input temp is int64 \[None\], expected float32 \[None\]",
        [temp_as("int64", [None])],
    ),
    Mutant(
        "02a",
        "input of rank 2",
        "structural.signature",
        r"input temp is float32 \[None, 1\], expected float32 \[None\]",
        [temp_as("float32", [None, 1])],
    ),
    Mutant(
        "02b",
        "batch of one size",
        "structural.signature",
        r"input temp is float32 \[32\], expected float32 \[None\]",
        [temp_as("float32", [32])],
    ),
    Mutant(
        "03",
        "input renamed",
        "structural.signature",
        r"input temp is absent, expected float32 \[None\]",
        [before(lambda x: x | {"temp": x["temperature"]}, {"temp": None, "temperature": ("float32", [None])})],
    ),
    Mutant(
        "04",
        "output renamed",
        "structural.signature",
        r"output probability is absent, expected float32 \[None\]",
        [after(lambda y, x: {"score": y["probability"]})],
    ),
    Mutant(
        "05",
        "no serving_default",
        "structural.signature",
        r"serving_default output probability is absent",
        [without_its_signature],
    ),
    Mutant(
        "06",
        "one more input",
        "structural.signature",
        r"input snow is float32 \[None\], expected absent",
        [before(one_more, {"snow": ("float32", [None])})],
    ),
    Mutant(
        "07",
        "class dropped",
        "structural.signature",
        r"output probability has the shape \[\] for 3 classes",
        [contract(lambda said: said | {"classes": ["on_time", "late", "cancelled"]})],
    ),
]
