"""Does the candidate know what nobody knows when it is asked?

Sources: Kaufman et al. 2012 (leakage in data mining), López de Prado 2018 (embargo), Clopper & Pearson 1934 (copies).
"""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import binomtest

from fledge import stats
from fledge.artifact.contract import Contract
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Estimate
from fledge.stats.metrics import HIGHER_IS_BETTER

ALPHA = 0.01  # chance that the bound of an overlap is wrong
TELLING = 0.5  # where more rows than this recur by nature, a copy of a row is no news

Positive = Annotated[float, Field(gt=0)]


class Overlap(Limit):
    max_share: Annotated[float, Field(ge=0, lt=1)]


class Time(Limit):
    embargo: Annotated[float, Field(ge=0)]


class TooGood(Limit):
    absolute: Positive
    relative: Positive


class Gap(Limit):
    margin: Positive


def known_at(contract: Contract, limit: Limit) -> Check:
    """Each input's value is known when the question is asked; one that does not say so is INCONCLUSIVE."""
    said = {name: given.known_at for name, given in contract.inputs.items()}
    late = [
        f"{name} is known {hours:g} h after it" for name, hours in said.items() if hours is not None and not hours <= 0
    ]
    silent = [name for name, hours in said.items() if hours is None]
    verdict, reason = Verdict.PASS, f"each of {len(said)} inputs is known when the question is asked"
    if late:
        verdict, reason = Verdict.BLOCK, f"{', '.join(late)}, expected what is known when the question is asked"
    elif silent or not said:
        verdict = Verdict.INCONCLUSIVE
        reason = f"{', '.join(silent) or 'no input'}: not said when the value is known, expected it of every input"
    remedy = "leave the input out, or say when it is known (contract.yaml: inputs.<name>.known_at, in hours)"
    return Check(
        "leakage",
        "known_at",
        verdict,
        reason,
        "" if verdict is Verdict.PASS else remedy,
        n=len(said),
        inconclusive=limit.inconclusive,
    )


def overlap(rows: Rows, training: Rows, limit: Overlap, file: str) -> Check:
    """No more held-out rows are copies of training rows (inputs and label) than rows recur by nature.

    By nature: the share of training rows that another training cluster holds too. A copy is a fact about these very
    rows, so the bound is Clopper and Pearson's, without clusters: one copied day in seventy must not pass.
    """
    known = fingerprints(training)
    copies = np.isin(fingerprints(rows), known)
    natural = recurring(known, training.cluster)
    allowed = natural + limit.max_share
    bounds = binomtest(int(copies.sum()), len(copies)).proportion_ci(1 - 2 * ALPHA, "exact")
    verdict, remedy = Verdict.PASS, ""
    reason = (
        f"{copies.sum():,} of {len(rows):,} held-out rows are copies of training rows, a share of at least "
        f"{bounds.low:.3%}, expected at most {allowed:.3%} ({natural:.3%} recur by nature)"
    )
    if natural > TELLING:
        verdict, remedy = Verdict.INCONCLUSIVE, "add an input that tells rows apart, or let this warn"
        reason = f"{natural:.1%} of training rows recur in another cluster, expected rows that can be told apart"
    elif bounds.low > allowed:
        verdict = Verdict.BLOCK
        remedy = f"train without the held-out rows, or move {file}: gates.leakage.overlap.max_share"
    return Check(
        "leakage",
        "overlap",
        verdict,
        reason,
        remedy,
        float(copies.mean()),
        (float(bounds.low), float(bounds.high)),
        allowed,
        len(rows),
        unit="of rows",
        inconclusive=limit.inconclusive,
    )


def time(rows: Rows, training: Rows, limits: Limits, limit: Time) -> Check:
    """The months of gates.rows begin after training ends; of those in gates.holdout no cluster was trained on.

    `embargo` is what must lie between: days where the column is a date, its own unit where it is a number.
    Raises Problem for a time that is not known.
    """
    key, later = f"{limits.file}: gates.leakage.time.embargo", ~np.isin(rows.months, limits.holdout)
    held = pd.unique(rows.cluster[~later])  # not numpy's: among words there may be a None, which has no order
    shared = held[pd.Index(held).isin(pd.unique(training.cluster))]
    found, between = [], None
    if later.any():
        last, first = _known(training, limits).max(), _known(rows, limits)[later].min()
        between = distance(last, first)
        found += [f"training ends at {last}, later rows begin at {first}, expected more than {limit.embargo:g} between"]
    if not later.all():
        some = f" ({', '.join(map(str, shared[:3]))})" if len(shared) else ""
        found += [f"training saw {len(shared)} of {len(held)} clusters held out within its months, expected none{some}"]
    bad = len(shared) > 0 or (between is not None and not between > limit.embargo)
    return Check(
        "leakage",
        "time",
        Verdict.BLOCK if bad else Verdict.PASS,
        "; ".join(found),
        f"train on what was before (train.months, data.py), hold out what comes later (gates.rows), or move {key}"
        if bad
        else "",
        estimate=between,
        margin=limit.embargo,
        n=len(rows),
        unit=f"of {limits.time}",
    )


