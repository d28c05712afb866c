"""What the data gate says of rows: every fault by its reason, three bad rows in forty, caps of single columns."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom

from fledge.artifact.contract import Contract, Input
from fledge.checks import data
from fledge.checks.data import Caps, Count, Quality
from fledge.evidence import Evidence, Verdict
from fledge.gates.limits import Limit
from fledge.gates.process import Pair
from fledge.gates.rows import Rows
from fledge.problems import Problem
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, ROWS, limits, rows, write_model, write_rows

FILE = "params.yaml"
CAPS = Quality(missing=0.05, unseen=0.02, out_of_range=0.01)
PROMISED = Contract(
    signature="any",
    inputs={
        "word": Input(dtype="string", missing="", known=["a", "b"]),
        "x": Input(dtype="float32", missing="nan", range=(0, 1)),
        "count": Input(dtype="int64", missing=-1, range=(0, 9)),
    },
    outputs={},
    classes=["no", "yes"],
)


def some(n: int = 1000, bad: int = 0, **values: Any) -> Rows:
    """`n` rows in ten clusters without a fault, but for the value of one input in the first `bad` rows."""
    inputs = {"word": np.array(["a", "b"] * n, object)[:n], "x": np.full(n, 0.5, "float32"), "count": np.full(n, 3)}
    for name, value in values.items():
        inputs[name][:bad] = value
    return Rows(inputs, np.arange(n) % 2, np.arange(n) % 10)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("word", "", r"word: 20\.00% missing, at least 1\d\.\d\d%, expected at most 5\.00%"),
        ("word", None, r"word: 20\.00% missing"),
        ("word", "c", r"word: 20\.00% unseen \(mostly 'c'\), at least .*, expected at most 2\.00%"),
        ("x", np.nan, r"x: 20\.00% missing"),
        ("x", 1.5, r"x: 20\.00% out_of_range \(mostly 1\.5\), at least .*, expected at most 1\.00%"),
        ("x", -np.inf, r"x: 20\.00% out_of_range \(mostly -inf\)"),
        ("count", -1, r"count: 20\.00% missing"),
        ("count", 10, r"count: 20\.00% out_of_range \(mostly 10\)"),
    ],
)
def test_a_share_above_its_cap_is_refused(name: str, value: Any, reason: str) -> None:
    """Each kind of fault in each kind of input blocks by its own reason, and that is the only one."""
    check = data.quality(some(bad=200, **{name: value}), PROMISED, CAPS, FILE)
    assert check.verdict is Verdict.BLOCK
    assert re.fullmatch(rf"{reason}[^;]*", check.reason), check.reason
    assert "contract.yaml, params.yaml: gates.data.quality" in check.remedy
    assert check.estimate == 0.2


def test_three_bad_rows_in_forty_stop_no_release() -> None:
    """7.5 % of few rows may be chance; of many rows they are shown to be above a cap of 5 %."""
    few, many = (data.quality(some(n, bad, x=np.nan), PROMISED, CAPS, FILE) for n, bad in [(40, 3), (4000, 300)])
    assert few.estimate == many.estimate == 0.075
    assert (few.verdict, many.verdict) == (Verdict.PASS, Verdict.BLOCK)


def test_the_bounds_are_exact() -> None:
    """At the lower bound so many bad rows or more have a chance of the error allowed to one of the six shares."""
    check = data.quality(some(200, 40, x=np.nan), PROMISED, CAPS, FILE)
    assert check.interval is not None
    low, high = check.interval
    assert binom.sf(39, 200, low) == pytest.approx(data.FALSE_BLOCK / 6)
    assert binom.cdf(40, 200, high) == pytest.approx(data.FALSE_BLOCK / 6)


def test_rows_at_their_caps_are_seldom_refused() -> None:
    """Of 300 sets of rows with every missing share at its cap, those refused are about 1 % at most."""
    random, blocked = np.random.default_rng(0), 0
    for _ in range(300):
        drawn = some(400)
        drawn.inputs["word"][random.uniform(size=400) < CAPS.missing] = ""
        drawn.inputs["x"][random.uniform(size=400) < CAPS.missing] = np.nan
        drawn.inputs["count"][random.uniform(size=400) < CAPS.missing] = -1
        blocked += data.quality(drawn, PROMISED, CAPS, FILE).blocks
    assert blocked <= binom.ppf(0.999, 300, data.FALSE_BLOCK)


def test_a_column_may_have_a_cap_of_its_own() -> None:
    """What a column's own cap allows passes, and what it does not say is judged by the caps of all."""
    limit = CAPS.model_copy(update={"columns": {"x": Caps(missing=0.5)}})
    assert data.quality(some(bad=300, x=np.nan), PROMISED, limit, FILE).verdict is Verdict.PASS
    assert data.quality(some(bad=300, x=7), PROMISED, limit, FILE).verdict is Verdict.BLOCK


