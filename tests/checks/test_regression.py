"""What the regression gate says of scores: each check refuses by its reason, whatever the task, and asks for rows it lacks."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from fledge import stats
from fledge.checks import regression, scoring
from fledge.checks.report import decided, report
from fledge.evidence import Check, Verdict
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array, Comparison
from tests.tiny import owner
from tests.tiny.scored import chance, chances, changed, known, logit, minutes, table

GOOD = {"weights": (1.19, 0.81)}
TASKS: dict[str, tuple[str, Any, dict[str, Any]]] = {  # label, answers, limits
    "binary": ("late", chance, {}),
    "multiclass": ("delay", chances, owner.THREE["limits"]),
    "regression": ("minutes", minutes, owner.MINUTES["limits"]),
}


def some(rows: Rows, step: int) -> Rows:
    """Every `step`-th row."""
    columns = {name: values[::step] for name, values in rows.columns.items()}
    inputs = {name: values[::step] for name, values in rows.inputs.items()}
    return Rows(inputs, rows.label[::step], rows.cluster[::step], columns)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The tiny model's rows."""
    return table()


@pytest.mark.parametrize("task", TASKS)
def test_a_candidate_as_good_as_its_champion_passes_every_check(tmp_path: Path, task: str) -> None:
    """Whatever the task, an equal candidate passes all checks of scores, and each looked at all rows; a segment's has its own."""
    label, answers, limits = TASKS[task]
    rows = table(label)
    found = scoring(known(tmp_path, **limits), rows, answers(rows, **GOOD), answers(rows))
    assert [check.line for check in found if check.verdict is not Verdict.PASS] == []
    assert {check.n for check in found if check.gate != "segments"} == {len(rows)}
    [harm] = [check for check in found if check.gate == "segments"]
    assert 0 < harm.n < len(rows)


@pytest.mark.parametrize(
    ("task", "worse", "refused"),
    [
        ("binary", {"scale": -1.0}, {"regression.auc", "regression.log_loss", "regression.floor", "segments.harm"}),
        ("binary", {"scale": 2.0, "bias": -2.4}, {"regression.log_loss", "segments.harm", "calibration.slope"}),
        ("multiclass", {"scale": 0.0}, {"regression.log_loss", "regression.accuracy", "regression.floor"}),
        ("regression", {"scale": 0.0}, {"regression.squared_error", "regression.absolute_error", "regression.floor"}),
        ("regression", {"bias": -0.9}, {"regression.squared_error", "calibration.in_the_large", "segments.harm"}),
    ],
)
def test_a_worse_candidate_is_blocked_by_the_checks_of_its_task(
    tmp_path: Path, task: str, worse: dict[str, Any], refused: set[str]
) -> None:
    """Inverted, overconfident, constant and biased candidates are each refused by the checks that are about that."""
    label, answers, limits = TASKS[task]
    rows = table(label)
    found = scoring(known(tmp_path, **limits), rows, answers(rows, **worse), answers(rows))
    assert refused <= {f"{check.gate}.{check.name}" for check in found if check.verdict is Verdict.BLOCK}


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "accuracy"])
def test_each_metric_refuses_in_its_own_unit(tmp_path: Path, rows: Rows, metric: str) -> None:
    """An inverted candidate is worse by each metric, and the reason has estimate, bound, margin and unit."""
    limits = known(tmp_path, metrics=[metric])
    found = regression.not_worse(limits, rows, chance(rows, scale=-1.0), chance(rows), metric)
    sign, unit, side = (
        ("-", "AUC|share", "above -") if metric in ("auc", "accuracy") else (r"\+", "of champ", r"below \+")
    )
    reason = rf"candidate - champion is {sign}\d\.\d+ ({unit}).*, at worst {sign}\d\.\d+, expected {side}0\.01"
    assert found.verdict is Verdict.BLOCK
    assert re.match(reason, found.reason), found.reason
    assert f"params.yaml: gates.regression.{metric}.margin" in found.remedy
    assert found.details["higher_is_better"] == (metric in ("auc", "accuracy"))


