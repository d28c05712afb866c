"""Is the artifact what its contract says, and nothing that a stock server could not run? No statistics, no tolerance.

Sources: TensorFlow's SECURITY.md (a model is a program, so its operations are on a list) and the documentation of TFX's
InfraValidator (a model that loads has to answer, too).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from fledge.artifact.contract import Array, Contract
from fledge.checks.faults import tally
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.project import Strict

# What TensorFlow writes and TensorFlow Serving reads; of its own folder assets.extra the server reads the warm-up alone.
FILES = (
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-?????-of-?????",
    "assets/*",
    "assets.extra/*",
)
WARM_UP = "assets.extra/tf_serving_warmup_requests"
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
HEAD = 128  # bytes of a file that tell its kind


class Also(Limit):
    """`also` is what the owner accepts besides."""

    also: tuple[str, ...] = ()


class Operations(Strict):
    """The template's list of operations, by the reason for their place in it. Of the refused ones not all are named."""

    answering: dict[str, list[str]]
    loading: dict[str, list[str]]
    refused: dict[str, list[str]]


@dataclass(frozen=True)
class File:
    """A file of the artifact by its path from there; `head` and `tail` are its first HEAD bytes and its last one."""

    name: str
    regular: bool
    head: bytes = b""
    tail: bytes = b""


def signature(found: Mapping[str, str], contract: Contract, limit: Also) -> Check:
    """The signatures, flat as `fledge.artifact.graph.signatures` has them, are exactly those of the contract."""
    faults = _differences(found, _promised(contract), limit.also) + _class_faults(contract)
    remedy = (
        "export the model again, or change contract.yaml and release a new major version; "
        "one more signature may be named in params.yaml: gates.structural.signature.also"
    )
    count = len(contract.inputs) + len(contract.outputs)
    return tally("structural", "signature", faults, count, remedy, "as the contract says")


def variables(found: Mapping[str, Array], constants: Mapping[str, Array], limit: Also) -> Check:
    """Every weight is finite, a variable's or one frozen into the graph; no variable that is a matrix is one value."""
    ours = {name: value for name, value in found.items() if value.dtype.kind in "fV"}  # V: numpy's kind of bfloat16
    faults = [
        f"{name}: {np.count_nonzero(~np.isfinite(value))} of {value.size} values are not finite, expected none"
        for name, value in {**ours, **constants}.items()
        if not np.isfinite(value).all()
    ]
    faults += [
        f"{name} is constant: all {value.size} values are {float(value.flat[0]):g}, expected a matrix that was trained"
        for name, value in ours.items()
        if name not in limit.also and _constant(value)
    ]
    count = len(ours) + len(constants)
    if not count:
        return Check("structural", "variables", Verdict.PASS, "the model has no weights", n=0)
    remedy = (
        "look for a training that diverged or never reached that layer; a matrix that must be so may be named in "
        "params.yaml: gates.structural.variables.also"
    )
    return tally("structural", "variables", faults, count, remedy, "all weights are finite, no matrix is constant")


def ops(answering: set[str], loading: set[str], known: Operations, limit: Also) -> Check:
    """What an answer goes through is on the list of what may answer; what runs at loading may load, too."""
    may_answer = {op for ops in known.answering.values() for op in ops} | set(limit.also)
    may_load = may_answer | {op for ops in known.loading.values() for op in ops}
    why = {op: reason for reason, ops in known.refused.items() for op in ops}
    why |= {op: f"{reason}, where it may not" for reason, ops in known.loading.items() for op in ops}
    faults = [
        f"the graph holds the op {op} ({why.get(op, 'not known')}), expected those of tests/gates/ops.yaml"
        for op in sorted((answering - may_answer) | (loading - may_load))
    ]
    remedy = (
        "put that step into TensorFlow operations, or before the request; one that you know to be harmless may be "
        "named in params.yaml: gates.structural.ops.also"
    )
    return tally("structural", "ops", faults, len(answering | loading), remedy, "every operation is on the list")


def files(found: Sequence[File], limit: Also) -> Check:
    """The artifact is made of regular files of a SavedModel alone, and none of them is a pickle."""
    faults = [f"{file.name} {fault}" for file in found if (fault := _file_fault(file, limit.also))]
    remedy = (
        "export the model again into an empty folder; a harmless file may be named in params.yaml: "
        "gates.structural.files.also"
    )
    return tally("structural", "files", faults, len(found), remedy, "regular files of a SavedModel")


