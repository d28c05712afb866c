"""What the calibration gate says: chances that mean what they say pass, in all tasks; what does not is refused by its reason."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.checks import calibration
from fledge.evidence import Verdict
from fledge.gates.rows import Rows
from fledge.problems import Problem
from tests.tiny import owner
from tests.tiny.scored import chance, chances, changed, known, logit, minutes, table


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The tiny model's rows."""
    return table()


def some(rows: Rows, step: int) -> Rows:
    """Every `step`-th row."""
    inputs = {name: values[::step] for name, values in rows.inputs.items()}
    columns = {name: values[::step] for name, values in rows.columns.items()}
    return Rows(inputs, rows.label[::step], rows.cluster[::step], columns)


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, Verdict.PASS), (0.3, Verdict.BLOCK), (-0.3, Verdict.BLOCK)])
def test_a_shift_of_the_logit_is_seen(tmp_path: Path, rows: Rows, shift: float, verdict: Verdict) -> None:
    """Chances that are too high or too low by a third of a logit are refused, with the mean's error and the limit."""
    found = calibration.in_the_large(known(tmp_path), rows, chance(rows, bias=-1.2 + shift), chance(rows))
    assert found.verdict is verdict
    assert re.match(r"mean prediction - mean label is [+-]0\.\d{4}, expected within ±0\.0200$", found.reason)
    assert ("gates.calibration.in_the_large.limit" in found.remedy) == (verdict is Verdict.BLOCK)


def test_a_champion_that_is_off_allows_a_bit_more_than_its_own_error(tmp_path: Path, rows: Rows) -> None:
    """Against a champion that is off by more than the limit, as much and `above_champion` more is allowed."""
    limits, theirs = known(tmp_path), chance(rows, bias=-0.9)
    own = abs(float(np.mean(theirs - rows.label)))
    assert own > 0.02
    same, more = (calibration.in_the_large(limits, rows, chance(rows, bias=b), theirs) for b in (-0.9, -0.8))
    assert (same.verdict, more.verdict) == (Verdict.PASS, Verdict.BLOCK)
    assert same.margin == pytest.approx(own + 0.01)


def test_a_first_release_has_the_limit_alone(tmp_path: Path, rows: Rows) -> None:
    """Without a champion the limit is all that is allowed, and no paired effect is claimed."""
    good, biased = (calibration.in_the_large(known(tmp_path), rows, chance(rows, bias=b), None) for b in (-1.2, -0.9))
    assert (good.verdict, biased.verdict) == (Verdict.PASS, Verdict.BLOCK)
    assert (good.smallest_detectable_effect, good.details["champion"]) == (None, [])


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_the_margin_is_the_limit_on_the_estimates_side(tmp_path: Path, rows: Rows, shift: float) -> None:
    """A mean that is too low is beyond -0.02, so that the evidence's numbers say what its verdict does."""
    found = calibration.in_the_large(known(tmp_path), rows, chance(rows, bias=-1.2 + shift), chance(rows))
    assert found.margin == pytest.approx(np.copysign(0.02, shift))
    assert found.estimate / found.margin > 1  # type: ignore[operator]


@pytest.mark.parametrize("first", [True, False])
def test_rows_that_do_not_know_the_mean_are_inconclusive(tmp_path: Path, rows: Rows, first: bool) -> None:
    """On 62 rows the mean is known too badly for the limit, with or without a champion to pair with."""
    few = some(rows, 350)
    scores = (chance(few), None) if first else (chance(few, weights=(0, 0.8)), chance(few))
    found = calibration.in_the_large(known(tmp_path), few, *scores)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert re.search(r"that is known to ±0\.\d{4} \(standard error\) only$", found.reason), found.reason
    assert "hold out more rows (params.yaml: gates.rows)" in found.remedy


def test_rows_that_know_little_still_show_what_is_plain(tmp_path: Path, rows: Rows) -> None:
    """A mean that is surely off is a BLOCK on 62 rows, too."""
    few = some(rows, 350)
    found = calibration.in_the_large(known(tmp_path), few, np.full(len(few), 0.95), None)
    assert found.verdict is Verdict.BLOCK


def test_each_class_is_calibrated(tmp_path: Path) -> None:
    """A shift from one class to another is refused for the class that it is worst for, though all chances sum to 1."""
    rows = table("delay")
    limits, ours = known(tmp_path, **owner.THREE["limits"]), chances(rows)
    shifted = ours + np.array([0.0, -0.5, 0.5]) * ours[:, 1:2] * 0.3
    found = calibration.in_the_large(limits, rows, shifted, ours)
    assert found.verdict is Verdict.BLOCK
    assert re.match(r"mean prediction - mean label of class [12] is [+-]0\.\d+, expected within", found.reason)
    assert calibration.in_the_large(limits, rows, ours, ours).verdict is Verdict.PASS


