"""Scores that a person wants to see and no gate judges by: they hide damage to ranking and calibration."""

import numpy as np

from fledge.checks.scores import usable
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.stats import Array, metrics

Scores = dict[str, float | None]


def report(limits: Limits, rows: Rows, ours: Array, theirs: Array | None) -> Check:
    """Precision, recall, F1 and accuracy at the threshold, or a regression's errors.

    Of many classes the first three are means over them, in which a class that is never said counts 0. Passes whatever
    they are; what cannot be scored raises Problem. A score of nothing (no yes, no positive) is None.
    """
    usable(rows, candidate=ours, champion=theirs)
    found = {
        who: _scores(limits, rows.label, s) for who, s in (("candidate", ours), ("champion", theirs)) if s is not None
    }
    lines = [f"{name} {_number(score)}" for name, score in found["candidate"].items()]
    return Check(
        "regression",
        "report",
        Verdict.PASS,
        f"reported, not judged: {', '.join(lines)}",
        n=len(rows),
        details={"threshold": limits.threshold if limits.task == "binary" else None, "scores": found},
    )


def decided(label: Array, decision: Array) -> Scores:
    """Precision, recall and F1 of yes/no decisions (n,) about a label (n,) of 0 and 1; None where there is no such row."""
    hits = int(np.sum(decision & (label == 1)))
    said, there = int(decision.sum()), int(np.sum(label == 1))
    return {
        "precision": hits / said if said else None,
        "recall": hits / there if there else None,
        "f1": 2 * hits / (said + there) if said + there else None,
    }


def _scores(limits: Limits, label: Array, score: Array) -> Scores:
    if limits.task == "regression":
        square = float(metrics.squared_error(label, score).mean())
        return {
            "root_mean_squared_error": square**0.5,
            "mean_absolute_error": float(metrics.absolute_error(label, score).mean()),
            "r_squared": 1 - square / float(label.var()) if label.var() else None,
        }
    accuracy = float(metrics.correct(label, score, limits.threshold).mean())
    if limits.task == "binary":
        return {**decided(label, score >= limits.threshold), "accuracy": accuracy}
    likeliest = score.argmax(axis=1)
    each = [decided((label == k).astype(int), likeliest == k) for k in range(score.shape[1])]
    means: Scores = {name: sum(one[name] or 0.0 for one in each) / len(each) for name in each[0]}
    return means | {"accuracy": accuracy}


def _number(score: float | None) -> str:
    return "–" if score is None else f"{score:.4g}"
