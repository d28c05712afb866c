"""Is what is served what was trained? The same rows, asked in two ways, get the same numbers and the same decisions.

Sources: users who were served other answers than they trained (keras#20985, tensorflow/serving#1443). That none of n
decisions flips says that at most 3/n do, with 95 % (Hanley & Lippman-Hand 1983).
"""

from dataclasses import replace

import numpy as np
from pydantic import PositiveInt

from fledge.artifact.contract import Array
from fledge.checks.agreement import Arrays, Gap, Tolerance, gap
from fledge.checks.faults import NOTHING
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Task
from fledge.stats import exact_share

REMEDY = {
    "golden": "put all that training computes into the graph, and train the artifact again",
    "rest": "serve it by `python -m fledge.serving`, and ask it and the session the same",
    "grpc": "serve it by `python -m fledge.serving`, and ask it and the session the same",
}


class Served(Tolerance):
    rows: PositiveInt


def same(name: str, ours: Arrays, theirs: Arrays, limit: Tolerance, task: Task, threshold: float) -> Check:
    """`ours` (n, …) is what is judged: the answers by REST, by gRPC, or of the artifact; `theirs` what they should be.

    Blocks for a difference beyond the tolerance, and for one decision that flips: yes or no at the `threshold`, the
    likeliest class. A regression decides nothing.
    """
    first = next(iter(theirs))
    n, worst = len(theirs[first]), gap("largest difference", ours, theirs, limit)
    if not n:
        return Check("parity", name, Verdict.BLOCK, NOTHING, REMEDY[name], n=0)
    if task == "regression" or worst.share > 1:
        return _by_size(name, worst, n)
    found, expected = (decisions(answers[first], task, threshold) for answers in (ours, theirs))
    return _by_flips(name, int((found != expected).sum()), worst, n)


def golden(ours: Arrays, theirs: Arrays, wanted: int, limit: Tolerance, task: Task, threshold: float) -> Check:
    """As `same`, of the `wanted` rows that training leaves in an artifact: where fewer are there, that they agree is little."""
    found = same("golden", ours, theirs, limit, task, threshold)
    n = len(next(iter(theirs.values())))
    if found.blocks or n >= wanted:
        return found
    reason = f"the artifact has {n} golden vectors (assets.extra/golden.json), expected {wanted}"
    remedy = "train it again, evaluated on more rows (params.yaml: train.evaluate)"
    return replace(found, verdict=Verdict.INCONCLUSIVE, reason=reason, remedy=remedy, inconclusive=limit.inconclusive)


def no_golden(limit: Tolerance) -> Check:
    """What a SavedModel says that no training stage of ours made: nothing, which is for the owner to accept."""
    reason = "the artifact has no golden vectors (assets.extra/golden.json), expected those that training leaves"
    remedy = "train it by dvc repro, or say `inconclusive: warn` for a SavedModel from elsewhere (params.yaml: gates.parity.golden)"
    return Check("parity", "golden", Verdict.INCONCLUSIVE, reason, remedy, n=0, inconclusive=limit.inconclusive)


def decisions(answers: Array, task: Task, threshold: float) -> Array:
    """What a client does with answers (n,) or (n, classes): an integer for each row."""
    decided: Array = (
        answers.argmax(axis=1) if task == "multiclass" else answers.reshape(len(answers), -1)[:, -1] >= threshold
    )
    return decided.astype(np.int64)


def _by_size(name: str, worst: Gap, n: int) -> Check:
    good = worst.share <= 1
    reason = f"{worst.what} in {n:,} rows is {worst.size:.2g}, expected at most {worst.allowed:.2g}"
    size = worst.size if np.isfinite(worst.size) else None
    verdict = Verdict.PASS if good else Verdict.BLOCK
    return Check("parity", name, verdict, reason, "" if good else REMEDY[name], size, None, worst.allowed, n)


def _by_flips(name: str, flips: int, worst: Gap, n: int) -> Check:
    low, high = exact_share(flips, n)
    reason = (
        f"{flips} of {n:,} decisions flip (at most {high:.2%} with 95 %), expected none; {worst.what} {worst.size:.2g}"
    )
    verdict = Verdict.BLOCK if flips else Verdict.PASS
    remedy = REMEDY[name] if flips else ""
    return Check("parity", name, verdict, reason, remedy, flips / n, (low, high), 0.0, n, high, "of decisions")
