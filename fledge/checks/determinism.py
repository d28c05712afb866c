"""Is a row's answer its own? Asked again, in another order, beside fewer rows, it is the same.

Sources: the invariance tests of Ribeiro et al. 2020 (CheckList), and users whose answers depend on the batch:
tensorflow#33104, #39663, #50860, #63282.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from fledge.checks.agreement import Arrays, Tolerance, agree, gap
from fledge.checks.faults import tally
from fledge.evidence import Check

SPLITS = (1, 7, 64)  # rows in a batch; 7 divides no vector of the processor
REMEDY = "look for dropout or batch statistics left in training mode, or a sum over the batch"


def repeat(first: Arrays, second: Arrays, n: int) -> Check:
    """Two runs on the same `n` rows give the same bits."""
    faults = [
        f"{name} differs in {count} of {n} rows when asked again, by up to {size:.2g}, expected the same bits"
        for name in first
        for count, size in [_unlike(first[name], second[name])]
        if count
    ]
    return tally("determinism", "repeat", faults, n, REMEDY, "the same bits when asked again")


def order(whole: Arrays, shuffled: Arrays, permutation: np.ndarray, limit: Tolerance) -> Check:
    """Rows in the order of `permutation` (n,) get the answers that they get in their own."""
    expected = {name: values[permutation] for name, values in whole.items()}
    what = "another order of rows changes an answer"
    return agree("determinism", "order", [gap(what, shuffled, expected, limit)], len(permutation), REMEDY)


def split(whole: Arrays, parts: Mapping[int, Arrays], n: int, limit: Tolerance) -> Check:
    """Rows in batches of fewer, by the batch's size, get the answers that they get all at once."""
    gaps = [gap(f"a batch of {size} changes an answer", answers, whole, limit) for size, answers in parts.items()]
    return agree("determinism", "split", gaps, n * len(gaps), REMEDY)


def batches(n: int, size: int) -> Iterator[slice]:
    """Slices of `n` rows, `size` in each but the last."""
    return (slice(start, start + size) for start in range(0, n, size))


def _unlike(first: np.ndarray, second: np.ndarray) -> tuple[int, float]:
    """In how many rows two arrays (n, …) differ in any bit, and by how much at most."""
    if not len(first):
        return 0, 0.0
    bits = [np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1) for values in (first, second)]
    wrong = (bits[0] != bits[1]).any(axis=1)
    size = np.abs(first.astype(float) - second).max(initial=0)
    return int(wrong.sum()), float(size)
