"""Is the candidate as good as the champion on the same rows, and better than a constant?"""

from collections.abc import Callable

import numpy as np
import pytest

from fledge import stats
from fledge.contract import Contract
from fledge.evidence import Check, Verdict
from fledge.limits import Limit, Limits
from fledge.problems import Problem
from fledge.rows import Rows
from fledge.savedmodel import Model
from fledge.stats import Array, Comparison

Record = Callable[[Check], None]

WORSE = "retrain the candidate, or show why the loss is worth it and move {key}"


class Margin(Limit):
    margin: float


class Calibration(Limit):
    limit: float
    above_champion: float


class Floor(Limit):
    min_improvement: float


@pytest.fixture(scope="module")
def ours(candidate: Model, contract: Contract, rows: Rows) -> Array:
    """The candidate's scores."""
    return scores("candidate", candidate, contract, rows)


@pytest.fixture(scope="module")
def theirs(champion: Model, contract: Contract, rows: Rows) -> Array:
    """The champion's scores."""
    return scores("champion", champion, contract, rows)


@pytest.fixture(scope="module")
def champion_off(request: pytest.FixtureRequest, first: bool, rows: Rows) -> float:
    """How far the champion's mean prediction is from the rate of the label; infinitely good for a first release."""
    if first:
        return float("-inf")
    return abs(float(np.mean(request.getfixturevalue("theirs") - rows.label)))


@pytest.mark.task("binary")
def test_auc(ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate ranks rows as well as the champion: its AUC is not lower by more than the margin."""
    limit = limits.of("regression", "auc", Margin)
    difference = stats.auc_difference(rows.label, ours, theirs, rows.cluster)
    compared = stats.compare(difference, -limit.margin, higher_is_better=True)
    record(not_worse("auc", compared, "AUC", rows, limits, limit))


def test_log_loss(ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate's log-loss, which sees ranking and calibration, is not higher by more than the margin."""
    limit = limits.of("regression", "log_loss", Margin)
    before = stats.log_loss(rows.label, theirs)
    difference = stats.clustered_mean(stats.log_loss(rows.label, ours) - before, rows.cluster)
    compared = stats.compare(difference.scaled(1 / before.mean()), limit.margin)
    record(not_worse("log_loss", compared, "of champion's", rows, limits, limit))


@pytest.mark.task("multiclass")
def test_accuracy(ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate is right as often as the champion, within the margin."""
    limit = limits.of("regression", "accuracy", Margin)
    right, before = (p.argmax(axis=1) == rows.label for p in (ours, theirs))
    difference = stats.clustered_mean(right.astype(float) - before, rows.cluster)
    compared = stats.compare(difference, -limit.margin, higher_is_better=True)
    record(not_worse("accuracy", compared, "share", rows, limits, limit))


@pytest.mark.task("binary")
def test_calibration(ours: Array, champion_off: float, rows: Rows, limits: Limits, record: Record) -> None:
    """The mean prediction is as near to the rate of the label as the champion's, or within the limit."""
    limit = limits.of("regression", "calibration", Calibration)
    off = stats.clustered_mean(ours - rows.label, rows.cluster)
    allowed = max(limit.limit, champion_off + limit.above_champion)
    compared = stats.compare(off, allowed)
    bad = not abs(off.value) <= allowed
    record(
        Check(
            "regression",
            "calibration",
            Verdict.BLOCK if bad else Verdict.PASS,
            f"mean prediction - mean label is {off.value:+.4f}, expected within ±{allowed:.4f}",
            WORSE.format(key=f"{limits.file}: gates.regression.calibration.limit") if bad else "",
            *numbers(compared, rows),
            "share",
        )
    )


def test_floor(ours: Array, rows: Rows, contract: Contract, limits: Limits, record: Record) -> None:
    """The candidate beats the best constant answer by more than the least improvement."""
    least = limits.of("regression", "floor", Floor).min_improvement
    shares = np.bincount(rows.label, minlength=len(contract.classes)) / len(rows)
    constant = np.broadcast_to(shares, (len(rows), len(shares)))
    before = stats.log_loss(rows.label, constant)
    gain = stats.clustered_mean(before - stats.log_loss(rows.label, ours), rows.cluster).scaled(1 / before.mean())
    compared = stats.compare(gain, least, higher_is_better=True)
    low = compared.interval[0]
    good = low > least  # strictly: a constant answer gains nothing, and nothing is not enough
    record(
        Check(
            "regression",
            "floor",
            Verdict.PASS if good else Verdict.BLOCK,
            f"gain over the best constant's log-loss is {gain.value:+.2%}, at worst {low:+.2%}, expected above {least:+.2%}",
            "" if good else WORSE.format(key=f"{limits.file}: gates.regression.floor.min_improvement"),
            *numbers(compared, rows),
            "of constant's",
        )
    )


def not_worse(name: str, found: Comparison, unit: str, rows: Rows, limits: Limits, limit: Margin) -> Check:
    """Non-inferiority: the candidate carries the burden of proof; rows that cannot carry it are INCONCLUSIVE."""
    key = f"{limits.file}: gates.regression.{name}.margin"
    low, high = found.interval
    reason = f"candidate - champion is {found.estimate:+.4f} {unit}, at worst " + (
        f"{low:+.4f}, expected above {found.margin:+.4f}"
        if found.higher_is_better
        else f"{high:+.4f}, expected below {found.margin:+.4f}"
    )
    verdict, remedy = Verdict.BLOCK, WORSE.format(key=key)
    # Shown better needs no power; shown worse needs none either.
    if found.shown_better or (found.shown_within and found.powerful):
        verdict, remedy = Verdict.PASS, ""
    elif not found.powerful and not found.shown_beyond:
        verdict = Verdict.INCONCLUSIVE
        reason = f"these rows can show a loss of {found.smallest_detectable_effect:.4f} at best, expected {abs(found.margin)}"
        remedy = f"hold out more rows ({limits.file}: gates.rows{_needed(found, rows)}) or move {key}"
    return Check("regression", name, verdict, reason, remedy, *numbers(found, rows), unit, limit.inconclusive)


def numbers(found: Comparison, rows: Rows) -> tuple[float, tuple[float, float], float, int, float]:
    """estimate, interval, margin, n and smallest detectable effect, in the order of Check."""
    return found.estimate, found.interval, found.margin, len(rows), found.smallest_detectable_effect


def scores(who: str, model: Model, contract: Contract, rows: Rows) -> Array:
    """The chances that `model` gives every row: (n,) for one output per row, (n, classes) otherwise."""
    answers = model.run(contract.signature, rows.inputs)
    if faults := contract.faults(answers, len(rows)):
        raise Problem(*(f"{who}: {fault} (contract.yaml: outputs)" for fault in faults))
    return np.asarray(answers[next(iter(contract.outputs))], dtype=np.float64)


def _needed(found: Comparison, rows: Rows) -> str:
    """The standard error falls with the root of the rows."""
    if not found.margin:
        return ""
    return f", about {len(rows) * (found.smallest_detectable_effect / found.margin) ** 2:,.0f} instead of {len(rows):,}"
