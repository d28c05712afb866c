"""What the leakage gate says: copies, time, single inputs, gains too good, rows learnt by heart, each by its reason."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fledge.artifact.contract import Contract, Input
from fledge.checks import leakage, signal
from fledge.checks.leakage import Gap, Overlap, Time, TooGood
from fledge.checks.signal import SingleFeature
from fledge.evidence import Evidence, Verdict
from fledge.gates import limits as sections
from fledge.gates.limits import Limit, Limits
from fledge.gates.process import Pair
from fledge.gates.rows import Rows
from fledge.problems import Problem
from fledge.stats import Estimate
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, ROWS, limits, rows, write_model, write_rows

FILE = "params.yaml"
DAYS, SIZE = 20, 100  # clusters, and rows of each
SINGLE = SingleFeature(max=0.8, above_runner_up=0.15)


def some(seed: int, start: str = "2013-07-01", *, words: int = 3) -> Rows:
    """2,000 rows of twenty days from `start`: a number that tells a little of the label, one that tells nothing, a word."""
    random, n = np.random.default_rng(seed), DAYS * SIZE
    label = (random.uniform(size=n) < 0.4).astype(np.int64)
    inputs = {
        "weak": (random.normal(size=n) + 0.5 * label).astype("float32"),
        "noise": random.normal(size=n).astype("float32"),
        "word": random.integers(words, size=n).astype(str).astype(object),
    }
    date = np.datetime64(start) + np.repeat(np.arange(DAYS), SIZE)
    return Rows(inputs, label, date, {"date": date}, np.full(n, start[:7]))


def with_input(rows: Rows, name: str, values: Any) -> Rows:
    """The rows with one input more, or another."""
    return replace(rows, inputs=rows.inputs | {name: values})


def contract_of(rows: Rows) -> Contract:
    """A contract that names the rows' inputs."""
    kinds = {name: "string" if values.dtype.kind == "O" else "float32" for name, values in rows.inputs.items()}
    inputs = {name: Input(dtype=kind, known_at=-1) for name, kind in kinds.items()}
    return Contract(signature="any", inputs=inputs, outputs={}, classes=["no", "yes"])


def single(rows: Rows, task: sections.Task = "binary", limit: SingleFeature = SINGLE) -> Any:
    """The check single_feature of rows."""
    return signal.single_feature(rows, contract_of(rows), task, limit, FILE)


@pytest.fixture
def known(tmp_path: Path) -> Limits:
    """Limits of which July is held out whole, and June's marked rows."""
    folder = write_model(tmp_path, "tiny", CONTRACT, limits(holdout=["2013-06"]))
    return sections.load(folder / "params.yaml", FILE)


def test_rows_that_training_saw_are_refused() -> None:
    """One copied day in twenty blocks; it is the bound of its share that exceeds what is allowed."""
    held, training = some(0), some(1, "2013-06-01")
    leaked = replace(
        training,
        inputs={k: np.concatenate([v, held.inputs[k][:SIZE]]) for k, v in training.inputs.items()},
        label=np.concatenate([training.label, held.label[:SIZE]]),
        cluster=np.concatenate([training.cluster, held.cluster[:SIZE]]),
    )
    good, bad = (leakage.overlap(held, seen, Overlap(max_share=0.001), FILE) for seen in (training, leaked))
    assert (good.verdict, good.estimate) == (Verdict.PASS, 0)
    assert (bad.verdict, bad.estimate) == (Verdict.BLOCK, 0.05)
    assert re.match(r"100 of 2,000 held-out rows are copies of training rows, a share of at least 3\.\d+%", bad.reason)
    assert "expected at most 0.100% (0.000% recur by nature)" in bad.reason
    assert "params.yaml: gates.leakage.overlap.max_share" in bad.remedy


def test_rows_that_recur_by_nature_are_allowed() -> None:
    """Where a tenth of the rows are of few kinds, the training rows tell how many copies a new day has anyhow."""
    held, training = some(0), some(1, "2013-06-01")
    for part in (held, training):
        alike = np.random.default_rng(2).uniform(size=len(part)) < 0.1
        for values, usual in zip(part.inputs.values(), (0.0, 0.0, "0"), strict=True):
            values[alike] = usual
    check = leakage.overlap(held, training, Overlap(max_share=0.02), FILE)
    assert check.verdict is Verdict.PASS
    assert check.estimate == pytest.approx(0.1, abs=0.03)
    assert check.margin == pytest.approx(0.1 + 0.02, abs=0.03)


