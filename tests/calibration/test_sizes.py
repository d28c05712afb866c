"""How large damage is: what it did to the very network, and from where on it would surely be shown."""

from pathlib import Path

import numpy as np
import pytest

from fledge.calibration import harms, sizes
from fledge.calibration.outcomes import SURE
from fledge.checks import scoring
from fledge.gates.rows import Rows
from fledge.stats import Array
from tests.tiny.scored import chance, known, logit, table


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The tiny model's rows."""
    return table()


def other(rows: Rows, seed: int) -> Array:
    """Another network as good: noise of its own in every row."""
    noisy: Array = 1 / (1 + np.exp(-logit(rows) - 0.3 * np.random.default_rng(seed).normal(size=len(rows))))
    return noisy


def test_what_another_seed_does_is_not_taken_for_damage(tmp_path: Path, rows: Rows) -> None:
    """A network without damage has none, however far its champion is; one whose chances rise by 3 % has just that."""
    limits, whole = known(tmp_path), other(rows, 1)
    checks = scoring(limits, rows, whole, chance(rows, bias=-0.5))
    none, _ = sizes.done(limits, rows, whole, whole, checks, "nothing")
    assert {size for name, size in none.items() if name != sizes.SLOPE} == {0.0}
    assert sizes.found(limits, checks)["regression.log_loss"] != 0
    lifted = np.clip(whole + 0.03, 0, 1)
    checks = scoring(limits, rows, lifted, other(rows, 2))
    (large,) = [check for check in checks if check.name == "in_the_large"]
    done, _ = sizes.done(limits, rows, lifted, whole, checks, "lifted")
    assert done[sizes.LARGE] == pytest.approx((lifted - whole).mean() / large.margin)  # type: ignore[operator]


def test_the_damaged_segment_counts_and_no_other(tmp_path: Path, rows: Rows) -> None:
    """Damage says in its name where it was done; without a name no segment has a size."""
    limits, whole, bad = known(tmp_path), other(rows, 1), rows.columns["origin"] == "LGA"
    ours = harms.inverted_in(whole, bad)
    checks = scoring(limits, rows, ours, other(rows, 2))
    done, shown = sizes.done(limits, rows, ours, whole, checks, "inverted in origin=LGA")
    assert done[sizes.HARM] > shown[sizes.HARM] > 1
    assert sizes.HARM not in sizes.done(limits, rows, ours, whole, checks, "inverted")[0]


def test_harm_from_there_on_is_shown_as_often_as_it_says(tmp_path: Path, rows: Rows) -> None:
    """Estimates around that size, with the segment's own error, are beyond what Holm's first step asks so often."""
    limits, whole = known(tmp_path), other(rows, 1)
    ours = harms.noisy_in(whole, 0.5, 1, rows.columns["origin"] == "LGA")
    checks = scoring(limits, rows, ours, other(rows, 2))
    _, shown = sizes.done(limits, rows, ours, whole, checks, "noise in origin=LGA")
    (harm,) = [check for check in checks if check.gate == "segments"]
    tried = [one for one in harm.details["segments"] if one["judged"]]
    drawn = []
    for one in (one for one in tried if one["segment"] == "LGA"):
        found = np.random.default_rng(3).standard_t(one["clusters"] - 1, 20_000) * one["error"]
        reach = abs(one["high"] - one["estimate"])  # of an interval that is shared by all
        drawn.append(np.mean(shown[sizes.HARM] * abs(one["margin"]) + found > abs(one["margin"]) + reach))
    assert min(abs(share - SURE) for share in drawn) < 0.003  # 4 standard deviations of 20,000 draws


def test_checks_that_could_not_be_made_have_no_size(tmp_path: Path, rows: Rows) -> None:
    """A network that damage made answer no numbers is blocked for that, and nothing is measured of it."""
    limits, whole = known(tmp_path), other(rows, 1)
    broken = np.full(len(rows), np.nan)
    assert sizes.done(limits, rows, broken, whole, scoring(limits, rows, broken, whole), "broken") == ({}, {})