def test_a_regressions_bias_is_in_its_labels_unit(tmp_path: Path) -> None:
    """Three minutes too many are refused where two are allowed, and the unit says minutes."""
    rows = table("minutes")
    limits = known(tmp_path, **owner.MINUTES["limits"])
    theirs = minutes(rows) - np.mean(minutes(rows) - rows.label)
    two, three = (calibration.in_the_large(limits, rows, theirs + off, theirs) for off in (1.9, 3.0))
    assert (two.verdict, three.verdict, three.unit) == (Verdict.PASS, Verdict.BLOCK, "of minutes")
    assert "expected_calibration_error" not in three.details


SLOPES: dict[str, tuple[dict[str, Any], Verdict]] = {
    "calibrated": ({}, Verdict.PASS),
    "overconfident": ({"scale": 2.0, "bias": -2.4}, Verdict.BLOCK),
    "underconfident": ({"scale": 0.5, "bias": -0.6}, Verdict.BLOCK),
    "inverted": ({"scale": -1.0}, Verdict.BLOCK),
    "only biased": ({"bias": 0.0}, Verdict.PASS),
}


def test_a_slope_that_could_be_anything_is_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """Chances that hardly differ say nothing about confidence: an interval that holds both limits has seen neither."""
    level = 0.45 + 0.001 * np.random.default_rng(0).normal(size=len(rows))
    found = calibration.slope(known(tmp_path), rows, level)
    low, high = found.interval  # type: ignore[misc]
    assert low < 0.8
    assert high > 1.25
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.endswith("expected within [0.8, 1.25]: these rows could show neither")


@pytest.mark.parametrize("kind", SLOPES)
def test_the_slope_sees_confidence_and_nothing_else(tmp_path: Path, rows: Rows, kind: str) -> None:
    """Chances twice or half as sure of themselves leave [0.8, 1.25]; a bias alone does not."""
    parameters, verdict = SLOPES[kind]
    found = calibration.slope(known(tmp_path), rows, chance(rows, **parameters))
    assert found.verdict is verdict
    assert re.match(
        r"Cox slope is -?\d\.\d{3}, -?\d\.\d{3} to -?\d\.\d{3}, expected within \[0\.8, 1\.25\]$", found.reason
    )
    assert ("gates.calibration.slope" in found.remedy) == (verdict is Verdict.BLOCK)


def test_few_of_a_label_show_no_slope(tmp_path: Path, rows: Rows) -> None:
    """With less than 50 positives the slope is INCONCLUSIVE, and the reason says how many there are."""
    few = some(rows, 350)
    found = calibration.slope(known(tmp_path), few, chance(few))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert re.match(r"\d\d rows of the rarer label, expected at least 50 to see a slope", found.reason)


def test_chances_without_a_slope_block(tmp_path: Path, rows: Rows) -> None:
    """A constant has no slope, and chances that tell the labels apart without fault have none either: both are said."""
    limits = known(tmp_path)
    with pytest.raises(Problem, match=r"candidate: the chance is the same in every row.*gates.calibration.slope"):
        calibration.slope(limits, rows, np.full(len(rows), 0.3))
    with pytest.raises(Problem, match="the slope has no finite maximum"):
        calibration.slope(limits, rows, np.where(rows.label == 1, 0.8, 0.2))


def test_certain_chances_are_judged(tmp_path: Path, rows: Rows) -> None:
    """Chances of exactly 0 and 1 have a logit as far as float32 knows, so overconfidence without end is refused, too."""
    found = calibration.slope(known(tmp_path), rows, (logit(rows) > 0).astype(float))
    assert found.verdict is Verdict.BLOCK


def test_the_curve_of_both_models_is_kept(tmp_path: Path, rows: Rows) -> None:
    """The evidence has ten bins of each model with all rows in them, and ECE, which is reported and judges nothing."""
    limits = known(tmp_path, **changed("calibration", "in_the_large", limit=1.0))
    found = calibration.in_the_large(limits, rows, chance(rows, scale=2.0), chance(rows))
    details = json.loads(json.dumps(found.details, allow_nan=False))
    assert [sum(one["n"] for one in details[who]) for who in ("reliability", "champion")] == [len(rows)] * 2
    assert len(details["champion"]) == 10
    assert all(one["low"] <= one["observed"] <= one["high"] for one in details["reliability"])
    assert details["expected_calibration_error"] > 0.1
    assert found.verdict is Verdict.PASS