def test_rows_that_cannot_be_told_apart_are_inconclusive() -> None:
    """Where most rows recur by nature a copy is no news, so the check does not pass."""
    held, training = (replace(part, inputs={"word": part.inputs["word"]}) for part in (some(0), some(1)))
    check = leakage.overlap(held, training, Overlap(max_share=0.001), FILE)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason == "100.0% of training rows recur in another cluster, expected rows that can be told apart"


def test_a_row_is_its_inputs_and_its_label() -> None:
    """The same inputs with another label are another row; the order of rows and −0 for 0 change nothing."""
    held = some(0)
    other = replace(held, label=1 - held.label)
    zero = with_input(held, "noise", np.zeros(len(held), "float32"))
    minus = with_input(held, "noise", -np.zeros(len(held), "float32"))
    assert not np.isin(leakage.fingerprints(held), leakage.fingerprints(other)).any()
    assert (leakage.fingerprints(zero) == leakage.fingerprints(minus)).all()
    assert len(np.unique(leakage.fingerprints(held))) == len(held)


def test_later_rows_come_after_training(known: Limits) -> None:
    """Training that ends before the held-out month passes, one that reaches into it blocks, and so does an embargo."""
    held, before, within = some(0), some(1, "2013-06-01"), some(1, "2013-06-20")
    assert leakage.time(held, before, known, Time(embargo=0)).verdict is Verdict.PASS
    bad = leakage.time(held, within, known, Time(embargo=0))
    assert bad.verdict is Verdict.BLOCK
    assert bad.reason == ("training ends at 2013-07-09, later rows begin at 2013-07-01, expected more than 0 between")
    assert "gates.leakage.time.embargo" in bad.remedy
    found = [leakage.time(held, before, known, Time(embargo=days)) for days in (10, 11)]
    assert [(check.verdict, check.estimate) for check in found] == [(Verdict.PASS, 11), (Verdict.BLOCK, 11)]


def test_days_held_out_within_training_are_not_trained_on(known: Limits) -> None:
    """Of a month in gates.holdout the time does not matter, but no day may be on both sides."""
    june = some(0, "2013-06-11")
    apart = leakage.time(june, some(1, "2013-05-22"), known, Time(embargo=0))
    shared = leakage.time(june, some(1, "2013-05-23"), known, Time(embargo=0))
    assert apart.verdict is Verdict.PASS
    assert apart.reason == "training saw 0 of 20 clusters held out within its months, expected none"
    assert shared.verdict is Verdict.BLOCK
    assert shared.reason == "training saw 1 of 20 clusters held out within its months, expected none (2013-06-11)"


def test_a_cluster_without_a_name_may_not_be_on_both_sides(known: Limits) -> None:
    """Rows of nobody knows whom are one cluster: training saw it, or it did not."""
    held, trained = some(0, "2013-06-11"), some(1, "2013-05-22")
    named = replace(held, cluster=np.array([None, "a"] * len(held), dtype=object)[: len(held)])
    found = [
        leakage.time(named, replace(trained, cluster=np.full(len(trained), who, dtype=object)), known, Time(embargo=0))
        for who in ("b", None)
    ]
    assert [check.verdict for check in found] == [Verdict.PASS, Verdict.BLOCK]
    assert found[1].reason == "training saw 1 of 2 clusters held out within its months, expected none (None)"


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [(np.float64(3), np.float64(5.5), 2.5), ("2013-06", "2013-07", 1), ("2013-07", "2013-07", -1)],
)
def test_time_may_be_a_number_or_a_word(before: Any, after: Any, apart: float) -> None:
    """Numbers are as far apart as they differ; words are only before or not."""
    assert leakage.distance(before, after) == apart


def test_a_time_that_is_not_known_is_a_problem(known: Limits) -> None:
    """One row without a time is named with its key: it could be later than all others."""
    held = some(0)
    held.columns["date"][7] = np.datetime64("NaT")
    with pytest.raises(Problem, match=r"date is not known in 1 of 2000 rows, .*\(params\.yaml: gates\.time\)"):
        leakage.time(held, some(1, "2013-06-01"), known, Time(embargo=0))


