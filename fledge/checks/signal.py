"""How much of the label does one input tell alone? One that tells nearly all of it was made from it.

Source: Kaufman et al. 2012 (leakage in data mining).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import rankdata

from fledge import stats
from fledge.artifact.contract import Contract
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Task
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison, Estimate

Strength = Annotated[float, Field(gt=0, le=1)]


class SingleFeature(Limit):
    max: Strength
    above_runner_up: Strength


@dataclass(frozen=True)
class Signal:
    """An input as a score (n,) of a target (n,) on rows of some clusters (n,), turned so that more of it means more.

    `strength` is the area under the ROC curve of the target, or |Spearman's rank correlation| for a regression.
    """

    input: str
    strength: float
    score: Array
    target: Array
    cluster: Array


@dataclass(frozen=True)
class Judged:
    """An input's signal beside the limit that it must keep."""

    signal: Signal
    compared: Comparison

    @property
    def low(self) -> float:
        """What it tells at least."""
        return self.compared.interval[0]


def single_feature(rows: Rows, contract: Contract, task: Task, limit: SingleFeature, file: str) -> Check:
    """No input alone is shown to tell more than `max`, nor the strongest `above_runner_up` more than the next best.

    A number tells by its rank, either way round; a word by the mean label that it has in one half of the clusters, in
    the other half. The lower bounds count, with errors by cluster; among inputs beyond the limit the surest is reported.
    """
    found = sorted((strongest(name, rows, task) for name in contract.inputs), key=lambda one: one.strength)[::-1]
    if not found:
        raise Problem("leakage: found no input, expected at least one (contract.yaml: inputs)")
    judged = list(_judged(found, task, limit))
    beyond = sorted((one for one in judged if one.compared.shown_beyond), key=lambda one: one.low, reverse=True)
    said = (beyond or judged)[0]
    unit = "rank correlation" if task == "regression" else "AUC"
    return Check(
        "leakage",
        "single_feature",
        Verdict.BLOCK if beyond else Verdict.PASS,
        _reason(said, beyond, found, unit),
        _remedy(beyond, file),
        said.signal.strength,
        said.compared.interval,
        said.compared.margin,
        len(said.signal.target),
        unit=unit,
        inconclusive=limit.inconclusive,
        details={"inputs": [{"input": one.input, "strength": one.strength} for one in found]},
    )


def _judged(found: Sequence[Signal], task: Task, limit: SingleFeature) -> Iterator[Judged]:
    """The strongest input beside its limit, then what else is stronger than `max`: no other's lower bound can be beyond.

    All of these, because the strongest may be so by chance, and hide with its noise one that is surely too strong.
    """
    best, *others = found
    most = min([limit.max, *(one.strength + limit.above_runner_up for one in others[:1])])
    yield Judged(best, stats.compare(estimate(best, task), most))
    for one in others:
        if one.strength > limit.max:
            yield Judged(one, stats.compare(estimate(one, task), limit.max))


def _reason(said: Judged, beyond: Sequence[Judged], found: Sequence[Signal], unit: str) -> str:
    """What one input tells, beside the next best if it is the best itself; and what else is beyond its limit."""
    best, *others = found
    next_best = [f" (the next best, {one.input}, {one.strength:.3f})" for one in others[:1] if said.signal is best]
    too = [f"{one.signal.input} ({one.signal.strength:.3f}, at least {one.low:.3f})" for one in beyond[1:]]
    return (
        f"{said.signal.input} alone has {unit} {said.signal.strength:.3f}, at least {said.low:.3f}, "
        f"expected at most {said.compared.margin:.3f}{''.join(next_best)}{'; beyond it too: ' * bool(too)}{', '.join(too)}"
    )


def _remedy(beyond: Sequence[Judged], file: str) -> str:
    if not beyond:
        return ""
    names, they = ", ".join(one.signal.input for one in beyond), "it is" if len(beyond) == 1 else "they are"
    return (
        f"leave {names} out if {they} known only afterwards; if {they} known in time, move "
        f"{file}: gates.leakage.single_feature"
    )


def strongest(name: str, rows: Rows, task: Task) -> Signal:
    """The input `name` beside the target that it tells most of: a class against the rest, or a regression's label."""
    return max((_signal(name, rows, target, task) for target in targets(rows, task)), key=lambda one: one.strength)


def targets(rows: Rows, task: Task) -> Iterator[Array]:
    """What an input is ranked against (n,): the label of a regression, 1 for a binary's second class, each of many."""
    if task == "regression":
        yield rows.label
    else:
        yield from ((rows.label == one).astype(float) for one in ([1] if task == "binary" else np.unique(rows.label)))


def estimate(signal: Signal, task: Task) -> Estimate:
    """A signal's strength with its clustered error: DeLong's for the area, the delta method's for the correlation.

    Raises ValueError for fewer than two clusters, or two rows of a class.
    """
    if task == "regression":
        u, v = (_standard(values) for values in (signal.score, signal.target))
        influence = u * v - signal.strength / 2 * (u**2 + v**2)
        return stats.clustered_mean(influence, signal.cluster)._replace(value=signal.strength)
    half = stats.auc_difference(signal.target, signal.score, np.zeros(len(signal.score)), signal.cluster)
    return half._replace(value=half.value + 0.5)


def _signal(name: str, rows: Rows, target: Array, task: Task) -> Signal:
    values, cluster = rows.inputs[name], rows.cluster
    if values.dtype.kind == "O":
        values, target, cluster = _encoded(values, target, cluster)
    # What is not known ranks below everything: that it is not known may be the leak.
    score = rankdata(np.where(np.isnan(values), -np.inf, values))
    strength = float(np.mean(_standard(score) * _standard(target))) if task == "regression" else _auc(target, score)
    middle = 0.0 if task == "regression" else 0.5
    turned = strength < middle
    return Signal(name, abs(strength - middle) + middle, -score if turned else score, target, cluster)


def _encoded(words: Array, target: Array, cluster: Array) -> tuple[Array, Array, Array]:
    """The words of every other cluster as the mean target of the same word in the rest, which says nothing by chance."""
    learnt = stats.clusters(cluster)[0] % 2 == 0
    means = pd.Series(target[learnt]).groupby(words[learnt]).mean()
    return pd.Series(words[~learnt], dtype=object).map(means).to_numpy(float), target[~learnt], cluster[~learnt]


def _auc(target: Array, score: Array) -> float:
    """The area under the ROC curve of ranks (Mann & Whitney 1947); 0.5 where a class has no row."""
    up = int(target.sum())
    if not 0 < up < len(target):
        return 0.5
    return float((score[target == 1].mean() - (up + 1) / 2) / (len(target) - up))


def _standard(values: Array) -> Array:
    """Ranks (n,) with mean 0 and deviation 1; all 0 where every value is the same."""
    rank = rankdata(values)
    spread = rank.std()
    return (rank - rank.mean()) / spread if spread else np.zeros(len(rank))