def too_good(metric: str, gain: Estimate, rows: Rows, limit: TooGood, file: str) -> Check:
    """The candidate is not so much better than the champion that a leak is the likelier cause.

    `gain` is better by how much: of auc and accuracy as it is, of a loss relative to the champion's. The estimate itself
    is compared, not its bound: a false alarm costs a look, a leak passes every other gate.
    """
    share = metric in HIGHER_IS_BETTER
    key, most = ("absolute", limit.absolute) if share else ("relative", limit.relative)
    compared = stats.compare(gain, most, higher_is_better=True)
    hold = gain.value > most
    where = f"{file}: gates.leakage.too_good.{key}"
    return Check(
        "leakage",
        "too_good",
        Verdict.BLOCK if hold else Verdict.PASS,
        f"{metric} is better than the champion's by {gain.value:+.4f}, expected at most {most:+.4f}",
        "a person decides: look for an input that is known only afterwards, and for held-out rows in training. "
        f"Whoever has shown that the gain is real moves {where} on the target branch first, whose limits judge"
        if hold
        else "",
        gain.value,
        compared.interval,
        most,
        len(rows),
        compared.smallest_detectable_effect,
        metric if share else "of champion's",
    )


def gap(held: Array, rows: Rows, trained: Array, training: Rows, before: float, limit: Gap, file: str) -> Check:
    """The candidate has not learnt its training rows by heart, where the champion has not.

    `held` (rows,) and `trained` (training,) are the candidate's loss minus the champion's of each row, `before` the
    champion's mean loss on `rows`. Blocks where the difference of the two means is shown beyond the margin.
    Raises ValueError for a champion without any loss, of which nothing is a share.
    """
    if not before:
        raise ValueError("the champion's loss is 0 in every row, expected a loss to compare with")
    ours, known = stats.clustered_mean(held, rows.cluster), stats.clustered_mean(trained, training.cluster)
    error = float(np.hypot(ours.error, known.error))
    wider = Estimate(ours.value - known.value, error, min(ours.freedom, known.freedom)).scaled(1 / before)
    compared = stats.shown(wider, limit.margin)
    bad = compared.shown_beyond
    return Check(
        "leakage",
        "gap",
        Verdict.BLOCK if bad else Verdict.PASS,
        f"from training to held-out rows the loss grows by {wider.value:+.2%} of the champion's more than the champion's "
        f"does, at least {compared.interval[0]:+.2%}, expected at most {limit.margin:+.2%}",
        f"regularise, stop earlier or train on more rows, or move {file}: gates.leakage.gap.margin" if bad else "",
        wider.value,
        compared.interval,
        limit.margin,
        len(rows) + len(training),
        compared.smallest_detectable_effect,
        "of champion's",
        details={"equal": 0},
    )


def fingerprints(rows: Rows) -> Array:
    """A 64-bit hash of each row's inputs and label (n,). Two rows of a hundred thousand share one by chance once in 10⁹."""
    columns = [*rows.inputs.values(), rows.label]
    frame = pd.DataFrame({str(number): values for number, values in enumerate(columns)})
    hashes: Array = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashes


def recurring(hashes: Array, cluster: Array) -> float:
    """The share of rows (n,) whose hash another cluster holds too: what a new cluster would share with the known ones."""
    clusters = pd.DataFrame({"hash": hashes, "cluster": cluster}).groupby("hash")["cluster"]
    return float((clusters.transform("nunique") > 1).mean())


def distance(before: object, after: object) -> float:
    """From `before` to `after`: days between dates, the difference of numbers; words have an order only, ±1."""
    if isinstance(before, np.datetime64) and isinstance(after, np.datetime64):
        return float((after - before) / np.timedelta64(1, "D"))
    if isinstance(before, str) or isinstance(after, str):
        return 1.0 if str(after) > str(before) else -1.0
    return float(after) - float(before)  # type: ignore[arg-type]


def _known(rows: Rows, limits: Limits) -> Array:
    times = rows.columns[limits.time]
    if absent := int(pd.isna(times).sum()):
        where = f"({limits.file}: gates.time)"
        raise Problem(f"rows: {limits.time} is not known in {absent} of {len(rows)} rows, expected a time {where}")
    return times
