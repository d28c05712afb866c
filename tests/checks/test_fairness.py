"""What the fairness gate says: groups treated less alike are found by the owner's measure, alone and beside the champion."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.checks import fairness
from fledge.evidence import Verdict
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array
from tests.tiny import owner
from tests.tiny.scored import chance, chances, known, logit, minutes, table

SHARED = {"alpha": 0.05, "min_each": 50}


def measured(measure: str, limit: float = 0.3, margin: float = 0.02, columns: tuple[str, ...] = ("side",)) -> Any:
    """Limits of the fairness gate by one measure."""
    shared = SHARED | {"measure": measure}
    sections = {"absolute": shared | {"limit": limit}, "relative": shared | {"alpha": 0.01, "margin": margin}}
    return {"fairness": {"columns": list(columns), **sections}}


def sided(rows: Rows) -> Rows:
    """The rows with a column that has nothing to do with anything: the champion treats both sides alike."""
    side = np.array(["left", "right"], dtype=object)[np.random.default_rng(4).integers(0, 2, len(rows))]
    return replace(rows, columns=rows.columns | {"side": side})


def left(rows: Rows) -> Array:
    """Where the side is left."""
    found: Array = rows.columns["side"] == "left"
    return found


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The tiny model's rows, on two sides."""
    return sided(table())


def favouring(rows: Rows, by: float) -> Array:
    """The champion's chances, with the left side's logit raised."""
    found: Array = 1 / (1 + np.exp(-(logit(rows) + by * left(rows))))
    return found


def few_of(rows: Rows, step: int) -> Rows:
    """Every `step`-th row, with its side."""
    inputs = {name: values[::step] for name, values in rows.inputs.items()}
    return Rows(inputs, rows.label[::step], rows.cluster[::step], {"side": rows.columns["side"][::step]})


@pytest.mark.parametrize(
    ("measure", "limit", "side"), [("equalised_odds_gap", 0.1, "most"), ("selection_rate_ratio", 0.8, "least")]
)
def test_groups_treated_unalike_are_refused_by_the_owners_measure(
    tmp_path: Path, rows: Rows, measure: str, limit: float, side: str
) -> None:
    """A champion that treats both sides alike passes; a candidate that favours one is refused, alone and beside it."""
    limits = known(tmp_path, **measured(measure, limit))
    for score, verdict in ((chance(rows), Verdict.PASS), (favouring(rows, 1.0), Verdict.BLOCK)):
        found = fairness.absolute(limits, rows, score)
        assert found.verdict is verdict, found.reason
        assert re.fullmatch(
            rf"side: {measure} is 0\.\d+, -?0\.\d+ to \d\.\d+, expected at {side} {limit}", found.reason
        )
        beside = fairness.relative(limits, rows, score, chance(rows))
        assert beside.verdict is verdict
        assert beside.reason.startswith(f"side: candidate - champion of {measure} is ")
    assert "params.yaml: gates.fairness.absolute.limit" in found.remedy
    assert "params.yaml: gates.fairness.relative.margin" in beside.remedy


def test_an_unfair_champion_does_not_excuse_nor_blame_its_equal(tmp_path: Path, rows: Rows) -> None:
    """Beside a champion that favours one side an equal candidate passes, a fairer one too; alone only the fairer one."""
    limits = known(tmp_path, **measured("equalised_odds_gap", 0.1))
    same, fairer = favouring(rows, 1.0), chance(rows)
    assert [fairness.relative(limits, rows, score, same).verdict for score in (same, fairer)] == [Verdict.PASS] * 2
    assert fairness.absolute(limits, rows, same).verdict is Verdict.BLOCK
    assert fairness.relative(limits, rows, fairer, same).estimate == pytest.approx(
        -fairness.relative(limits, rows, same, fairer).estimate
    )  # type: ignore[operator]


