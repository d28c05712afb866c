"""Does more of an input never move an answer the wrong way? Each real row is asked again and again, the input rising.

Sources: the directional expectation tests of Ribeiro et al. 2020 (CheckList), on the curves of Goldstein et al. 2015. The
owner declares the directions (contract.yaml: inputs.<name>.monotone).
"""

from collections.abc import Mapping

import numpy as np

from fledge.artifact.contract import Array, Contract, Input
from fledge.checks.agreement import Gap, Tolerance, agree
from fledge.checks.edge_cases import undeclared
from fledge.evidence import Check
from fledge.problems import Problem

STEPS = 12  # of an input that is raised: as many even ones, and as many between which equally many real rows lie


def one_number(contract: Contract, name: str) -> str:
    """The output that `monotone` is about. Raises Problem where that is not one number per row: more means nothing."""
    output, described = next(iter(contract.outputs.items()))
    if described.shape:
        raise Problem(
            f"{name}: found monotone {contract.inputs[name].monotone} beside {output} of shape "
            f"{list(described.shape)}, expected one number per row (contract.yaml: inputs.{name}.monotone)"
        )
    return output


def steps(column: Input, seen: Array) -> Array:
    """Values of a number, rising: even ones over its range and quantiles of the real ones, which may crowd in a corner."""
    real = seen[np.isfinite(seen)]
    low, high = column.range or ((real.min(), real.max()) if len(real) else (0, 0))
    crowd: Array = np.quantile(real, np.linspace(0, 1, STEPS)) if len(real) else real
    return np.unique(np.clip([*np.linspace(low, high, STEPS), *crowd], low, high).astype(seen.dtype))


def monotone(raised: Mapping[str, Array], contract: Contract, limit: Tolerance) -> Check:
    """No answer falls while an input rises. `raised` holds by input the answers (steps, n) as it does."""
    gaps = [
        Gap(f"more {name} moves an answer against `monotone`", fall(answers, contract.inputs[name]), limit.tolerance)
        for name, answers in raised.items()
    ]
    count = sum(answers[1:].size for answers in raised.values())
    remedy = "constrain the network, or take `monotone` out of contract.yaml: inputs"
    return agree("edge_cases", "monotone", gaps, count, remedy) if gaps else undeclared("monotone")


def fall(answers: Array, column: Input) -> float:
    """How far at most an answer (steps, n) falls below an earlier one; rises above it, where `monotone` is down."""
    up = answers.astype(float) * (-1 if column.monotone == "down" else 1)
    falls = np.maximum.accumulate(up) - up
    return float(np.nan_to_num(falls.max(initial=0), nan=np.inf))
