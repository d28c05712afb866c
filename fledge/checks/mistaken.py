"""Is an unknown category answered as if it were a known one? Nothing complains: an id of -1 is an embedding's last row.

The mutants 26a and 26b of the zoo (tests/zoo) are such models. That an unseen value is answered as the contract's
`unknown` does not show it where both are outside `known`: then both are taken for the same known one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fledge.artifact.contract import Contract, Input
from fledge.checks.agreement import Arrays
from fledge.evidence import Check, Verdict


class Read(NamedTuple):
    """The answers of the same rows with one input unknown, and with each of its known values."""

    unknown: Arrays
    known: Mapping[Any, Arrays]


def asked(contract: Contract) -> dict[str, Input]:
    """The inputs of which an unknown value could be taken for a known one.

    Not where there is but one, or where the contract itself says that unknown is read as one of them.
    """
    return {
        name: x
        for name, x in contract.inputs.items()
        if x.known and len(x.known) > 1 and x.unknown is not None and x.unknown not in x.known
    }


def mistaken(check: Check, answers: Mapping[str, Read], contract: Contract) -> Check:
    """The check, as BLOCK where in every row an unknown value of some input has the very answer of one known value.

    Bit for bit: another number is another reading. Of one alone, and the first or the last: an index that wraps, or is
    clipped, hits no other. Several that are answered alike are values without an effect, as rounding or pruning leaves them.
    """
    faults = [
        f"{name} = {contract.inputs[name].unknown!r} is answered as {taken!r}, the {which} of its known values, "
        "expected otherwise"
        for name, read in answers.items()
        for taken, which in _taken(read)
    ]
    if not faults:
        return check
    reason = "; ".join([*faults, *([check.reason] if check.blocks else [])])
    remedy = "give what is outside the vocabulary an index of its own, or say in contract.yaml what it is read as: inputs.<name>.unknown"
    return replace(check, verdict=Verdict.BLOCK, reason=reason, remedy=remedy)


def _taken(read: Read) -> list[tuple[Any, str]]:
    """The one known value that unknown is taken for, and which of them it is; [] where there is none, or there are more."""
    same = [value for value, answers in read.known.items() if _same(read.unknown, answers)]
    first, *_, last = read.known
    return [(value, which) for value, which in ((first, "first"), (last, "last")) if same == [value]]


def _same(ours: Arrays, theirs: Arrays) -> bool:
    return all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in theirs)