def test_many_classes_are_compared_by_accuracy_and_numbers_by_error(tmp_path: Path) -> None:
    """A candidate that is wrong more often, or further off, on one side is refused by the measure of its task."""
    rows = sided(table("delay"))
    limits = known(tmp_path, **owner.THREE["limits"] | measured("accuracy_gap", 0.1))
    turned = np.where(left(rows)[:, None], chances(rows)[:, ::-1], chances(rows))
    for check in (fairness.absolute(limits, rows, turned), fairness.relative(limits, rows, turned, chances(rows))):
        assert check.verdict is Verdict.BLOCK
        assert "accuracy_gap is 0." in check.reason
    assert fairness.absolute(limits, rows, chances(rows)).verdict is Verdict.PASS
    rows = sided(table("minutes"))
    limits = known(tmp_path, **owner.MINUTES["limits"] | measured("error_gap", 0.1))
    off = minutes(rows) + 20 * left(rows)
    for check in (fairness.absolute(limits, rows, off), fairness.relative(limits, rows, off, minutes(rows))):
        assert check.verdict is Verdict.BLOCK
        assert "error_gap is 0." in check.reason
    assert fairness.absolute(limits, rows, minutes(rows)).verdict is Verdict.PASS


def test_rows_that_cannot_show_fairness_are_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """On few rows even a model that treats all alike cannot be shown to: neither a pass nor a blame."""
    few = few_of(rows, 70)
    found = fairness.absolute(known(tmp_path, **measured("equalised_odds_gap", 0.1)), few, chance(few))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "hold out more rows (params.yaml: gates.rows)" in found.remedy


def test_a_column_without_two_groups_to_judge_is_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """One group alone is as alike as it can be, which proves nothing; groups that are too small are named."""
    side = np.where(np.arange(len(rows)) < 30, "rare", "all").astype(object)
    few = replace(rows, columns=rows.columns | {"side": side})
    limits = known(tmp_path, **measured("equalised_odds_gap"))
    for found in (
        fairness.absolute(limits, few, chance(few)),
        fairness.relative(limits, few, chance(few), chance(few)),
    ):
        assert found.verdict is Verdict.INCONCLUSIVE
        assert re.match(
            r"side: 1 groups can be judged, expected two; not judged: side rare \(\d+ positives, \d+ negatives\)",
            found.reason,
        )
        assert "declare a coarser column (gates.fairness.columns)" in found.remedy


def test_one_unfair_column_blocks_beside_a_fair_one(tmp_path: Path, rows: Rows) -> None:
    """The worst verdict of any column is the check's, and only its columns are in the reason."""
    other = replace(rows, columns=rows.columns | {"half": np.arange(len(rows)) % 2})
    limits = known(tmp_path, **measured("equalised_odds_gap", columns=("half", "side")))
    found = fairness.relative(limits, other, favouring(other, 1.0), chance(other))
    assert found.verdict is Verdict.BLOCK
    assert found.reason.startswith("side: ")
    assert "half: " not in found.reason
    details = json.loads(json.dumps(found.details, allow_nan=False))
    assert [column["column"] for column in details["columns"]] == ["half", "side"]
    first = details["columns"][1]["groups"][0]
    assert first["group"] == "left"
    assert first["candidate"]["true_positive_rate"] > first["champion"]["true_positive_rate"] + 0.1


def test_the_intervals_of_several_columns_hold_together(tmp_path: Path, rows: Rows) -> None:
    """Beside another column a column's interval is wider, as its verdict is harder to reach, and so is the least harm."""
    both = replace(rows, columns=rows.columns | {"half": np.where(left(rows), 0, np.arange(len(rows)) % 2)})
    ours, theirs = favouring(both, 0.3), chance(both)
    one, two = (
        fairness.relative(known(tmp_path, **measured("equalised_odds_gap", columns=columns)), both, ours, theirs)
        for columns in (("side",), ("side", "half"))
    )
    (alone,), (beside, _) = one.details["columns"], two.details["columns"]
    assert beside["high"] - beside["low"] > alone["high"] - alone["low"]
    assert one.smallest_detectable_effect
    assert one.smallest_detectable_effect > 0.02


@pytest.mark.parametrize("measure", ["equalised_odds_gap", "selection_rate_ratio"])
@pytest.mark.parametrize(("threshold", "who"), [(0.999, "nobody"), (0.001, "everybody")])
def test_decisions_that_are_the_same_for_all_show_nothing(
    tmp_path: Path, rows: Rows, measure: str, threshold: float, who: str
) -> None:
    """However unalike the chances are, a threshold on one side of all of them proves nothing of how groups are treated."""
    limits = known(tmp_path, **measured(measure), threshold=threshold)
    ours, theirs = favouring(rows, 1.0), chance(rows)
    alone, beside = fairness.absolute(limits, rows, ours), fairness.relative(limits, rows, ours, theirs)
    assert {check.verdict for check in (alone, beside)} == {Verdict.INCONCLUSIVE}
    assert alone.reason == f"side: {who} gets a yes from the candidate, expected some to and some not"
    assert beside.reason.startswith(
        f"side: {who} gets a yes from the candidate and {who} gets a yes from the champion, "
    )
    assert alone.remedy == f"move params.yaml: gates.threshold ({threshold}) to where answers are on both sides of it"
    assert (alone.estimate, alone.interval, beside.remedy) == (None, None, alone.remedy)


