"""Tests of fledge.calibration.outcomes, report and picture: what is written is what was counted."""

import re
from dataclasses import replace
from pathlib import PurePath
from xml.etree import ElementTree

import pytest

from fledge.calibration import outcomes, picture, report
from fledge.calibration.noise import Noise, Pairing
from fledge.calibration.outcomes import Family, Outcome, Trial
from fledge.calibration.rates import Rate
from fledge.calibration.report import Findings
from fledge.stats import Estimate

CHECKS = ("regression.auc", "regression.log_loss", "segments.harm")
PAIRING = Pairing(Estimate(0.001, 0.0014, 71), Estimate(0.001, 0.0007))


def outcome(family: Family, name: str, size: float, *blocked: str, usually: bool = False) -> Outcome:
    """A pair with an effect of `size` margins in log-loss and half of it in AUC, blocked by what is named."""
    trial = Trial(family, name, PurePath("a.npz"), PurePath("b.npz"))
    effects = {"regression.auc": size / 2, "regression.log_loss": size}
    return Outcome(trial, CHECKS, blocked, effects, {"any drop": usually}, {"auc": PAIRING})


ALIKE = [outcome("same recipe", "another seed", 0.0, usually=number % 2 == 0) for number in range(10)]
FOUND = [
    *ALIKE[:9],
    outcome("same recipe", "another seed", 0.4, "regression.auc"),
    *(outcome("benign", "longer", -0.2) for _ in range(3)),
    *(outcome("benign", "wider", -0.1, *["segments.harm"] * (number == 0)) for number in range(3)),
    *(outcome("damaged", "gross", 8.0, *CHECKS[:2]) for _ in range(4)),
    *(outcome("damaged", "plain", 1.6, *CHECKS[1:2] * (number > 0)) for number in range(4)),
    *(outcome("damaged", "slight", 0.3) for _ in range(4)),
]
NOISE = Noise("auc", 0.7312, 0.00149, 0.00148, 0.000334, 71, 0.05, 20, 10)
FINDINGS = Findings("churn", {"command": "`make calibrate`"}, [NOISE], [], {"auc": 0.01}, 3, FOUND, "calibration.svg")
TEXT = report.markdown(FINDINGS)


def line(start: str) -> str:
    """The one line of the report's tables that starts so."""
    (found,) = [
        line for line in TEXT.splitlines() if re.sub(r"\*|\s", "", line).startswith("|" + re.sub(r"\s", "", start))
    ]
    return re.sub(r"\s+", " ", found)


def test_pairs_are_counted_by_family() -> None:
    """A family's pass rate counts its own pairs, a check's rate the pairs that it blocked."""
    assert outcomes.passed(outcomes.of(FOUND, "same recipe")) == Rate(9, 10)
    assert outcomes.passed(outcomes.of(FOUND, "benign")) == Rate(5, 6)
    assert outcomes.blocked_by(outcomes.of(FOUND, "benign"))["segments.harm"] == Rate(1, 6)
    assert outcomes.blocked_usually(ALIKE) == {"any drop": Rate(5, 10)}


def test_damage_is_as_large_as_its_largest_effect() -> None:
    """Damage is sorted by the largest of its mean effects, and says how often it was blocked, and by what."""
    slight, plain, gross = outcomes.damages(FOUND)
    assert [slight.name, plain.name, gross.name] == ["slight", "plain", "gross"]
    assert plain.size == pytest.approx(1.6)
    assert plain.blocked == Rate(3, 4)
    assert plain.by == {"regression.log_loss": 3}
    assert gross.by == {"regression.auc": 4, "regression.log_loss": 4}


def test_only_damage_beyond_one_and_a_half_margins_is_promised() -> None:
    """Of the damage of 1.6 and 8 margins, 7 of 8 pairs were seen; what is smaller does not count."""
    assert outcomes.detected(outcomes.of(FOUND, "damaged")) == Rate(7, 8)
    assert [one.counted for one in outcomes.damages(FOUND)] == [Rate(0, 0), Rate(3, 4), Rate(4, 4)]


