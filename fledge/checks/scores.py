"""What every check of scores asks of them first, and says in the same words."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limits, Task
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison

Positive = Annotated[float, Field(gt=0)]
Least = Annotated[float, Field(ge=0)]
Alpha = Annotated[float, Field(gt=0, lt=0.5)]
Count = Annotated[int, Field(gt=0)]

WORSE = "retrain the candidate, or show why the loss is worth it and move {key}"


def scored(answers: Array, task: Task) -> Array:
    """What is scored of a model's `answers`: one number a row (n,), or (n, classes) of many classes, as float64.

    A binary model may answer the chances of both classes; the second is that of a yes.
    """
    both = task == "binary" and answers.ndim == 2
    return np.asarray(answers[:, 1] if both else answers, dtype=np.float64)


def usable(rows: Rows, **scores: Array | None) -> None:
    """`scores` by name of the model, (n,) or (n, classes) each; None is a model that there is not.

    Raises Problem naming the model whose answers are not finite, not one per row, or, where the label is a class, no chances:
    log-loss would reward a "chance" above 1.
    """
    there = {who: score for who, score in scores.items() if score is not None}
    if short := [who for who, score in there.items() if len(score) != len(rows)]:
        raise Problem(*(f"{who}: {len(there[who]):,} answers, expected {len(rows):,}" for who in short))
    broken = {
        who: np.count_nonzero(~np.isfinite(score.reshape(len(rows), -1)).all(axis=1)) for who, score in there.items()
    }
    if lines := [
        f"{who}: not finite in {n:,} of {len(rows):,} rows, expected numbers" for who, n in broken.items() if n
    ]:
        raise Problem(*lines)
    if rows.label.dtype.kind in "iu" and (strange := [who for who, score in there.items() if not _chances(score)]):
        raise Problem(*(f"{who}: answers outside [0, 1], expected chances (contract.yaml: outputs)" for who in strange))


def _chances(score: Array) -> bool:
    return bool(score.min() >= 0 and score.max() <= 1)


def declared(limits: Limits, gate: Literal["segments", "fairness"]) -> tuple[str, ...]:
    """The columns of `gates.<gate>`. Raises Problem where the owner has said nothing: that there are none is said by []."""
    if "columns" not in (limits.content["gates"].get(gate) or {}):
        raise Problem(f"{gate}: key is missing, expected columns, or [] for none ({limits.file}: gates.{gate}.columns)")
    return limits.segments if gate == "segments" else limits.groups


def undeclared(gate: str, name: str, limits: Limits) -> Check:
    """What a check of columns says where the owner declares that there are none."""
    return Check(gate, name, Verdict.PASS, f"no column declared ({limits.file}: gates.{gate}.columns is [])", n=0)


def numbers(
    found: Comparison | None, n: int
) -> tuple[float | None, tuple[float, float] | None, float | None, int, float | None]:
    """estimate, interval, margin, n and smallest detectable effect, in the order of Check; None where nothing was compared."""
    if found is None:
        return None, None, None, n, None
    return found.estimate, found.interval, found.margin, n, found.smallest_detectable_effect
