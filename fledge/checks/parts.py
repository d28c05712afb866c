"""The rows by the values of a column: which of them are enough to judge, and the rest pooled. Nothing is dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, clusters, distinct

OTHER, MISSING = "other", "(missing)"


@dataclass(frozen=True)
class Part:
    """The rows (an index into them) of one value of a column; `why` says what it lacks to be judged, nothing if it may be.

    `other`, which is the `rest`, pools the parts that lack something, which `pooled` marks. One that is `weak`, which says
    why, is judged for itself and in `other`.
    """

    column: str
    name: str
    rows: Array
    why: str = ""
    pooled: bool = False
    weak: str = ""
    rest: bool = False

    @property
    def judged(self) -> bool:
        return not self.why

    @property
    def line(self) -> str:
        return f"{self.name} ({self.why or self.weak})"


def parts(limits: Limits, rows: Rows, column: str, least: int) -> list[Part]:
    """The parts of `column` in the order of their names, then `other` if any of them lacks something.

    A part is judged with `least` positives and as many negatives. For many classes that is rows of its commonest class
    and rows of all others; a regression needs 2 · `least` rows. And it needs two clusters, of either label where there are
    two, or it has no visible spread.
    Raises Problem for a column that the rows lack.
    """
    if column not in rows.columns:
        raise Problem(
            f"rows: no column {column}, expected it ({limits.file}: gates.segments.columns, gates.fairness.columns)"
        )
    codes, names = named(rows.columns[column])
    order = np.argsort(codes, kind="stable")
    pieces = np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1])
    cluster = clusters(rows.cluster)[0]
    found = []
    for name, index in zip(names, pieces, strict=True):
        why = _lacks(limits, rows.label[index], cluster[index], least)
        found.append(Part(column, name, index, why, pooled=bool(why)))
    return with_rest(limits, rows, found, least)


def with_rest(limits: Limits, rows: Rows, found: Sequence[Part], least: int) -> list[Part]:
    """The parts of a column and, if any are pooled, `other` of their rows; in the place of an `other` that is there."""
    own = [part for part in found if not part.rest]
    small = [part for part in own if part.pooled]
    if not small:
        return own
    index = np.sort(np.concatenate([part.rows for part in small]))
    why = _lacks(limits, rows.label[index], clusters(rows.cluster)[0][index], least)
    return [*own, Part(small[0].column, OTHER, index, why, rest=True)]


def enough(found: Sequence[Part], least: int = 1) -> bool:
    """Whether so many parts of a column can be judged, each for itself: `other` says nothing about any one of them."""
    return sum(part.judged and not part.pooled and not part.rest for part in found) >= least


def unjudged(found: Sequence[Part], shown: int = 8) -> str:
    """The parts that are not judged for themselves, for a reason's last words; all of them are in the details."""
    lines = [f"{part.column} {part.line}" for part in found if part.pooled]
    more = [f"and {len(lines) - shown} more"] if len(lines) > shown else []
    return f"; not judged: {', '.join([*lines[:shown], *more])}" if lines else ""


def named(values: Array) -> tuple[Array, list[str]]:
    """Each value (n,) as a number into the sorted names of all."""
    if values.dtype == object:
        distinct = list(dict.fromkeys(values.tolist()))
        place = {value: index for index, value in enumerate(distinct)}
        codes = np.fromiter(map(place.__getitem__, values.tolist()), np.int64, len(values))
    else:
        unique, codes = np.unique(values, return_inverse=True)
        distinct = unique.tolist()
    names = [MISSING if _absent(value) else str(value) for value in distinct]
    ordered = sorted(set(names))
    position = {name: index for index, name in enumerate(ordered)}
    return np.array([position[name] for name in names], dtype=np.int64)[codes], ordered


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _lacks(limits: Limits, label: Array, cluster: Array, least: int) -> str:
    return _few(limits, label, least) or _alone(limits, label, cluster)


def _alone(limits: Limits, label: Array, cluster: Array) -> str:
    if distinct(cluster) < 2:
        return "one cluster"
    alike = {"positives": label == 1, "negatives": label == 0} if limits.task == "binary" else {}
    found = [f"all {name} in one cluster" for name, where in alike.items() if distinct(cluster[where]) < 2]
    return found[0] if found else ""


def _few(limits: Limits, label: Array, least: int) -> str:
    if limits.task == "regression":
        return f"{len(label)} rows" if len(label) < 2 * least else ""
    counts = np.bincount(label, minlength=2)
    if limits.task == "multiclass":
        common = int(counts.max())
        few = min(common, len(label) - common) < least
        return f"{common} rows of its commonest class, {len(label) - common} others" if few else ""
    if not counts.min():
        return "no positives" if counts[0] else "no negatives"
    return f"{counts[1]} positives, {counts[0]} negatives" if counts.min() < least else ""
