"""The judge's rule: what it promises about false aborts, wrong passes and missing data."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.judge.evalues import ABORT, PASS, Counts, Step, e_clean, e_safe, e_worse, judge

SHARES = st.floats(0.01, 0.99)
COUNTS = st.integers(0, 200)


def q(ratio: float, share: float) -> float:
    return ratio * share / (ratio * share + 1 - share)


def looks(ratio: float, share: float, events: int, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative failures of canary and stable after each of `events`, shape (runs, events)."""
    canary = np.random.default_rng(seed).random((runs, events)) < q(ratio, share)
    return canary.cumsum(axis=1), (~canary).cumsum(axis=1)


def step(share: float, canary: tuple[int, int], stable: tuple[int, int]) -> Step:
    return Step(share, Counts(*canary), Counts(*stable))


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_false_aborts_over_all_looks(share: float) -> None:
    """A canary as good as stable is aborted in at most 1 % of the runs, looked at after every single failure."""
    runs = 4000
    aborted = (e_worse(*looks(1, share, 1000, runs, seed=1), share) >= ABORT).any(axis=1).mean()
    assert aborted <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / runs)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_wrong_passes_over_all_looks(share: float) -> None:
    """A canary three times as bad as stable passes by E_safe in at most 5 % of the runs, at any number of looks."""
    runs = 4000
    passed = (e_safe(*looks(3, share, 1000, runs, seed=2), share) >= PASS).any(axis=1).mean()
    assert passed <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_wrong_clean_over_all_looks() -> None:
    """A canary that fails in just p0 of its requests counts as clean in at most 5 % of the runs, at any look."""
    runs, n, p0 = 4000, 3000, 0.01
    bad = (np.random.default_rng(3).random((runs, n)) < p0).cumsum(axis=1, dtype=np.int32)
    clean = (e_clean(np.arange(1, n + 1), bad, p0) >= PASS).any(axis=1).mean()
    assert clean <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_mean_of_e_worse_is_one(share: float) -> None:
    """Over canaries as good as stable E_worse is 1 in the mean, exactly: the sum over all outcomes of ten failures."""
    x = np.arange(11)
    probability = np.array([math.comb(10, k) * share**k * (1 - share) ** (10 - k) for k in x])
    assert probability @ e_worse(x, 10 - x, share) == pytest.approx(1, abs=1e-9)


@given(n=st.integers(0, 60), p0=st.floats(0.001, 0.5))
def test_mean_of_e_clean_is_one(n: int, p0: float) -> None:
    """Over canaries that fail in just p0 of n requests E_clean is 1 in the mean, exactly."""
    x = np.arange(n + 1)
    probability = np.array([math.comb(n, int(k)) * p0**k * (1 - p0) ** (n - k) for k in x])
    assert probability @ e_clean(n, x, p0) == pytest.approx(1, abs=1e-9)


@given(share=SHARES, x=COUNTS, y=COUNTS)
def test_one_more_failure_counts_against_its_own_side(share: float, x: int, y: int) -> None:
    """A failure of the canary raises E_worse and lowers E_safe; one of stable does the opposite."""
    grown, calmed = e_worse([x + 1, x], [y, y + 1], share), e_safe([x, x + 1], [y + 1, y], share)
    for (more, less), now in ((grown, e_worse(x, y, share)), (calmed, e_safe(x, y, share))):
        # Equal only at the ends of what a float holds.
        assert more > now > less or not 1e-290 < now < 1e290


@given(share=SHARES, x=COUNTS, y=COUNTS)
def test_terms_are_those_of_two_binomials(share: float, x: int, y: int) -> None:
    """E_worse is the mean over ρ of the likelihood of the split under ρ, divided by that under 1."""
    terms = [
        x * math.log(q(rho, share) / share) + y * math.log((1 - q(rho, share)) / (1 - share))
        for rho in (1.5, 2, 3, 5, 10, 30, 100)
    ]
    largest = max(terms)
    expected = largest + math.log(sum(math.exp(t - largest) for t in terms) / 7)
    if abs(expected) < 600:
        assert math.log(e_worse(x, y, share)) == pytest.approx(expected, abs=1e-6)


