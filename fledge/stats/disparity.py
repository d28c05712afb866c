"""How far apart groups of rows are treated by a model, and how much further than by another: arrays in, numbers out.

The measures are those of Hardt, Price & Srebro 2016 (equalised odds) and of the four-fifths rule (29 CFR 1607.4 D). Their
errors come from a bootstrap of whole clusters (Field & Welsh 2007): a largest or smallest of groups has no formula.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from fledge import stats
from fledge.stats import Array, Estimate, metrics

Measure = Literal["selection_rate_ratio", "equalised_odds_gap", "accuracy_gap", "error_gap"]
MEASURES: Mapping[str, Sequence[Measure]] = {
    "binary": ("selection_rate_ratio", "equalised_odds_gap", "accuracy_gap"),
    "multiclass": ("accuracy_gap",),
    "regression": ("error_gap",),
}
HIGHER_IS_BETTER = ("selection_rate_ratio",)

RESAMPLES, SEED = 2000, 0
BUNDLES = 500  # clusters beyond so many are bundled and bundles resampled, which is as valid (Wolter 2007, chapter 2)


class Rate(NamedTuple):
    """A share or a mean within each group: the sum of one number per row (n,) over the sum of another."""

    name: str
    above: Array
    below: Array


class Groups(NamedTuple):
    """Rows (n,) by label, group and cluster; groups and clusters are numbered from 0."""

    label: Array
    group: Array
    cluster: Array
    threshold: float = 0.5  # from which a chance is a yes


def apart(measure: Measure, groups: Groups, score: Array) -> Estimate:
    """How far apart the groups are treated by `score` (n,) or (n, classes).

    A gap is the largest minus the smallest rate of any group, 0 if they are alike; of equalised odds it is the larger of
    two, in the rates of yes among positives and among negatives; of `error_gap` it is a share of the mean absolute error
    of all rows. The selection rate's ratio is the smallest over the largest, 1 if they are alike, also where nobody gets a
    yes. Raises ValueError for less than two groups or clusters.
    """
    return _estimate(_draws(measure, groups, score), groups)


def further_apart(measure: Measure, groups: Groups, ours: Array, theirs: Array) -> Estimate:
    """`apart` of ours minus `apart` of theirs, both from the same resampled clusters."""
    return _estimate(_draws(measure, groups, ours) - _draws(measure, groups, theirs), groups)


def rates(measure: Measure, groups: Groups, score: Array) -> dict[str, list[float]]:
    """What the measure compares: each rate of each group, nan where a group has no row for it."""
    if not len(groups.label):
        return {}
    found = {rate.name: _sums(rate, groups) for rate in _rates(measure, groups, score)}
    return {name: (above.sum(axis=0) / below.sum(axis=0)).tolist() for name, (above, below) in found.items()}


def _rates(measure: Measure, groups: Groups, score: Array) -> list[Rate]:
    every = np.ones(len(groups.label))
    if measure == "error_gap":
        return [Rate("absolute_error", metrics.absolute_error(groups.label, score), every)]
    if measure == "accuracy_gap":
        return [Rate("accuracy", metrics.correct(groups.label, score, groups.threshold), every)]
    yes = score >= groups.threshold
    if measure == "selection_rate_ratio":
        return [Rate("selection_rate", yes, every)]
    positive = groups.label == 1
    return [
        Rate("true_positive_rate", yes & positive, positive),
        Rate("false_positive_rate", yes & ~positive, ~positive),
    ]


def _draws(measure: Measure, groups: Groups, score: Array) -> Array:
    """The measure of all rows, then of each resample (1 + RESAMPLES,)."""
    spreads = []
    for rate in _rates(measure, groups, score):
        above, below = _sums(rate, groups)
        weights = _weights(len(above))
        above, below = weights @ above, weights @ below
        with np.errstate(invalid="ignore", divide="ignore"):
            each = above / below  # nan: none of the group's rows is in the resample
            low, high = np.nanmin(each, axis=1), np.nanmax(each, axis=1)
            if measure == "selection_rate_ratio":
                spreads.append(np.where(high > 0, low / high, 1.0))
            elif measure == "error_gap":
                overall = above.sum(axis=1) / below.sum(axis=1)
                spreads.append(np.where(overall > 0, (high - low) / overall, 0.0))
            else:
                spreads.append(high - low)
    return np.asarray(np.max(spreads, axis=0))


def _sums(rate: Rate, groups: Groups) -> tuple[Array, Array]:
    """Numerator and denominator, each summed over the rows of a bundle of clusters and a group (bundles, groups)."""
    cluster, count = stats.clusters(groups.cluster)
    bundles, width = min(count, BUNDLES), int(groups.group.max()) + 1
    cell = (cluster % bundles) * width + groups.group
    above, below = (np.bincount(cell, one, bundles * width).reshape(bundles, width) for one in (rate.above, rate.below))
    return above, below


@cache
def _weights(bundles: int) -> Array:
    """How often each bundle is in a resample (1 + RESAMPLES, bundles); the first is the sample itself. Always the same."""
    drawn = np.random.default_rng(SEED).multinomial(bundles, np.full(bundles, 1 / bundles), RESAMPLES)
    return np.concatenate([np.ones((1, bundles)), drawn])


def _estimate(draws: Array, groups: Groups) -> Estimate:
    clusters = len(np.unique(groups.cluster))
    if clusters < 2 or groups.group.max() < 1:
        raise ValueError("groups are apart in two clusters or more, and two groups or more")
    return Estimate(float(draws[0]), float(np.nanstd(draws[1:], ddof=1)), min(clusters, BUNDLES) - 1)