def test_few_rows_are_inconclusive_and_the_remedy_names_the_rows_that_would_do(tmp_path: Path, rows: Rows) -> None:
    """Where the smallest detectable effect exceeds the margin nothing is judged; so many rows more and it would be."""
    few = some(rows, 60)
    found = regression.not_worse(known(tmp_path), few, chance(few, weights=(1.2, 1.3)), chance(few), "log_loss")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert re.match(r"these rows can show a loss of 0\.\d{4} at best, expected 0\.015", found.reason), found.reason
    named = re.search(r"\(params.yaml: gates.rows, about ([\d,]+) instead of 362\)", found.remedy)
    assert named
    wanted, effect = int(named[1].replace(",", "")), found.smallest_detectable_effect
    assert effect
    assert wanted == pytest.approx(362 * (effect / 0.015) ** 2, abs=1)
    power = found.details["power"]
    assert [point["rows"] for point in power] == [45, 90, 181, 362, 724, 1448]
    assert power[3]["detectable"] == pytest.approx(effect)
    assert np.diff([point["detectable"] for point in power]).max() < 0


def test_a_candidate_that_is_shown_within_the_margin_needs_no_power_to_pass(tmp_path: Path, rows: Rows) -> None:
    """A candidate that differs much from its champion has a wide interval; where it ends before the margin it is enough."""
    ours, theirs = (
        1 / (1 + np.exp(-logit(rows) - 0.5 * np.random.default_rng(seed).normal(size=len(rows)))) for seed in (2, 4)
    )
    wide = regression.not_worse(known(tmp_path), rows, ours, theirs, "log_loss")
    assert wide.interval
    margin = 1.05 * wide.interval[1]
    found = regression.not_worse(
        known(tmp_path, **changed("regression", "log_loss", margin=margin)), rows, ours, theirs, "log_loss"
    )
    assert found.smallest_detectable_effect
    assert found.smallest_detectable_effect > margin > found.interval[1] > 0 > found.interval[0]  # type: ignore[index]
    assert found.verdict is Verdict.PASS


def test_what_retraining_moves_can_make_a_margin_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """With a `sigma_seed` that the margin cannot keep the remedy says which one would do, as no number of rows does."""
    key = changed("regression", "auc", sigma_seed=0.008)
    found = regression.not_worse(known(tmp_path, **key), rows, chance(rows, **GOOD), chance(rows), "auc")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "hold out" not in found.remedy
    named = re.match(
        r"train more steadily \(gates.regression.auc.sigma_seed at most (0\.\d+) instead of 0.008\)", found.remedy
    )
    assert named, found.remedy
    key = changed("regression", "auc", sigma_seed=float(named[1]) * 0.99)
    found = regression.not_worse(known(tmp_path, **key), rows, chance(rows, **GOOD), chance(rows), "auc")
    assert found.verdict is Verdict.PASS


def test_a_margin_that_needs_both_says_so(tmp_path: Path, rows: Rows) -> None:
    """Where neither rows nor steadiness alone would do the remedy asks for both."""
    few, key = some(rows, 60), changed("regression", "log_loss", sigma_seed=0.02)
    found = regression.not_worse(known(tmp_path, **key), few, chance(few, weights=(1.2, 1.3)), chance(few), "log_loss")
    assert re.match(
        r"hold out more rows \(.*gates.rows\) and train more steadily \(.*sigma_seed is 0.02\)", found.remedy
    )


def test_a_candidate_that_is_shown_worse_needs_no_power_to_be_blocked(tmp_path: Path, rows: Rows) -> None:
    """Few rows that all say the same are a BLOCK: a loss is sure, and its best estimate is beyond the margin."""
    few = some(rows, 20)
    found = regression.not_worse(known(tmp_path), few, chance(few, bias=-0.5), chance(few), "log_loss")
    assert found.smallest_detectable_effect
    assert found.smallest_detectable_effect > 0.015
    assert found.verdict is Verdict.BLOCK
    assert "candidate - champion is +0." in found.reason


@pytest.mark.parametrize("factor", [2, 0.01])
def test_the_anchor_has_a_margin_of_its_own(tmp_path: Path, rows: Rows, factor: float) -> None:
    """A candidate within a margin of its champion may be too far below an older release; `factor` times the margin decides."""
    limits = known(tmp_path, **changed("regression", "anchor", factor=factor))
    found = regression.anchor(limits, rows, chance(rows, weights=(1.2, 0.3)), chance(rows))
    assert found.margin == pytest.approx(-0.01 * factor)
    assert (found.verdict is Verdict.PASS) == (factor == 2)
    worse = regression.anchor(limits, rows, chance(rows, scale=-1.0), chance(rows))
    assert worse.verdict is Verdict.BLOCK
    assert re.match(r"candidate - anchor is -0\.\d+ AUC, at worst", worse.reason)
    assert "gates.regression.anchor.factor" in worse.remedy


