"""What a mutant is: a broken model, the check that must refuse it, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.zoo.surgery import Edit

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "none"
MEASURED = ("latency", "resources")  # gates that time, and want the machine for themselves
DEAR = (*MEASURED, "structural.served", "parity.rest", "parity.grpc")  # what times, or asks a server


@dataclass(frozen=True)
class Lesson:
    """What a model is trained by: `train:` of params.yaml, and rows with the columns of data.py."""

    params: Mapping[str, Any]
    rows: "pd.DataFrame"


Retrain = Callable[[Lesson], Lesson]
Refusal = Callable[[Path, Path], dict[str, str]]


@dataclass(frozen=True)
class Mutant:
    """`id` is its number for good, with a letter where it has variants.

    `check` is the gate.check that must refuse it and `reason` a pattern of its reason; a control has CONTROL: nothing may
    refuse it. Made by `edits` on the exported champion, or on what training by another lesson gives (`retrained`); or
    judged outside the gates by `refusal` of the champion's artifact and a scratch folder: what refuses it, and why.
    `again`: its golden answers are recorded anew, for it stands for another training, not for damage to one. What is not
    `counted` is reported only.
    """

    id: str
    name: str
    check: str
    reason: str = ""
    edits: Sequence[Edit] = ()
    again: bool = False
    counted: bool = True
    retrained: Retrain | None = None
    refusal: Refusal | None = None

    @property
    def gate(self) -> str:
        """The gate of the check."""
        return self.check.partition(".")[0]

    @property
    def folder(self) -> str:
        """What its folder is called."""
        return f"{self.id}-{self.name.replace(' ', '-')}"

    @property
    def control(self) -> bool:
        """Whether nothing may refuse it."""
        return self.check == CONTROL
