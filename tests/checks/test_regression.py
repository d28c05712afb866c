"""What the regression gate says of scores: each check refuses by its reason, whatever the task, and asks for rows it lacks."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import multinomial
from sklearn.metrics import f1_score, precision_score, recall_score

from fledge import stats
from fledge.checks import regression, scoring
from fledge.checks.report import decided, report
from fledge.evidence import Check, Verdict
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Array
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


def seen(gained: int, lost: int, n: int) -> regression.Sample:
    """Of `n` rows, each its own cluster, so many that one model alone has right."""
    rows = np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])
    return regression.Sample(stats.clustered_mean(rows, np.arange(n)), n, (gained, lost))


def interval(gained: int, lost: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """The interval of candidate - champion in accuracy."""
    limit = regression.Margin(margin=0.028, alpha=alpha)
    return seen(gained, lost, n).compared(-0.028, limit, higher_is_better=True).interval


def test_few_discordant_rows_are_judged_exactly() -> None:
    """Of 1 row gained and 9 lost of 1,000 the interval is from the least gain and largest loss that they allow to the opposite."""
    more, less = (stats.exact_share(count, 1000) for count in (1, 9))
    assert interval(1, 9, 1000) == pytest.approx((more[0] - less[1], more[1] - less[0]))
    most = 1 - 0.05 ** (1 / 1000)  # of which none of so many rows would be seen once in twenty
    assert interval(0, 0, 1000) == pytest.approx((-most, most))


def test_many_discordant_rows_are_judged_as_any_mean_within_a_row() -> None:
    """With 25 rows or more of both kinds the interval is Student's, wider by one row on either side."""
    estimate = seen(30, 40, 1000).estimate
    low, high = stats.compare(estimate, 0.0).interval
    assert interval(30, 40, 1000) == pytest.approx((low - 0.001, high + 0.001))


@pytest.mark.parametrize("n", [30, 100])
def test_one_more_row_lost_never_speaks_for_the_candidate(n: int) -> None:
    """However many rows were gained, the lower bound falls with every row lost, and what fewer lost passes more may not."""
    for gained in range(n // 2):
        bounds = [interval(gained, lost, n)[0] for lost in range(n // 2)]
        assert np.diff(bounds).max() < 0, gained


def passing(n: int, alpha: float) -> tuple[Array, Array, Array]:
    """Every outcome of `n` rows: how many were gained and lost, and the lower bound that each outcome has."""
    gained, lost = (found.ravel() for found in np.indices((n + 1, n + 1)))
    there = gained + lost <= n
    pairs = np.stack([gained[there], lost[there]])
    return *pairs, np.array([interval(*pair, n, alpha)[0] for pair in pairs.T.tolist()])


@pytest.mark.parametrize(("n", "alpha"), [(10, 0.05), (40, 0.05), (100, 0.05), (40, 0.01), (40, 0.25)])
def test_a_candidate_worse_by_exactly_the_margin_passes_at_most_as_often_as_alpha_says(n: int, alpha: float) -> None:
    """The chance of all outcomes that pass, counted and not drawn, whatever share of rows either model alone has right."""
    gained, lost, bound = passing(n, alpha)
    for margin in (0.005, 0.01, 0.028, 0.05, 0.1, 0.2, 0.3, 0.5):
        passed = bound >= -margin
        for up in (0, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45):
            if up + (down := up + margin) < 1:
                shares = np.array([up, down, 1 - up - down])
                counts = np.stack([gained, lost, n - gained - lost])[:, passed]
                chance = multinomial.pmf(counts.T, n, shares).sum()
                assert chance <= alpha, (margin, up, chance)


def judged_by_accuracy(tmp_path: Path, gained: int, lost: int, n: int, margin: float = 0.028) -> Check:
    """What the check says of so many rows that one model alone has right."""
    limits = known(tmp_path, metrics=["accuracy"], **changed("regression", "accuracy", margin=margin))
    right = np.where(np.arange(n) % 2 == 1, 0.9, 0.1)
    ours, theirs = right.copy(), right.copy()
    ours[:lost], theirs[lost : lost + gained] = 1 - ours[:lost], 1 - theirs[lost : lost + gained]
    rows = Rows({}, np.arange(n) % 2, np.arange(n), {})
    return regression.not_worse(limits, rows, ours, theirs, "accuracy")


def test_of_no_discordant_row_the_remedy_names_the_rows_that_would_do(tmp_path: Path) -> None:
    """0 of 100 rows could be 2.95 % of all; 0 of n are at most the margin from n = log(alpha) / log(1 - margin) on."""
    found = judged_by_accuracy(tmp_path, 0, 0, 100)
    wanted = math.ceil(math.log(0.05) / math.log(1 - 0.028))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"(params.yaml: gates.rows, about {wanted} instead of 100)" in found.remedy
    verdicts = [judged_by_accuracy(tmp_path, 0, 0, n).verdict for n in (wanted - 1, wanted)]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.PASS]


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (3, 4), (20, 20)])
def test_the_rows_that_the_remedy_names_make_the_margin_detectable(tmp_path: Path, gained: int, lost: int) -> None:
    """With as many discordant rows in each hundred, so many rows would show an equal candidate, and one fewer would not."""
    found = judged_by_accuracy(tmp_path, gained, lost, 1000, margin=0.002)
    named = re.search(r"about ([\d,]+) instead of 1,000", found.remedy)
    assert named, found.reason
    wanted, limit = int(named[1].replace(",", "")), regression.Margin(margin=0.002, alpha=0.05)
    size = [seen(gained, lost, 1000).times(rows / 1000).detectable(limit) for rows in (wanted - 1, wanted)]
    assert size[0] > 0.002 >= size[1]
    assert found.details["power"][3]["detectable"] == pytest.approx(found.smallest_detectable_effect)
    assert found.details["power"][0]["detectable"] > found.details["power"][5]["detectable"]


def test_a_steadier_recipe_is_asked_for_with_what_few_rows_leave_of_the_margin(tmp_path: Path) -> None:
    """With the sigma_seed that the remedy names the margin is detectable, and hardly with more."""
    key = {"margin": 0.028, "sigma_seed": 0.1}
    limits = known(tmp_path, metrics=["accuracy"], **changed("regression", "accuracy", **key))
    rows, right = Rows({}, np.arange(200) % 2, np.arange(200), {}), np.where(np.arange(200) % 2 == 1, 0.9, 0.1)
    found = regression.not_worse(limits, rows, right, right, "accuracy")
    named = re.match(r"train more steadily \(gates.regression.accuracy.sigma_seed at most (0\.\d+) ", found.remedy)
    assert named, found.remedy
    least, more = (
        seen(0, 0, 200).detectable(regression.Margin(margin=0.028, alpha=0.05, sigma_seed=factor * float(named[1])))
        for factor in (0.98, 1.05)
    )
    assert least <= 0.028 < more


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
    assert "AUC needs two clusters of each class" in found["regression.auc"].reason
    assert "a clustered error needs two clusters" in found["regression.log_loss"].reason
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