def test_a_candidate_that_says_no_to_all_is_comparable_with_a_champion_that_does_not(
    tmp_path: Path, rows: Rows
) -> None:
    """Beside a champion that favours one side it treats groups more alike, by all of the champion's gap; alone it shows nothing."""
    limits, theirs = known(tmp_path, **measured("equalised_odds_gap")), favouring(rows, 1.0)
    none = np.zeros(len(rows))
    beside, alone = fairness.relative(limits, rows, none, theirs), fairness.absolute(limits, rows, none)
    assert (beside.verdict, alone.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    gap = fairness.absolute(limits, rows, theirs).estimate
    assert gap
    assert beside.estimate == pytest.approx(-gap)


def test_a_measure_of_errors_sees_a_model_that_says_no_to_all(tmp_path: Path, rows: Rows) -> None:
    """Its accuracy is the share of negatives, which is a number that groups differ in."""
    limits = known(tmp_path, **measured("accuracy_gap"))
    assert fairness.absolute(limits, rows, np.zeros(len(rows))).estimate is not None


def test_rows_that_could_not_show_harm_have_not_passed(tmp_path: Path, rows: Rows) -> None:
    """Where a gap may have grown, and would show it from no less than `cap` margins on, that is left open and said."""
    few, limits = few_of(rows, 40), known(tmp_path, **measured("equalised_odds_gap"))
    ours, theirs = favouring(few, 0.3), chance(few)
    found = fairness.relative(limits, few, ours, theirs)
    assert found.interval
    assert found.smallest_detectable_effect
    assert found.interval[0] < 0.02 < found.interval[1]
    least = found.smallest_detectable_effect / 0.02
    assert least > 5
    assert found.verdict is Verdict.INCONCLUSIVE
    said = f"expected at most 0.02; harm would show from {least:.1f} margins on, expected 5 or less (gates.fairness.relative.cap)"
    assert found.reason.endswith(said)
    assert "hold out more rows (params.yaml: gates.rows)" in found.remedy
    wide = measured("equalised_odds_gap")
    wide["fairness"]["relative"]["cap"] = 1.01 * least
    assert fairness.relative(known(tmp_path, **wide), few, ours, theirs).verdict is Verdict.PASS


def test_what_few_rows_show_counts_whatever_else_they_could_not(tmp_path: Path, rows: Rows) -> None:
    """Beyond the cap, too, harm that is shown blocks and a gap that is shown to be no wider passes."""
    few, limits = few_of(rows, 40), known(tmp_path, **measured("equalised_odds_gap"))
    for ours, theirs, verdict in (
        (favouring(few, 1.0), chance(few), Verdict.BLOCK),
        (chance(few), favouring(few, 1.0), Verdict.PASS),
    ):
        found = fairness.relative(limits, few, ours, theirs)
        assert found.smallest_detectable_effect
        assert found.smallest_detectable_effect > 5 * 0.02
        assert found.verdict is verdict, found.reason


@pytest.mark.parametrize(("bias", "blocking"), [(-1.7, "side"), (-1.8, "club, side")])
def test_the_numbers_are_of_a_column_that_is_surely_beyond(
    tmp_path: Path, rows: Rows, bias: float, blocking: str
) -> None:
    """150 rows may look worse than the column that blocks, or block by Holm's second step; the interval of a BLOCK is beyond."""
    club = np.isin(np.arange(len(rows)), np.random.default_rng(1).choice(len(rows), 150, replace=False))
    both = replace(rows, columns=rows.columns | {"club": np.where(club, "in", "out").astype(object)})
    ours = np.where(club, chance(rows, bias=bias), favouring(rows, 0.2))
    limits = known(tmp_path, **measured("equalised_odds_gap", columns=("club", "side")))
    found = fairness.relative(limits, both, ours, chance(both))
    members, side = found.details["columns"]
    assert found.verdict is Verdict.BLOCK
    assert ", ".join(re.findall(r"(\w+): candidate - champion of", found.reason)) == blocking
    assert members["estimate"] > side["estimate"]
    assert side["low"] > 0.02 > members["low"]
    assert (found.estimate, found.interval) == (side["estimate"], (side["low"], side["high"]))


def test_where_no_column_of_the_verdict_has_numbers_those_of_the_others_stand(tmp_path: Path, rows: Rows) -> None:
    """A column of one group leaves the check open; what was compared beside it is still to be seen."""
    other = replace(rows, columns=rows.columns | {"one": np.full(len(rows), "all", dtype=object)})
    limits = known(tmp_path, **measured("equalised_odds_gap", columns=("one", "side")))
    found = fairness.absolute(limits, other, chance(other))
    assert (found.verdict, found.n) == (Verdict.INCONCLUSIVE, len(rows))
    assert found.reason == "one: 1 groups can be judged, expected two"
    assert found.estimate == found.details["columns"][1]["estimate"] is not None


def test_numbers_count_the_rows_of_the_judged_groups(tmp_path: Path, rows: Rows) -> None:
    """Rows of a group that is too small to judge were not looked at."""
    named = rows.columns["side"].copy()
    named[:30] = "rare"
    few = replace(rows, columns={"side": named})
    found = fairness.absolute(known(tmp_path, **measured("equalised_odds_gap")), few, chance(few))
    assert found.n == len(rows) - 30


def test_a_measure_of_another_task_blocks_by_file_and_key(tmp_path: Path) -> None:
    """Equalised odds mean nothing for three classes, and the line says which measure does."""
    rows = sided(table("delay"))
    limits = known(tmp_path, **owner.THREE["limits"] | measured("equalised_odds_gap"))
    reason = r"found measure equalised_odds_gap, expected one of accuracy_gap \(params.yaml: gates.fairness.absolute.measure\)"
    with pytest.raises(Problem, match=reason):
        fairness.absolute(limits, rows, chances(rows))


def test_no_group_declared_is_said_and_an_absent_key_blocks(tmp_path: Path, rows: Rows) -> None:
    """`columns: []` passes by saying so; without the key nobody has decided."""
    limits = known(tmp_path, **measured("equalised_odds_gap", columns=()))
    for found in (
        fairness.absolute(limits, rows, chance(rows)),
        fairness.relative(limits, rows, chance(rows), chance(rows)),
    ):
        assert (found.verdict, found.n) == (Verdict.PASS, 0)
        assert found.reason == "no column declared (params.yaml: gates.fairness.columns is [])"
    absent = measured("equalised_odds_gap")
    absent["fairness"].pop("columns")
    with pytest.raises(Problem, match=r"fairness: key is missing, expected columns, or \[\] for none"):
        fairness.absolute(known(tmp_path, **absent), rows, chance(rows))


def test_a_candidate_that_lifts_everybody_alike_is_fair(tmp_path: Path, rows: Rows) -> None:
    """A bias of all chances is calibration's to see; the groups are as alike as before."""
    limits = known(tmp_path, **measured("equalised_odds_gap"))
    assert fairness.relative(limits, rows, chance(rows, bias=-0.9), chance(rows)).verdict is Verdict.PASS


def test_equal_models_are_blocked_at_most_as_often_as_alpha_says(tmp_path: Path) -> None:
    """Of 200 pairs of equally fair models, with a margin near 0, at most 1 % are blocked."""
    limits, random, blocked = (
        known(tmp_path, **measured("equalised_odds_gap", margin=1e-9)),
        np.random.default_rng(7),
        0,
    )
    cluster, side = np.arange(3000) % 60, np.arange(3000) // 60 % 3
    for _ in range(200):
        truth = random.normal(size=3000) + 0.5 * random.normal(size=60)[cluster] + 0.4 * side
        label = (random.uniform(size=3000) < 1 / (1 + np.exp(-truth))).astype(int)
        rows = Rows({}, label, cluster, {"side": side})
        ours, theirs = (1 / (1 + np.exp(-0.8 * truth - 0.5 * random.normal(size=3000))) for _ in range(2))
        blocked += fairness.relative(limits, rows, ours, theirs).verdict is Verdict.BLOCK
    assert blocked <= 200 * 0.01 + 3 * np.sqrt(200 * 0.01)