def test_counted_damage_is_told_by_the_check_that_promises_most_to_see_it() -> None:
    """Both kinds of damage that count are largest in log-loss; the slight one is not counted."""
    (check, pairs), *others = outcomes.counted(FOUND).items()
    assert check == "regression.log_loss"
    assert {one.trial.name for one in pairs} == {"plain", "gross"}
    assert others == []


@pytest.mark.parametrize(("size", "counted"), [(2.3, False), (2.5, True)])
def test_damage_that_these_rows_cannot_show_is_not_promised(size: float, counted: bool) -> None:
    """Where a segment's harm shows from 2.4 margins on for sure, 2.3 are large, and told, but no promise was broken."""
    small = replace(outcome("damaged", "in one", 0.2), effects={"segments.harm": size}, shown={"segments.harm": 2.4})
    assert (small.large, small.counted, small.nearest) == (True, counted, "segments.harm")
    text = report.markdown(replace(FINDINGS, outcomes=[*ALIKE, small]))
    assert f"| {size:.2f} (from 2.40) |" in text
    assert f"Of the pairs whose damage counts {Rate(0, 1) if counted else Rate(0, 0)} were blocked" in text
    assert f"whatever these rows can show, {Rate(0, 1)}." in text


def test_the_reports_figures_are_those_of_the_numbers() -> None:
    """Each table holds the counted rates and the derived margin, as they are."""
    assert str(Rate(9, 10)) in line("same recipe, another seed")
    assert str(Rate(5, 6)) in line("all benign changes")
    assert "| 6 | -0.07 |" in line("all benign changes"), "AUC: half of the mean of three times -0.2 and -0.1"
    assert str(Rate(1, 10)) in line("regression.auc")
    assert str(Rate(1, 6)) in line("segments.harm")
    assert NOISE.derivation(3) in line("auc")
    assert f"{NOISE.design_effect:.1f}" in line("auc")
    assert line("auc").endswith("| 0.01 |")
    assert str(Rate(5, 10)) in line("any drop")
    assert str(Rate(1, 10)) in line("these gates")
    assert str(Rate(7, 8)) in TEXT
    assert "| 1.60 | 0.80 | 1.60 |" in line("plain").replace("*", "")
    assert "regression.log_loss 3" in line("plain")


def test_averages_of_retrainings_are_told_where_there_are_some() -> None:
    """The noise of averaged models stands below that of single ones, with its own least margin."""
    steadier = replace(NOISE, sigma_seed=0.0008, seeds=6)
    text = report.markdown(replace(FINDINGS, averaged=[steadier]))
    assert "6 models that answer the mean of 3 retrainings" in text
    assert steadier.derivation(3) in text
    assert "answer the mean" not in TEXT


def test_a_report_without_damage_or_benign_changes_says_nothing_of_them() -> None:
    """A model that is not binary has no damage to its answers: the section is left out, the rest is there."""
    text = report.markdown(replace(FINDINGS, outcomes=ALIKE))
    assert "damage" not in text
    assert "benign" not in text
    assert str(Rate(10, 10)) in text


def test_the_picture_shows_every_damage_where_it_lies() -> None:
    """The picture is SVG without a script; a dot lies further right the larger the damage, higher the more was blocked."""
    drawn = ElementTree.fromstring(picture.svg(outcomes.damages(FOUND)))
    dots = [dot for dot in drawn.iter() if dot.tag.endswith("circle")]
    across, down = ([float(dot.attrib[axis]) for dot in dots] for axis in ("cx", "cy"))
    assert across == sorted(across)
    assert down == sorted(down, reverse=True)
    assert len(dots) == 3
    assert not [one for one in drawn.iter() if one.tag.endswith("script")]


def test_the_picture_keeps_all_sizes_inside() -> None:
    """Damage of no size, and of any, is drawn at an edge."""
    assert picture.across(-1) == picture.across(picture.SMALLEST) == picture.LEFT
    assert picture.across(1e9) == picture.across(picture.LARGEST) < picture.WIDTH
    assert picture.down(1) == picture.TOP