def test_an_honest_input_is_no_leak() -> None:
    """Inputs that tell little pass, also a word that is another one in nearly every row and so fits its own label."""
    check = single(some(0, words=1500))
    assert check.verdict is Verdict.PASS
    assert check.reason.startswith("weak alone has AUC 0.6")
    word = next(one for one in check.details["inputs"] if one["input"] == "word")
    assert word["strength"] < 0.55


@pytest.mark.parametrize("kind", ["more", "less", "word", "absent"])
def test_an_input_made_from_the_label_is_refused(kind: str) -> None:
    """A number that rises or falls with the label, a word that names it, and a gap where there is nothing to say."""
    held = some(0)
    random = np.random.default_rng(3)
    noisy = held.label + random.normal(scale=0.5, size=len(held))
    made = {
        "more": noisy,
        "less": -noisy,
        "word": np.where(noisy > 0.5, "delayed", "fine").astype(object),
        "absent": np.where(held.label == 1, random.normal(size=len(held)), np.nan),
    }
    check = single(with_input(held, "outcome", made[kind]))
    assert check.verdict is Verdict.BLOCK
    assert re.match(r"outcome alone has AUC \d\.\d+, at least \d\.\d+, expected at most 0\.7", check.reason)
    assert check.remedy.startswith("leave outcome out if it is known only afterwards")


def test_an_input_far_above_the_next_best_is_refused() -> None:
    """An AUC of about 0.76 blocks beside inputs that tell little, and passes beside one that tells as much."""
    held = some(0)
    shift = 1.0 * held.label
    random = np.random.default_rng(3)
    strong, other = (random.normal(size=len(held)) + shift for _ in range(2))
    weak = with_input(with_input(held, "weak", held.inputs["noise"]), "strong", strong)
    refused = single(weak)
    assert refused.verdict is Verdict.BLOCK
    assert re.search(r"strong alone has AUC 0\.7\d+, .*expected at most 0\.6\d+ \(the next best, ", refused.reason)
    assert single(with_input(weak, "other", other)).verdict is Verdict.PASS


def made_from_the_label(rows: Rows, days: int, scale: float) -> Any:
    """A number that rises with the label on so many of the twenty days, and says nothing on the others."""
    random, told = np.random.default_rng(3), np.repeat(np.arange(DAYS) < days, SIZE)
    return np.where(told, rows.label, 0) + random.normal(scale=scale, size=len(rows))


def test_a_noisy_leak_hides_no_certain_one() -> None:
    """An input that is stronger, but perhaps by the luck of its days, leaves the one beside it as refused as it was alone."""
    held = some(0)
    sure, lucky = made_from_the_label(held, DAYS, 0.75), made_from_the_label(held, 15, 0.15)
    limit = SingleFeature(max=0.8, above_runner_up=1)
    alone = [single(with_input(held, "made", one), limit=limit) for one in (sure, lucky)]
    assert [check.verdict for check in alone] == [Verdict.BLOCK, Verdict.PASS]
    assert alone[1].estimate > alone[0].estimate > alone[0].interval[0] > 0.8 > alone[1].interval[0]
    both = single(with_input(with_input(held, "sure", sure), "lucky", lucky), limit=limit)
    assert both.verdict is Verdict.BLOCK
    assert (both.estimate, both.interval) == (alone[0].estimate, alone[0].interval)
    assert re.fullmatch(r"sure alone has AUC 0\.8\d+, at least 0\.8\d+, expected at most 0\.800", both.reason)
    assert both.remedy.startswith("leave sure out if it is known only afterwards")


def test_every_input_beyond_the_limit_is_named_the_surest_first() -> None:
    """Of three, two of which are made from the label, the one with the highest lower bound is reported, and the other named."""
    held = some(0)
    sure, surer = (made_from_the_label(held, DAYS, scale) for scale in (0.75, 0.3))
    check = single(with_input(with_input(held, "sure", sure), "surer", surer))
    assert check.verdict is Verdict.BLOCK
    assert re.fullmatch(
        r"surer alone has AUC 0\.9\d+, at least 0\.9\d+, expected at most 0\.800 \(the next best, sure, 0\.8\d+\); "
        r"beyond it too: sure \(0\.8\d+, at least 0\.8\d+\)",
        check.reason,
    )
    assert check.remedy.startswith(
        "leave surer, sure out if they are known only afterwards; if they are known in time, "
    )


