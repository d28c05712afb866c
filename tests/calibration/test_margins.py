"""Tests of fledge.calibration.margins: what is written into params.yaml, and what is left alone."""

import difflib

import pytest
from ruamel.yaml import YAML

from fledge.calibration.margins import derived, read
from fledge.calibration.noise import Noise
from fledge.problems import Problem
from tests.conftest import ROOT

OWNERS = (ROOT / "models" / "delays" / "params.yaml").read_text()
PLAIN = """\
gates:
  # the metrics
  regression:
    auc:
      margin: 0.001 # how much is tolerable

      # and this is about what follows
    log_loss:
      margin: 0.5

slo: {error_ratio: 0.01} # kept
"""
AUC = Noise("auc", 0.73, 0.0015, 0.0014, 0.0004, 71, 0.05, 600, 300)
LOSS = Noise("log_loss", 0.52, 0.002, 0.002, 0.0004, 71, 0.05, 600, 300)


def changes(before: str, after: str) -> list[str]:
    """The lines that came and went."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_a_margin_that_is_wide_enough_stays_the_owners() -> None:
    """Of a wide margin only its derivation is added, beside it; every other line stays as it was, comments and all."""
    (line,) = changes(PLAIN, derived(PLAIN, [LOSS], 8, "params.yaml"))
    assert (
        line.split()
        == f"+ sigma_seed: 0.002 # SD over 600 seeds; least margin {LOSS.derivation(8)} (make calibrate)".split()
    )


def test_a_margin_that_cannot_be_kept_is_widened() -> None:
    """A margin below the least becomes the least, rounded up; its comment stays, and so do the lines below it."""
    after = derived(PLAIN, [AUC], 8, "params.yaml")
    gone, *came = changes(PLAIN, after)
    assert gone == "-       margin: 0.001 # how much is tolerable"
    assert came[0].split() == ["+", "margin:", "0.0088", "#", "how", "much", "is", "tolerable"]
    assert "sigma_seed: 0.0015" in came[1]
    assert len(came) == 2


def test_deriving_twice_changes_nothing() -> None:
    """The second calibration with the same numbers writes the same bytes, one with others only those."""
    once = derived(OWNERS, [AUC, LOSS], 8, "params.yaml")
    assert derived(once, [AUC, LOSS], 8, "params.yaml") == once
    more = derived(once, [Noise("auc", 0.73, 0.0016, 0.0014, 0.0004, 71, 0.05, 30, 15), LOSS], 8, "params.yaml")
    assert [line[0] for line in changes(once, more)] == ["-", "+"]


def test_the_owners_comments_survive() -> None:
    """Every comment of the shipped params.yaml that is not a derivation is still there after a calibration."""
    after = derived(OWNERS, [AUC, LOSS], 8, "params.yaml")
    comments = [line.split("#", 1)[1].strip() for line in OWNERS.splitlines() if "#" in line]
    assert [one for one in comments if one not in after and "make calibrate)" not in one] == []


def test_a_metric_without_a_margin_is_named() -> None:
    """Where a metric has no margin to begin with, the problem says file and key."""
    with pytest.raises(Problem) as problem:
        read(YAML(typ="safe").load("gates: {regression: {auc: {margin: 0.01}}}"), ["auc", "brier"], "params.yaml")
    assert str(problem.value) == (
        "params.yaml: no margin found, expected one to begin with (params.yaml: gates.regression.brier.margin)"
    )