@pytest.mark.parametrize("task", TASKS)
def test_the_best_constant_is_no_better_than_itself(tmp_path: Path, task: str) -> None:
    """The floor's own baseline does not pass the floor: nothing gained is not enough."""
    label, answers, changes = TASKS[task]
    limits, rows = known(tmp_path, **changes), table(label)
    found = regression.floor(limits, rows, regression.constant(limits, rows, answers(rows)))
    assert found.verdict is Verdict.BLOCK
    assert re.match(
        r"gain over the best constant's \w+ is [+-]0.00%, at worst [+-]0.00%, expected above \+0.00%", found.reason
    )


def test_a_gain_that_few_rows_cannot_show_is_inconclusive(tmp_path: Path, rows: Rows) -> None:
    """A candidate that is a little better than a constant, on few rows, is neither passed nor blamed."""
    few = some(rows, 100)
    shy = few.label.mean() + 0.05 * (few.inputs["load"] - few.inputs["load"].mean())
    found = regression.floor(known(tmp_path), few, shy)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "hold out more rows" in found.remedy


def test_the_best_constant_of_absolute_errors_is_the_median(tmp_path: Path) -> None:
    """Each loss has its own best constant: no other one of a grid has a smaller mean."""
    rows = table("minutes")
    for metric, power in [("squared_error", 2), ("absolute_error", 1)]:
        limits = known(tmp_path, **owner.MINUTES["limits"] | {"metrics": [metric]})
        best = regression.constant(limits, rows, rows.label)[0]
        grid = best + np.linspace(-5, 5, 11)
        losses = [np.mean(np.abs(rows.label - one) ** power) for one in grid]
        assert np.argmin(losses) == 5


def test_few_discordant_rows_are_judged_exactly() -> None:
    """Of 10 discordant rows the candidate has 1 right: the interval is at least Clopper's and Pearson's for 1 of 10."""
    right, before = np.ones(1000, bool), np.ones(1000, bool)
    right[:9], before[9] = False, False
    narrow = Comparison(-0.008, (-0.0081, -0.0079), -0.01, 0.001, True)
    low, high = regression.with_few(narrow, right, before, 0.05).interval
    share = stats.exact_share(1, 10)
    assert (low, high) == pytest.approx(((2 * share[0] - 1) * 0.01, (2 * share[1] - 1) * 0.01))
    assert low < narrow.interval[0] < high
    most = 1 - 0.05 ** (1 / len(before))  # of which none of so many rows would be seen once in twenty
    assert regression.with_few(narrow, before, before, 0.05).interval == pytest.approx((-most, most))
    assert regression.with_few(narrow, ~before, before, 0.05) is narrow