def test_a_single_input_has_no_runner_up() -> None:
    """A model of one input is judged by `max` alone; a model of none is a problem."""
    alone = replace(some(0), inputs={"strong": some(0).label + np.random.default_rng(3).normal(size=DAYS * SIZE)})
    check = single(alone)
    assert (check.verdict, check.margin) == (Verdict.PASS, 0.8)
    with pytest.raises(Problem, match="found no input"):
        single(replace(alone, inputs={}))


def test_of_many_classes_the_best_told_counts() -> None:
    """An input that names one class of three blocks, though it says nothing of the others."""
    held = some(0)
    random = np.random.default_rng(3)
    label = random.integers(3, size=len(held))
    third = (label == 2) + random.normal(scale=0.3, size=len(held))
    check = single(with_input(replace(held, label=label), "third", third), "multiclass")
    assert check.verdict is Verdict.BLOCK
    assert check.reason.startswith("third alone has AUC 0.9")


def test_a_regression_is_told_by_rank_correlation() -> None:
    """A number or a word made from the label blocks, whatever the shape of the curve; honest inputs pass."""
    held = some(0)
    random = np.random.default_rng(3)
    label = held.inputs["weak"].astype(float) + random.normal(size=len(held))
    numbers = replace(held, label=label)
    assert single(numbers, "regression").verdict is Verdict.BLOCK  # 0.7, far above the next best
    assert single(numbers, "regression", SingleFeature(max=0.8, above_runner_up=1)).verdict is Verdict.PASS
    for made in (-np.exp(label), np.digitize(label, [-1, 0, 1]).astype(str).astype(object)):
        check = single(with_input(numbers, "made", made), "regression")
        assert check.verdict is Verdict.BLOCK
        assert re.match(r"made alone has rank correlation (0\.9|1\.0)", check.reason)


def test_the_error_of_a_rank_correlation_is_what_resampling_clusters_gives() -> None:
    """The clustered error agrees within a quarter with 400 redraws of whole clusters that share their luck."""
    random = np.random.default_rng(0)
    cluster = np.repeat(np.arange(80), 25)
    shared = random.normal(size=80)[cluster]
    x, y = (shared + random.normal(size=2000) for _ in range(2))
    whole = signal.Signal("x", _spearman(x, y), x, y, cluster)
    draws = [np.concatenate([np.arange(25) + 25 * g for g in random.integers(80, size=80)]) for _ in range(400)]
    resampled = np.std([_spearman(x[draw], y[draw]) for draw in draws])
    assert signal.estimate(whole, "regression").error == pytest.approx(resampled, rel=0.25)


def _spearman(x: Any, y: Any) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize(
    ("metric", "gain", "verdict", "key"),
    [
        ("auc", 0.049, "PASS", ""),
        ("auc", 0.18, "BLOCK", "absolute"),
        ("accuracy", 0.051, "BLOCK", "absolute"),
        ("log_loss", 0.19, "PASS", ""),
        ("log_loss", 0.46, "BLOCK", "relative"),
        ("squared_error", 0.21, "BLOCK", "relative"),
    ],
)
def test_a_gain_that_is_too_good_waits_for_a_person(metric: str, gain: float, verdict: str, key: str) -> None:
    """Beyond the limit of its kind a gain is held, and the remedy says how a person accepts it."""
    check = leakage.too_good(metric, Estimate(gain, 0.01, 30), some(0), TooGood(absolute=0.05, relative=0.2), FILE)
    assert check.verdict == verdict
    assert check.reason.startswith(f"{metric} is better than the champion's by {gain:+.4f}, expected at most ")
    if key:
        assert f"moves params.yaml: gates.leakage.too_good.{key} on the target branch first" in check.remedy


def test_rows_learnt_by_heart_are_refused() -> None:
    """A candidate that gained on its training rows alone blocks; one as good on both sides, or just noisy, passes."""
    held, training = some(0), some(1, "2013-06-01")
    random = np.random.default_rng(2)

    def found(shift: float, noise: float = 0.05) -> Any:
        ours, known = (random.normal(scale=noise, size=DAYS * SIZE) for _ in range(2))
        return leakage.gap(ours, held, known - shift, training, 0.5, Gap(margin=0.05), FILE)

    heart = found(0.1)
    assert heart.verdict is Verdict.BLOCK
    assert heart.estimate == pytest.approx(0.1 / 0.5, abs=0.02)
    assert heart.reason.startswith("from training to held-out rows the loss grows by +")
    assert heart.reason.endswith("expected at most +5.00%")
    assert found(0.0).verdict is Verdict.PASS
    assert found(0.03, noise=2.0).verdict is Verdict.PASS  # not shown
    with pytest.raises(ValueError, match="the champion's loss is 0 in every row"):
        leakage.gap(np.zeros(DAYS * SIZE), held, np.zeros(DAYS * SIZE), training, 0.0, Gap(margin=0.05), FILE)


