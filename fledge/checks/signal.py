"""How much of the label does one input tell alone? One that tells nearly all of it was made from it.

Source: Kaufman et al. 2012 (leakage in data mining).
"""

from collections.abc import Iterator
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
from fledge.stats import Array, Estimate

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


def single_feature(rows: Rows, contract: Contract, task: Task, limit: SingleFeature, file: str) -> Check:
    """No input alone is shown to tell more than `max`, or `above_runner_up` more than the next best.

    A number tells by its rank, either way round; a word by the mean label that it has in one half of the clusters, in
    the other half. The strongest input's lower bound counts, with errors by cluster.
    """
    found = sorted((strongest(name, rows, task) for name in contract.inputs), key=lambda one: one.strength)[::-1]
    if not found:
        raise Problem("leakage: found no input, expected at least one (contract.yaml: inputs)")
    best, second = found[0], found[1].strength if len(found) > 1 else None
    most = limit.max if second is None else min(limit.max, second + limit.above_runner_up)
    compared = stats.compare(estimate(best, task), most)
    unit = "rank correlation" if task == "regression" else "AUC"
    next_best = f" (the next best, {found[1].input}, {second:.3f})" if second is not None else ""
    return Check(
        "leakage",
        "single_feature",
        Verdict.BLOCK if compared.shown_beyond else Verdict.PASS,
        f"{best.input} alone has {unit} {best.strength:.3f}, at least {compared.interval[0]:.3f}, "
        f"expected at most {most:.3f}{next_best}",
        f"leave {best.input} out if it is known only afterwards; if it is known in time, move "
        f"{file}: gates.leakage.single_feature"
        if compared.shown_beyond
        else "",
        best.strength,
        compared.interval,
        most,
        len(best.target),
        unit=unit,
        inconclusive=limit.inconclusive,
        details={"inputs": [{"input": one.input, "strength": one.strength} for one in found]},
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
    learnt = np.unique(cluster, return_inverse=True)[1] % 2 == 0
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