def tensorflow(maker: str, server: str, limit: Limit) -> Check:
    """Made by a TensorFlow that is not newer than the server's: of the same minor version, or an older one."""
    ours, theirs = _minor(maker), _minor(server)
    if ours is None or theirs is None:
        reason = f"made by TensorFlow {maker or 'of no stated version'}, expected one to compare with {server}"
        remedy = "export the model again; it does not say what wrote it"
        verdict = Verdict.INCONCLUSIVE
        return Check("structural", "tensorflow", verdict, reason, remedy, n=1, inconclusive=limit.inconclusive)
    faults = [f"made by TensorFlow {maker}, expected at most the server's {server}"] if ours > theirs else []
    remedy = "export it with the TensorFlow of requirements.lock"
    return tally("structural", "tensorflow", faults, 1, remedy, f"made by TensorFlow {maker}, served by {server}")


def served(faults: Sequence[str], warm: bool, n: int, limit: Limit) -> Check:
    """A server has loaded the artifact, `warm` by requests of its own, and answered `n` real rows."""
    remedy = "serve it by `python -m fledge.serving` and read its log"
    if faults or warm or not n:
        return tally("structural", "served", faults, n, remedy, "loaded, warmed up, and answered")
    reason = f"answered, but brings no warm-up requests ({WARM_UP}), expected some: the first users would wait"
    remedy = "train it by dvc repro, or say `inconclusive: warn` for a SavedModel from elsewhere (params.yaml: gates.structural.served)"
    verdict = Verdict.INCONCLUSIVE
    return Check("structural", "served", verdict, reason, remedy, n=n, inconclusive=limit.inconclusive)


def _promised(contract: Contract) -> dict[str, str]:
    inputs = {f"{contract.signature} input {name}": f"{x.dtype} [None]" for name, x in contract.inputs.items()}
    return inputs | {
        f"{contract.signature} output {name}": f"{y.dtype} {[None, *y.shape]}" for name, y in contract.outputs.items()
    }


def _differences(found: Mapping[str, str], expected: Mapping[str, str], also: Sequence[str]) -> list[str]:
    """One line for each name in which the SavedModel and its contract differ."""
    return [
        f"{name} is {found.get(name, 'absent')}, expected {expected.get(name, 'absent')} (contract.yaml)"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name) and (name in expected or name.split()[0] not in also)
    ]


def _class_faults(contract: Contract) -> list[str]:
    """A chance for each class, or one chance for the second of two; one number where there is no class."""
    count = len(contract.classes)
    lines = {
        name: f"{list(output.shape)} for {count} classes, expected {_expected(count)} (contract.yaml: classes)"
        for name, output in contract.outputs.items()
        if not _fits(output.shape, count)
    }
    return [f"output {name} has the shape {line}" for name, line in lines.items()]


def _fits(shape: tuple[int, ...], classes: int) -> bool:
    return classes in (0, 2) if not shape else classes > 0 and shape[-1] == classes


def _expected(classes: int) -> str:
    return {0: "[]", 2: "[] or [2]"}.get(classes, f"[{classes}]")


def _constant(value: Array) -> bool:
    return value.ndim > 1 and value.size > 1 and bool((value == value.flat[0]).all())


def _file_fault(file: File, also: Sequence[str]) -> str:
    if not file.regular:
        return "is no regular file, expected no link, socket or device"
    if not file.name.startswith("variables/") and _pickled(file):
        return "is a pickle, expected data: to read it is to run what it says"
    if not any(fnmatchcase(file.name, pattern) for pattern in (*FILES, *also)):
        return "is no file of a SavedModel, expected none beside them"
    return ""


def _pickled(file: File) -> bool:
    """By its name; by the opcodes PROTO, of protocols 2 to 5, and STOP (pickletools); or as objects in numpy's format."""
    opcodes = file.head[:1] == b"\x80" and file.head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and file.tail == b"."
    return file.name.endswith(PICKLES) or opcodes or (file.head.startswith(b"\x93NUMPY") and b"'|O'" in file.head)


def _minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