@given(a=st.tuples(SHARES, COUNTS, COUNTS), b=st.tuples(SHARES, COUNTS, COUNTS))
def test_steps_multiply(a: tuple[float, int, int], b: tuple[float, int, int]) -> None:
    """The E-values of two steps are the products of each step's, in either order; requests add up for E_clean."""
    first, second = (step(w, (x + 300, x), (y + 300, y)) for w, x, y in (a, b))
    both, turned = judge([first, second], 0.01), judge([second, first], 0.01)
    alone = judge([first], 0.01), judge([second], 0.01)
    for name in ("e_worse", "e_safe"):
        product = getattr(alone[0], name) * getattr(alone[1], name)
        if 1e-280 < product < 1e280:
            assert getattr(both, name) == pytest.approx(product, rel=1e-6)
        assert getattr(both, name) == pytest.approx(getattr(turned, name), rel=1e-9)
    total = first.canary + second.canary
    assert both.e_clean == e_clean(total.requests, total.bad, 0.01)


@given(steps=st.lists(st.tuples(SHARES, COUNTS, COUNTS), max_size=3), share=SHARES, stable=st.tuples(COUNTS, COUNTS))
def test_no_request_is_inconclusive(steps: list[tuple[float, int, int]], share: float, stable: tuple[int, int]) -> None:
    """Whatever came before, a step in which no request reached the canary is neither pass nor fail."""
    before = [step(w, (x, x), (y, y)) for w, x, y in steps]
    verdict = judge([*before, step(share, (0, 0), (sum(stable), stable[1]))], 0.01)
    assert verdict.verdict == "inconclusive"
    assert "no request reached the canary" in verdict.reason


@pytest.mark.parametrize(("error_ratio", "expected"), [(0.01, 340), (0.02, 170)])
def test_clean_traffic_passes(error_ratio: float, expected: int) -> None:
    """A canary with traffic and no failure at all passes after about 340 requests at 1 %, 170 at 2 %."""
    n = next(n for n in range(1, 2000) if judge([step(0.05, (n, 0), (20 * n, 0))], error_ratio).verdict == "pass")
    assert n == pytest.approx(expected, rel=0.1)


def test_a_disaster_fails_after_a_handful() -> None:
    """A canary that fails 20 times as often as stable (1 %) is aborted within 20 of its failed requests (median)."""
    canary, stable = looks(20, 0.05, 400, 2000, seed=4)
    aborted = e_worse(canary, stable, 0.05) >= ABORT
    assert aborted.any(axis=1).all()
    assert np.median(canary[np.arange(len(canary)), aborted.argmax(axis=1)]) <= 20


def test_only_the_canary_fails() -> None:
    """Where stable never fails, a handful of failures at 5 % of the traffic is enough."""
    verdicts = [judge([step(0.05, (40, x), (800, 0))], 0.01).verdict for x in range(10)]
    assert verdicts.index("fail") <= 3
    assert set(verdicts[verdicts.index("fail") :]) == {"fail"}


def test_suspicion_forbids_a_clean_pass() -> None:
    """Enough clean requests do not pass a canary that has failed while stable, with 19 times the traffic, has not."""
    verdict = judge([step(0.05, (3000, 2), (57000, 0))], 0.01)
    assert verdict.e_clean >= PASS
    assert verdict.verdict != "pass"


def test_share_of_one() -> None:
    """With all requests at the canary there is nothing to compare with: only E_clean can pass it."""
    verdict = judge([step(1.0, (400, 0), (0, 0))], 0.01)
    assert (verdict.e_worse, verdict.e_safe) == pytest.approx((1, 1))
    assert verdict.verdict == "pass"
    assert judge([step(1.0, (400, 40), (0, 0))], 0.01).verdict == "inconclusive"


@given(share=SHARES, x=st.integers(0, 10**9), y=st.integers(0, 10**9))
def test_always_finite(share: float, x: int, y: int) -> None:
    """However large the counts, E-values are numbers that JSON can hold."""
    verdict = judge([step(share, (x, x), (y, y))] * 3, 0.01)
    assert np.isfinite([verdict.e_worse, verdict.e_safe, verdict.e_clean]).all()