def test_an_input_says_when_it_is_known() -> None:
    """Known afterwards blocks, not said is inconclusive, and neither is passed over for the other inputs' sake."""

    def found(**hours: float | None) -> Any:
        inputs = {name: Input(dtype="float32", known_at=said) for name, said in hours.items()}
        promised = Contract(signature="any", inputs=inputs, outputs={}, classes=[])
        return leakage.known_at(promised, Limit())

    assert found(a=-24, b=0).verdict is Verdict.PASS
    late = found(a=-24, b=3.5, c=None)
    assert (late.verdict, late.reason) == (
        Verdict.BLOCK,
        "b is known 3.5 h after it, expected what is known when the question is asked",
    )
    silent = found(a=-24, b=None)
    assert silent.verdict is Verdict.INCONCLUSIVE
    assert silent.reason.startswith("b: not said when the value is known")
    assert found(a=float("nan")).verdict is Verdict.BLOCK
    assert found().verdict is Verdict.INCONCLUSIVE


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The gate on a good pair, on a candidate trained on the held-out rows, on one far too good, on one of unknown training."""
    root, table = tmp_path_factory.mktemp("leakage"), rows()
    model, july = write_model(root, "tiny", CONTRACT, limits()), write_rows(root, "tiny", table)
    month = pa.array((table["date"].to_numpy() - np.timedelta64(31, "D")).astype("datetime64[D]"))
    other = pc.multiply(table["load"], pa.scalar(0.999, pa.float32()))
    earlier = table.drop_columns(["date", "load"]).append_column("date", month).append_column("load", other)
    june = write_rows(root, "tiny", earlier, "2013-06")
    pairs = {
        "good": Pair(model, zoo / "good", zoo / "champion", (july,), training=(june,)),
        "saw": Pair(model, zoo / "good", zoo / "champion", (july,), training=(july,)),
        "wonder": Pair(model, zoo / "good", zoo / "constant", (july,), training=(june,)),
        "foreign": Pair(model, zoo / "good", None, (july,)),
    }
    return dict(zip(pairs, judge([("leakage", pair) for pair in pairs.values()], root), strict=True))


def test_the_gate_passes_a_candidate_that_knows_what_it_may(judged: dict[str, Evidence]) -> None:
    """Trained on June, held against July and no better than its champion: every check passes."""
    verdicts = {check.name: check.verdict for check in judged["good"].checks}
    made = ["known_at", "overlap", "time", "single_feature", "too_good", "gap"]
    assert verdicts == dict.fromkeys(made, Verdict.PASS), [check.line for check in judged["good"].blocking]


def test_the_gate_refuses_a_candidate_that_saw_the_held_out_rows(judged: dict[str, Evidence]) -> None:
    """By the copies of rows, and by the time."""
    copies, late = (one(judged["saw"], f"leakage.{name}") for name in ("overlap", "time"))
    assert copies.verdict is late.verdict is Verdict.BLOCK
    assert copies.reason.startswith(f"{ROWS:,} of {ROWS:,} held-out rows are copies of training rows")
    assert late.reason.startswith("training ends at 2013-07-31, later rows begin at 2013-07-01")


def test_the_gate_holds_a_candidate_that_is_far_too_good(judged: dict[str, Evidence]) -> None:
    """A champion that knows nothing makes any model a wonder, and that is held for a person."""
    check = one(judged["wonder"], "leakage.too_good")
    assert check.verdict is Verdict.BLOCK
    assert re.match(r"auc is better than the champion's by \+0\.[12]", check.reason)


def test_the_gate_says_what_it_does_not_know(judged: dict[str, Evidence]) -> None:
    """A first release of unknown training: what needs training rows is inconclusive, what needs a champion is not made."""
    verdicts = {check.name: check.verdict for check in judged["foreign"].checks}
    assert verdicts == {
        "known_at": Verdict.PASS,
        "overlap": Verdict.INCONCLUSIVE,
        "time": Verdict.INCONCLUSIVE,
        "single_feature": Verdict.PASS,
    }