BROKEN: dict[str, tuple[Any, str]] = {
    "nan": (
        lambda score: np.where(np.arange(len(score)) < 3, np.nan, score),
        "candidate: not finite in 3 of 21,700 rows",
    ),
    "infinite": (
        lambda score: np.where(np.arange(len(score)) < 1, np.inf, score),
        "candidate: not finite in 1 of 21,700",
    ),
    "short": (lambda score: score[:-1], "candidate: 21,699 answers, expected 21,700"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_scores_that_are_no_scores_block_every_check(tmp_path: Path, rows: Rows, broken: str) -> None:
    """Answers that are not finite, or not one per row, are a BLOCK of each check that would have read them, with the count."""
    spoil, reason = BROKEN[broken]
    found = scoring(known(tmp_path), rows, spoil(chance(rows)), chance(rows))
    assert {check.verdict for check in found} == {Verdict.BLOCK}
    assert all(check.reason.startswith(reason) and check.remedy for check in found), found[0].reason


def test_a_broken_champion_is_named(tmp_path: Path, rows: Rows) -> None:
    """NaN of the champion is not blamed on the candidate."""
    theirs = np.full(len(rows), np.nan)
    with pytest.raises(Problem, match="champion: not finite in 21,700 of 21,700 rows, expected numbers"):
        regression.not_worse(known(tmp_path), rows, chance(rows), theirs, "auc")


@pytest.mark.parametrize("key", ["margin", "alpha"])
def test_a_limit_that_is_missing_blocks_by_file_and_key(tmp_path: Path, rows: Rows, key: str) -> None:
    """Without a margin, or without its alpha, the metric is a BLOCK that names the key."""
    limits = known(tmp_path, **changed("regression", "auc", **{key: None}))
    found = by_name(scoring(limits, rows, chance(rows), chance(rows)))["regression.auc"]
    assert found.verdict is Verdict.BLOCK
    assert found.reason.endswith(f"(params.yaml: gates.regression.auc.{key})")


def test_two_answers_of_one_cluster_block(tmp_path: Path, rows: Rows) -> None:
    """Rows of one day have no visible spread: no check passes on them."""
    day = Rows(*({n: v[:700] for n, v in x.items()} if isinstance(x, dict) else x[:700] for x in fields(rows)))
    found = by_name(scoring(known(tmp_path), day, chance(day), chance(day)))
    assert "a clustered error needs two clusters" in found["regression.auc"].reason
    assert {name for name, check in found.items() if not check.blocks} == {"regression.report"}


def test_a_champion_without_any_loss_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """Where the champion has no loss a share of it has no meaning, and the check says so instead of dividing by 0."""
    rows = table("minutes")
    found = by_name(scoring(known(tmp_path, **owner.MINUTES["limits"]), rows, minutes(rows), rows.label))
    reason = "the champion's squared_error is 0 in every row, expected a loss to compare with"
    assert reason in found["regression.squared_error"].reason
    assert found["regression.squared_error"].verdict is Verdict.BLOCK


def test_reported_scores_are_scikit_learns(tmp_path: Path, rows: Rows) -> None:
    """Precision, recall and F1 at the owner's threshold; the check passes whatever they are."""
    limits, ours = known(tmp_path, threshold=0.4), chance(rows, scale=-1.0)
    found = report(limits, rows, ours, chance(rows))
    decision = ours >= 0.4
    expected = [score(rows.label, decision) for score in (precision_score, recall_score, f1_score)]
    said = found.details["scores"]["candidate"]
    assert [said["precision"], said["recall"], said["f1"]] == pytest.approx(expected)
    assert (found.verdict, found.details["threshold"]) == (Verdict.PASS, 0.4)
    assert report(limits, rows, ours, None).details["scores"].keys() == {"candidate"}


def test_scores_of_many_classes_are_means_over_them(tmp_path: Path) -> None:
    """Macro averages, as scikit-learn has them."""
    rows = table("delay")
    said = report(known(tmp_path, **owner.THREE["limits"]), rows, chances(rows), None).details["scores"]["candidate"]
    likeliest = chances(rows).argmax(axis=1)
    scores = (precision_score, recall_score, f1_score)
    expected = [score(rows.label, likeliest, average="macro", zero_division=0) for score in scores]
    assert [said["precision"], said["recall"], said["f1"]] == pytest.approx(expected)


def test_a_score_of_nothing_is_none() -> None:
    """No yes has no precision, no positive no recall; neither is 0."""
    no, yes = np.zeros(4, bool), np.ones(4, bool)
    assert decided(np.ones(4), no) == {"precision": None, "recall": 0, "f1": 0}
    assert decided(np.zeros(4), yes) == {"precision": 0, "recall": None, "f1": 0}
    assert decided(np.zeros(4), no)["f1"] is None


def by_name(checks: list[Check]) -> dict[str, Check]:
    """Checks as gate.name."""
    return {f"{check.gate}.{check.name}": check for check in checks}


def fields(rows: Rows) -> tuple[Any, Array, Array, Any]:
    """The parts of rows that are cut alike."""
    return rows.inputs, rows.label, rows.cluster, rows.columns


def test_what_is_no_chance_buys_no_log_loss(tmp_path: Path, rows: Rows) -> None:
    """Answers above 1 would win log-loss; they are refused by name of the model and key."""
    with pytest.raises(
        Problem, match=r"candidate: answers outside \[0, 1\], expected chances \(contract.yaml: outputs\)"
    ):
        regression.not_worse(known(tmp_path), rows, 1.6 * chance(rows), chance(rows), "log_loss")
