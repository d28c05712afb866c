"""What the gates check: arrays and limits in, a Check out. No input or output, no TensorFlow, no pytest."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fledge import stats
from fledge.checks import calibration, fairness, regression, segments
from fledge.checks.report import report
from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limits
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array


def scoring(limits: Limits, rows: Rows, ours: Array, theirs: Array) -> list[Check]:
    """Every check that judges or compares scores of the same rows, as the gates make them; the anchor's is not among them.

    `ours` and `theirs` are of candidate and champion: (n,), or (n, classes). A check that cannot be made is a BLOCK.
    """
    rows = replace(rows, cluster=stats.clusters(rows.cluster)[0])  # once, not in every check
    own, pair = (limits, rows, ours), (limits, rows, ours, theirs)
    made: dict[tuple[str, str], Callable[[], Check]] = {
        **{("regression", name): partial(regression.not_worse, *pair, name) for name in limits.metrics},
        ("regression", "floor"): partial(regression.floor, *own),
        ("regression", "report"): partial(report, *pair),
        ("segments", "harm"): partial(segments.harm, *pair),
        ("calibration", "in_the_large"): partial(calibration.in_the_large, *pair),
        ("fairness", "absolute"): partial(fairness.absolute, *own),
        ("fairness", "relative"): partial(fairness.relative, *pair),
    }
    if limits.task == "binary":
        made["calibration", "slope"] = partial(calibration.slope, *own)
    return [_made(gate, name, make) for (gate, name), make in made.items()]


def _made(gate: str, name: str, make: Callable[[], Check]) -> Check:
    try:
        return make()
    except (Problem, ValueError) as error:
        lines = error.lines if isinstance(error, Problem) else [f"{type(error).__name__}: {error}"]
        return Check(
            gate, name, Verdict.BLOCK, "; ".join(lines), "mend what the line names; the check could not be made"
        )
