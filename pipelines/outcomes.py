"""Put pairs of kept answers through the gates' own code: a good candidate or a damaged one, and its champion."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fledge.calibration import harms, sizes
from fledge.calibration.noise import pairing, worse
from fledge.calibration.outcomes import Outcome, Trial
from fledge.checks import scoring
from fledge.checks.parts import named
from fledge.evidence import Check
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from pipelines.retrain import setting

Array = NDArray[Any]

LARGE = 0.05  # a segment of at least this share of the rows can be damaged alone


def run(model: str, trials: Sequence[Trial], tell: Callable[[], None]) -> list[Outcome]:
    """The outcome of each trial, in order, on all processors; `tell` is called after each."""
    outcomes = []
    with multiprocessing.get_context("spawn").Pool(initializer=_open, initargs=(model,)) as pool:
        for outcome in pool.imap(_judged, trials):
            outcomes.append(outcome)
            tell()
    return outcomes


def damages(limits: Limits, rows: Rows) -> dict[str, Callable[[Array], Array]]:
    """What can be done to the answers of a binary model, by name, from hardly visible to gross; {} for other tasks."""
    if limits.task != "binary":
        return {}
    found: dict[str, Callable[[Array], Array]] = {}
    for share in (0.02, 0.05, 0.1, 0.2, 0.3):
        found[f"shrunk as by {share:.0%} flipped labels"] = partial(harms.shrunk, share=share)
    for factor in (1.1, 1.25, 1.5, 2.0, 0.8, 0.67, 0.5):
        found[f"logit × {factor:g}"] = partial(harms.sharpened, factor=factor)
    for by in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, -0.1, -0.2, -0.3):
        found[f"logit {by:+g}"] = partial(harms.shifted, by=by)
    for deviation in (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0):
        found[f"logit noise {deviation:g}"] = partial(harms.noisy, deviation=deviation, seed=1)
    found["inverted"] = harms.inverted
    for name, where in large_segments(limits, rows).items():
        found[f"inverted in {name}"] = partial(harms.inverted_in, where=where)
        for deviation in (0.5, 1.0):
            found[f"logit noise {deviation:g} in {name}"] = partial(
                harms.noisy_in, deviation=deviation, seed=1, where=where
            )
    return found


def large_segments(limits: Limits, rows: Rows) -> dict[str, Array]:
    """The largest and the smallest segment of each column with at least LARGE of the rows: `column=value` to a mask (n,)."""
    found: dict[str, Array] = {}
    for column in limits.segments:
        codes, names = named(rows.columns[column])
        large = sorted((count, code) for code, count in enumerate(np.bincount(codes)) if count >= LARGE * len(rows))
        found |= {f"{column}={names[code]}": codes == code for _, code in large[:: max(1, len(large) - 1)]}
    return found


WEIGHTS: Mapping[str, Callable[[Sequence[Array]], list[Array]]] = {
    **{f"weights at {bits} bits": partial(harms.quantised, bits=bits) for bits in (8, 6, 5, 4, 3, 2)},
    **{f"weights pruned {share:.0%}": partial(harms.pruned, share=share) for share in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)},
    **{f"weight noise {share:.0%}": partial(harms.shaken, share=share, seed=1) for share in (0.02, 0.1, 0.2, 0.4, 0.8)},
}


def usual(limits: Limits, rows: Rows, ours: Array, theirs: Array) -> dict[str, bool]:
    """Which of the rules in common use would block this pair, on its primary metric.

    Sources: the TensorFlow Extended guide's change threshold (`absolute: -1e-10`), overall and for each slice; a point
    drop above 0.01 in any slice; "significantly worse" without a margin, rows taken as independent.
    """
    metric = limits.metrics[0]

    def drop(where: Any) -> float:
        label, alone = rows.label[where], np.arange(len(rows.label[where]))
        return worse(metric, label, ours[where], theirs[where], alone, limits.threshold).value

    overall = worse(metric, rows.label, ours, theirs, np.arange(len(rows)), limits.threshold)
    slices = [drop(where) for where in judged_slices(limits, rows)]
    return {
        "any drop": overall.value > 0,
        "any drop in any segment": any(one > 0 for one in [overall.value, *slices]),
        "drop above 0.01 in any segment": any(one > 0.01 for one in [overall.value, *slices]),
        "significantly worse, p < .05, no margin": overall.value > 1.645 * overall.error,
    }


def judged_slices(limits: Limits, rows: Rows, least: int = 50) -> list[Array]:
    """Masks of the segments with at least `least` rows of each class (of rows, for a regression)."""
    found = []
    for column in limits.segments:
        codes, names = named(rows.columns[column])
        for code in range(len(names)):
            where = codes == code
            counts = (
                [int(where.sum())]
                if limits.task == "regression"
                else np.unique(rows.label[where], return_counts=True)[1]
            )
            if min(counts) >= least and (limits.task == "regression" or len(counts) > 1):
                found.append(where)
    return found


_limits: Limits
_rows: Rows
_damages: dict[str, Callable[[Array], Array]]


def _open(model: str) -> None:
    """Each process reads the rows once."""
    global _limits, _rows, _damages
    one = setting(model)
    _limits, _rows, _damages = one.limits, one.rows, damages(one.limits, one.rows)


def _judged(trial: Trial) -> Outcome:
    ours, theirs = (np.load(file)["answer"].astype(np.float64) for file in (trial.candidate, trial.champion))
    if trial.harm:
        ours = _damages[trial.harm](ours)
    checks = scoring(_limits, _rows, ours, theirs)
    effects, shown = sizes.found(_limits, checks), sizes.Sizes()
    if trial.whole:
        whole = np.load(trial.whole)["answer"].astype(np.float64)
        effects, shown = sizes.done(_limits, _rows, ours, whole, checks, trial.name)
    metrics = _limits.metrics if trial.family == "same recipe" else ()
    return Outcome(
        trial,
        tuple(_name(check) for check in checks if check.estimate is not None or check.blocks),
        tuple(_name(check) for check in checks if check.blocks),
        effects,
        {} if trial.family == "damaged" else usual(_limits, _rows, ours, theirs),
        {name: pairing(name, _rows.label, ours, theirs, _rows.cluster, _limits.threshold) for name in metrics},
        shown,
    )


def _name(check: Check) -> str:
    return f"{check.gate}.{check.name}"
