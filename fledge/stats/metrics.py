"""What a model is scored by: one number per row and metric, and how two models differ in a metric on the same rows."""

from collections.abc import Callable, Mapping

import numpy as np

from fledge.stats import Array, Estimate, auc_difference, clustered_mean

HIGHER_IS_BETTER = (
    "auc",
    "accuracy",
)  # compared as they are; any other metric is a loss, compared relative to the champion's


def difference(
    metric: str, label: Array, ours: Array, theirs: Array, cluster: Array, *, threshold: float = 0.5
) -> Estimate:
    """`ours` minus `theirs` in the metric on the same rows, with its clustered error: by DeLong for auc, a share of rows
    for accuracy, and for a loss a share of `theirs`.

    `label` (n,); `ours`, `theirs` (n,), or (n, classes) for many classes. `threshold` decides accuracy of (n,) chances.
    Raises ValueError for too few rows or clusters, and for a loss of `theirs` that is 0, of which nothing is a share.
    """
    if metric == "auc":
        return auc_difference(label, ours, theirs, cluster)
    difference, before = per_row(metric, label, ours, theirs, threshold)
    return clustered_mean(difference, cluster).scaled(1 / before)


def per_row(metric: str, label: Array, ours: Array, theirs: Array, threshold: float = 0.5) -> tuple[Array, float]:
    """`ours` minus `theirs` in each row (n,), and what the mean of that is a share of: the loss of `theirs`, 1 for accuracy.

    Raises ValueError as `difference` does.
    """
    if metric == "accuracy":
        right, before = (correct(label, score, threshold).astype(float) for score in (ours, theirs))
        return right - before, 1.0
    loss, before = (LOSSES[metric](label, score) for score in (ours, theirs))
    if not before.any():
        raise ValueError(f"the champion's {metric} is 0 in every row, expected a loss to compare with")
    return loss - before, float(before.mean())


def unit(metric: str) -> str:
    """What a `difference` is counted in."""
    return {"auc": "AUC", "accuracy": "share"}.get(metric, "of champion's")


def log_loss(label: Array, probability: Array) -> Array:
    """−log of the probability given to what happened, per row (n,), in nats.

    `probability` is (n,), the chance that `label` (0 or 1) is 1; or (n, classes), and `label` an index into it.
    A chance of 0 counts as the smallest float32 above 0, so one such row is expensive (87 nats) but not infinite.
    """
    if probability.ndim == 1:
        happened = np.where(label == 1, probability, 1.0 - probability.astype(np.float64))
    else:
        happened = probability[np.arange(len(label)), label]
    return -np.log(np.maximum(happened, np.finfo(np.float32).tiny, dtype=np.float64))


def squared_error(label: Array, answer: Array) -> Array:
    """(answer − label)² per row (n,), in the label's unit squared; of a chance it is the Brier score (Brier 1950)."""
    error: Array = (answer - label) ** 2
    return error


def absolute_error(label: Array, answer: Array) -> Array:
    """|answer − label| per row (n,), in the label's unit."""
    error: Array = np.abs(answer - label)
    return error


def correct(label: Array, score: Array, threshold: float = 0.5) -> Array:
    """Whether the decision is right, per row (n,): the likeliest of (n, classes), or yes from `threshold` up of (n,)."""
    decided: Array = score.argmax(axis=1) if score.ndim > 1 else score >= threshold
    right: Array = decided == label
    return right


LOSSES: Mapping[str, Callable[[Array, Array], Array]] = {
    "log_loss": log_loss,
    "brier": squared_error,
    "squared_error": squared_error,
    "absolute_error": absolute_error,
}
