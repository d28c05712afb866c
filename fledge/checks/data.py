"""Are the rows fit to judge with, and fit to train on? What the contract says of each input is counted and capped.

Sources: Breck et al. 2019 (data validation: rows are held to a schema), Clopper & Pearson 1934 (exact bounds). A share
blocks only where its exact lower bound exceeds the cap, so three bad rows in forty stop no release. The bound takes rows
as independent; rows that fail together (an hour without weather) are what the room between a measured share and its cap
is for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from scipy import stats

from fledge.artifact.contract import Array, Contract, Input
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.project import Strict
from fledge.stats import distinct

FALSE_BLOCK = 0.01  # chance of refusing rows whose true shares are all at their caps

Cap = Annotated[float, Field(ge=0, lt=1)]


class Caps(Strict):
    """The largest shares that one column may have; what is absent is as for the other columns."""

    missing: Cap | None = None
    unseen: Cap | None = None
    out_of_range: Cap | None = None


class Quality(Limit):
    missing: Cap
    unseen: Cap
    out_of_range: Cap
    columns: dict[str, Caps] = Field(default_factory=dict)

    def cap(self, column: str, fault: str) -> float:
        """The column's own cap of a fault, else that of all columns."""
        own = getattr(self.columns.get(column), fault, None)
        return float(getattr(self, fault) if own is None else own)


class Count(Limit):
    rows: PositiveInt
    clusters: PositiveInt


@dataclass(frozen=True)
class Share:
    """`found` of `rows` rows have `fault` in a column; `example` is the commonest such value. Bounds are exact."""

    column: str
    fault: str  # missing, unseen or out_of_range, as the limits call it
    found: int
    rows: int
    share: float
    low: float
    high: float
    cap: float
    example: str

    @property
    def line(self) -> str:
        said = f"{self.column}: {self.share:.2%} {self.fault}" + (f" ({self.example})" if self.example else "")
        return f"{said}, at least {self.low:.2%}, expected at most {self.cap:.2%}"


def quality(rows: Rows, contract: Contract, limit: Quality, file: str, name: str = "quality") -> Check:
    """The check `name`: no input's share of missing, unseen or out-of-range values is shown to exceed its cap.

    Raises Problem for the cap of a column that is no input, and for a contract without inputs.
    """
    _only_inputs(limit, contract, file)
    shares = judged(rows.inputs, contract, limit)
    faults = [share.line for share in shares if share.low > share.cap]
    worst = max(shares, key=lambda share: (share.low > share.cap, share.share / (share.cap or 1)))
    return Check(
        "data",
        name,
        Verdict.BLOCK if faults else Verdict.PASS,
        "; ".join(faults) or f"nearest to its cap of {len(shares)} shares is {worst.line}",
        f"mend the rows, or say how the inputs are now: contract.yaml, {file}: gates.data.quality" if faults else "",
        worst.share,
        (worst.low, worst.high),
        worst.cap,
        len(rows),
        unit=f"of {worst.column} {worst.fault}",
        inconclusive=limit.inconclusive,
        details={"columns": [asdict(share) for share in shares]},
    )


def unknown_training(gate: str, name: str, limit: Limit, file: str) -> Check:
    """What a check of training rows says of an artifact whose training rows nobody named."""
    return Check(
        gate,
        name,
        Verdict.INCONCLUSIVE,
        f"no training rows are known, expected those that the candidate saw ({file}: train.months)",
        f"name them ({file}: train.months), or let this warn ({file}: gates.{gate}.{name}.inconclusive)",
        inconclusive=limit.inconclusive,
    )


def count(rows: Rows, limit: Count, file: str) -> Check:
    """As many rows and clusters are held out as the owner wants: a month that arrived in part judges nothing."""
    clusters = distinct(rows.cluster)
    short = len(rows) < limit.rows or clusters < limit.clusters
    found = f"{len(rows):,} rows of {clusters:,} clusters are held out"
    return Check(
        "data",
        "count",
        Verdict.BLOCK if short else Verdict.PASS,
        f"{found}, expected at least {limit.rows:,} of {limit.clusters:,}",
        f"hold out more ({file}: gates.rows), or say that fewer are enough ({file}: gates.data.count)" if short else "",
        estimate=len(rows),
        margin=limit.rows,
        n=len(rows),
        unit="rows",
    )


def judged(inputs: Mapping[str, Array], contract: Contract, limit: Quality) -> list[Share]:
    """Every share of every input with its exact bounds (Clopper & Pearson 1934).

    All bounds of one side hold together with a chance of 1 − FALSE_BLOCK (Bonferroni).
    """
    found = [(name, *fault) for name, given in contract.inputs.items() for fault in faults(given, inputs[name])]
    return [_share(name, fault, inputs[name], wrong, limit, FALSE_BLOCK / len(found)) for name, fault, wrong in found]


def faults(given: Input, values: Array) -> Iterator[tuple[str, Array]]:
    """What can be wrong with an input's `values` (n,), and where it is (n,): each value has one fault at most."""
    absent = missing(given, values)
    yield "missing", absent
    if given.known is not None:
        yield "unseen", ~absent & ~_among(given, values)
    if values.dtype.kind in "iuf":
        yield "out_of_range", ~absent & ~_within(given, values)


def missing(given: Input, values: Array) -> Array:
    """Where `values` (n,) are not known: the contract's `missing`, not a number, or nothing at all."""
    absent = np.asarray(pd.isna(values))
    return absent if given.missing is None else absent | (values == given.array([None])[0])


def _among(given: Input, values: Array) -> Array:
    known = set(given.array(given.known or []).tolist())
    return np.fromiter(map(known.__contains__, values.tolist()), bool, len(values))


def _within(given: Input, values: Array) -> Array:
    low, high = given.range or (-np.inf, np.inf)
    inside: Array = np.isfinite(values) & (values >= low) & (values <= high)
    return inside


def _share(name: str, fault: str, values: Array, wrong: Array, limit: Quality, alpha: float) -> Share:
    found, n = int(wrong.sum()), len(wrong)
    exact = stats.binomtest(found, n).proportion_ci(1 - 2 * alpha, "exact")
    commonest = pd.Series(values[wrong]).value_counts().index.tolist() if fault != "missing" else []
    example = f"mostly {commonest[0]!r}" if commonest else ""
    cap = limit.cap(name, fault)
    return Share(name, fault, found, n, found / n, float(exact.low), float(exact.high), cap, example)


def _only_inputs(limit: Quality, contract: Contract, file: str) -> None:
    if not contract.inputs:
        raise Problem("data: found no input, expected at least one (contract.yaml: inputs)")
    if strange := [name for name in limit.columns if name not in contract.inputs]:
        known, where = ", ".join(contract.inputs), f"({file}: gates.data.quality.columns)"
        raise Problem(*(f"data: found caps of {name}, expected one of {known} {where}" for name in strange))