def test_a_cap_of_no_input_is_a_problem() -> None:
    """A misspelt column under `columns` is named with its key, because its cap would be nobody's."""
    limit = CAPS.model_copy(update={"columns": {"y": Caps(missing=0.5)}})
    with pytest.raises(Problem, match=r"found caps of y, expected one of word, x, count \(params\.yaml: gates\.data"):
        data.quality(some(), PROMISED, limit, FILE)


def test_a_contract_without_inputs_is_a_problem() -> None:
    """No share of nothing passes."""
    with pytest.raises(Problem, match=r"found no input, expected at least one \(contract\.yaml: inputs\)"):
        data.quality(some(), PROMISED.model_copy(update={"inputs": {}}), CAPS, FILE)


def test_the_details_tell_every_share() -> None:
    """The views get each input's shares with bounds and cap, as plain JSON."""
    columns = json.loads(json.dumps(dict(data.quality(some(bad=5, x=2), PROMISED, CAPS, FILE).details)))["columns"]
    assert {(one["column"], one["fault"]) for one in columns} == {
        ("word", "missing"),
        ("word", "unseen"),
        ("x", "missing"),
        ("x", "out_of_range"),
        ("count", "missing"),
        ("count", "out_of_range"),
    }
    (worst,) = [one for one in columns if one["found"]]
    assert worst["share"] == 0.005
    assert worst["low"] < worst["share"] < worst["high"]


@pytest.mark.parametrize(("rows", "clusters", "verdict"), [(100, 10, "PASS"), (101, 10, "BLOCK"), (100, 11, "BLOCK")])
def test_too_little_held_out_is_refused(rows: int, clusters: int, verdict: str) -> None:
    """One row or one cluster less than the owner wants blocks, and the reason has all four numbers."""
    check = data.count(some(100), Count(rows=rows, clusters=clusters), FILE)
    assert check.verdict == verdict
    assert check.reason == f"100 rows of 10 clusters are held out, expected at least {rows} of {clusters}"


def test_a_cluster_without_a_name_counts_as_one() -> None:
    """Rows whose user nobody knows are one cluster among the words, not a fault of the check."""
    users = np.array([None, "a", "b", None], dtype=object)
    found = data.count(replace(some(4), cluster=users), Count(rows=4, clusters=4), FILE)
    assert found.reason == "4 rows of 3 clusters are held out, expected at least 4 of 4"


def test_training_rows_that_nobody_named_are_inconclusive() -> None:
    """A SavedModel of unknown training blocks until its owner lets that warn."""
    check = data.unknown_training("data", "training", Limit(), FILE)
    assert (check.verdict, check.blocks) == (Verdict.INCONCLUSIVE, True)
    assert "expected those that the candidate saw (params.yaml: train.months)" in check.reason
    assert "params.yaml: gates.data.training.inconclusive" in check.remedy
    assert not data.unknown_training("data", "training", Limit(inconclusive="warn"), FILE).blocks


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The gate on rows that are as they should be, and on rows with origins that the contract does not know."""
    root, table = tmp_path_factory.mktemp("data"), rows()
    model = write_model(root, "tiny", CONTRACT, limits())
    strange = table.set_column(
        0, "origin", pa.array(["CDG"] * (ROWS // 10) + table["origin"].to_pylist()[ROWS // 10 :])
    )
    good, bad = write_rows(root, "tiny", table), write_rows(root, "strange", strange)
    cases = {
        "good": Pair(model, zoo / "good", zoo / "champion", (good,), training=(good,)),
        "strange": Pair(model, zoo / "good", zoo / "champion", (bad,), training=(bad,)),
        "foreign": Pair(model, zoo / "good", zoo / "champion", (good,)),
    }
    return dict(zip(cases, judge([("data", pair) for pair in cases.values()], root), strict=True))


def test_the_gate_passes_rows_that_the_contract_describes(judged: dict[str, Evidence]) -> None:
    """Held-out and training rows of the tiny model pass every check, and each looked at all of them."""
    assert {check.name: check.verdict for check in judged["good"].checks} == dict.fromkeys(
        ["count", "quality", "training"], Verdict.PASS
    )
    assert {check.n for check in judged["good"].checks} == {ROWS}


def test_the_gate_refuses_a_vocabulary_that_the_model_does_not_know(judged: dict[str, Evidence]) -> None:
    """A tenth of unseen origins blocks, in the rows that judge and in those that trained."""
    for name in ("quality", "training"):
        check = one(judged["strange"], f"data.{name}")
        assert check.verdict is Verdict.BLOCK
        assert re.match(r"origin: 10\.00% unseen \(mostly 'CDG'\), at least .* at most 2\.00%", check.reason)


def test_the_gate_says_what_it_does_not_know(judged: dict[str, Evidence]) -> None:
    """Without training rows their check is INCONCLUSIVE, and the others stand."""
    assert one(judged["foreign"], "data.training").verdict is Verdict.INCONCLUSIVE
    assert one(judged["foreign"], "data.quality").verdict is Verdict.PASS
