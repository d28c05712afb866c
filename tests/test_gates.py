"""The gates' own test: each refuses the candidates that it must, for the stated reason, and passes a good one."""

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from scipy.stats import norm

from fledge import contract as contracts
from fledge import evidence, limits
from fledge import rows as tables
from fledge.affected import Change
from fledge.evidence import Check, Evidence, Verdict
from fledge.problems import Problem
from fledge.release import Files
from fledge.stats import Array
from scripts import gates
from scripts.gates import Pair
from tests.conftest import Repository, a_release
from tests.gates import test_latency as latency

HERE = Path(__file__).parent
ROWS, DAYS = 21_700, 31
EFFECTS = {"EWR": 0.6, "JFK": -0.4, "LGA": -0.2}  # those of zoo/logistic.py

CONTRACT: dict[str, Any] = {
    "signature": "serving_default",
    "inputs": {
        "origin": {"dtype": "string", "missing": "", "unknown": "", "known": list(EFFECTS)},
        "temp": {"dtype": "float32", "missing": "nan", "means": 55, "range": [-20, 120]},
        "load": {"dtype": "float32", "missing": float("nan"), "means": 0, "range": [0, 1], "monotone": "up"},
    },
    "outputs": {"probability": {"dtype": "float32", "range": [0, 1]}},
    "classes": ["on_time", "late"],
}
LIMITS: dict[str, Any] = {
    "task": "binary",
    "label": "late",
    "cluster": "date",
    "rows": ["2013-07"],
    "regression": {
        "auc": {"margin": 0.01},
        "log_loss": {"margin": 0.015},
        "calibration": {"limit": 0.02, "above_champion": 0.01},
        "floor": {"min_improvement": 0.0},
    },
    "edge_cases": {
        "sizes": {"max": 256},
        "independence": {"tolerance": 1e-5},
        "missing": {"tolerance": 1e-5},
        "unknown": {"tolerance": 1e-5},
        "monotone": {"tolerance": 1e-5},
        "properties": {"examples": 50},
    },
    "latency": {
        "ratio": {"batch": 32, "block_above": 1.05, "pass_below": 1.1, "inconclusive": "warn"},
        "budget": {"batch": 32, "p50_ms": 50.0, "inconclusive": "warn"},
    },
}
A_ROW = {"origin": ["JFK"], "temp": [70.0], "load": [0.5]}
REQUESTS = [
    {"name": "golden", "kind": "golden", "inputs": A_ROW, "expect": {"range": {"probability": [0.3, 0.6]}}},
    {"name": "no load", "kind": "edge", "inputs": {"origin": ["JFK"]}, "expect": {"error": "INVALID_ARGUMENT"}},
    {
        "name": "nowhere",
        "kind": "edge",
        "inputs": A_ROW | {"origin": ["?"]},
        "expect": {"same_as": "unsaid", "tolerance": 0},
    },
    {"name": "unsaid", "kind": "edge", "inputs": A_ROW | {"origin": [""]}, "expect": {"range": {}}},
]
THREE = {
    "contract": {
        "outputs": {"probabilities": {"dtype": "float32", "shape": [3], "range": [0, 1]}},
        "classes": ["none", "some", "much"],
    },
    "limits": {
        "task": "multiclass",
        "label": "delay",
        "regression": {
            "log_loss": {"margin": 0.015},
            "accuracy": {"margin": 0.01},
            "floor": {"min_improvement": 0.0},
        },
    },
}

# candidate, the check that must refuse it, and why
REFUSED = [
    ("renamed_output", "structural.signature", "output probability is absent, expected float32 \\[None\\]"),
    ("nan_weight", "structural.variables", "weights: 1 of 2 values are not finite"),
    ("calls_python", "structural.ops", "the graph holds the op PyFunc"),
    ("calls_python", "structural.fresh_process", "callback"),
    ("inverted", "regression.auc", "candidate - champion is -0\\..* AUC, at worst .*, expected above -0.0100"),
    ("overconfident", "regression.log_loss", "of champion's, at worst .* expected below \\+0.0150"),
    ("biased", "regression.calibration", "mean prediction - mean label is \\+0.0.*, expected within ±0.02"),
    ("constant", "regression.floor", "gain over the best constant's log-loss is -.*, expected above \\+0.00%"),
    ("nan_weight", "regression.auc", "candidate: probability is not finite in 21700 of 21700 rows"),
    ("logits", "edge_cases.requests", "golden: probability leaves \\[0.0, 1.0\\]"),
    ("logits", "edge_cases.properties", "probability leaves \\[0.0, 1.0\\] in 1 rows for {'origin'"),
    ("crashes_on_empty", "edge_cases.sizes", "batch of 0: answered INVALID_ARGUMENT"),
    ("sees_its_neighbours", "edge_cases.independence", "another split of the batch changes an answer"),
    ("not_imputed", "edge_cases.missing", "temp = 'nan' instead of 55 changes an answer"),
    ("other_unknown", "edge_cases.unknown", "origin = 'no such category' instead of '' changes an answer"),
    ("less_with_load", "edge_cases.monotone", "more load moves an answer against `monotone` by 0\\.0"),
    ("slow", "latency.ratio", "times the champion's latency, at least .*, expected at most 1.05"),
]
GATES = ["edge_cases", "latency", "regression", "structural"]
MOVED = {"log_loss": {"margin": 1.0}, "calibration": {"limit": 1.0, "above_champion": 0.0}}

# what is wrong: the change of gates.regression, the check that must block, and why
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "missing-margin": ({"auc": {}}, "auc", "key is missing.*params.yaml: gates.regression.auc.margin"),
    "misspelt-margin": ({"auc": {"margn": 0.01}}, "auc", "unknown key.*params.yaml: gates.regression.auc.margn"),
    "not-a-number": (
        {"calibration": {"limit": float("nan"), "above_champion": 0.01}},
        "calibration",
        "found nan, expected a finite number .*params.yaml: gates.regression.calibration.limit",
    ),
    "missing-metric": ({"log_loss": None}, "log_loss", "params.yaml: gates.regression.log_loss"),
}


def nobody_late(table: pa.Table) -> pa.Table:
    """One class only."""
    return table.set_column(table.column_names.index("late"), "late", pa.array([0] * len(table)))


BAD_ROWS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "one-class": (nobody_late, "label late has one class only, 0, expected at least two .*params.yaml: gates.label"),
    "no-label": (lambda table: table.drop_columns(["late"]), "no column late in .*2013-07.parquet"),
    "no-input": (lambda table: table.drop_columns(["temp"]), "no column temp in .*2013-07.parquet"),
    "no-rows": (lambda table: table.slice(0, 0), "none found in .*2013-07.parquet.*params.yaml: gates.rows"),
    "one-cluster": (lambda table: table.slice(0, ROWS // DAYS), "a clustered error needs two clusters"),
}
# models of which the contract says less: its inputs, and what the checks of edge_cases then say
LOAD = {"dtype": "float32", "missing": "nan", "means": 0, "range": [0, 1]}
TOLD: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "silent": (
        {
            "origin": {"dtype": "string", "missing": "", "unknown": ""},
            "load": {"dtype": "float32", "missing": "nan", "range": [0, 1]},
        },
        {
            "unknown": ("BLOCK", "origin: no meaning of unknown documented, expected .*inputs.<name>.known, unknown"),
            "missing": ("BLOCK", "load: no meaning of missing documented, expected .*inputs.<name>.missing, means"),
            "monotone": ("PASS", "nothing declared: contract.yaml has no such input"),
        },
    ),
    "falling": (
        {"origin": {"dtype": "string", "missing": "", "known": list(EFFECTS)}, "load": LOAD | {"monotone": "down"}},
        {
            "unknown": ("BLOCK", "origin: no meaning of unknown documented"),
            "monotone": ("BLOCK", "more load moves an answer against `monotone` by 0\\."),
        },
    ),
    "one-value": (
        {"load": LOAD | {"range": [0.5, 0.5], "monotone": "up"}},
        {"monotone": ("BLOCK", "looked at nothing, expected something to compare")},
    ),
}
BAD_REQUESTS: dict[str, tuple[list[Any], str]] = {
    "none-golden": (REQUESTS[1:], "no golden request found, expected at least one .*requests.jsonl"),
    "unreadable": (["no request"], "found .*, expected a request as a JSON object .*requests.jsonl: line 1"),
    "no-kind": ([REQUESTS[0] | {"kind": ""}], "golden lacks kind, expected it .*requests.jsonl"),
    "other-answer": (
        [REQUESTS[0] | {"expect": {"range": {"probability": [0.9, 1.0]}}}],
        "golden: found probability .*, expected 0.9 to 1",
    ),
    "no-twin": ([REQUESTS[0], REQUESTS[2]], "nowhere: .*unsaid"),
    "no-error": (
        [REQUESTS[0] | {"expect": {"error": "INVALID_ARGUMENT"}}],
        "golden: found an answer, expected INVALID_ARGUMENT",
    ),
}


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel for each candidate of zoo/logistic.py, exported in a fresh process with all of TensorFlow."""
    out = tmp_path_factory.mktemp("zoo")
    done = subprocess.run([sys.executable, HERE / "zoo" / "logistic.py", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An owner's folder: models/tiny and models/three with their rows, and copies of them with one thing wrong each."""
    root, table = tmp_path_factory.mktemp("house"), rows()
    for name in ("tiny", "three"):
        write_rows(root, name, table)
    for name, (change, _) in BAD_ROWS.items():
        write_rows(root, name, change(table))
    write_model(root, "tiny", CONTRACT, LIMITS)
    for name, regression in [("moved", MOVED), *((name, change) for name, (change, _, _) in WRONG.items())]:
        write_model(root, name, CONTRACT, LIMITS | {"regression": LIMITS["regression"] | regression})
    write_rows(root, "too-few", table.take(list(range(0, ROWS, 350))))
    warned = LIMITS["regression"] | {"auc": {"margin": 0.01, "inconclusive": "warn"}}
    write_model(root, "warned", CONTRACT, LIMITS | {"regression": warned})
    for name, (inputs, _) in TOLD.items():
        write_model(root, name, CONTRACT | {"inputs": CONTRACT["inputs"] | inputs}, LIMITS)
    for name, (requests, _) in BAD_REQUESTS.items():
        write_model(root, name, CONTRACT, LIMITS, requests)
    write_model(root, "three", CONTRACT | THREE["contract"], LIMITS | THREE["limits"])
    return root


@pytest.fixture(scope="session")
def judged(zoo: Path, house: Path) -> dict[str, Evidence]:
    """The evidence of every case below by its name, all made in one process: TensorFlow is loaded once."""

    def case(
        gate: str, candidate: str, model: str = "tiny", champion: str | None = "champion", months: str = "tiny"
    ) -> Any:
        against = zoo / champion if champion else None
        return gate, Pair(
            house / "models" / model, zoo / candidate, against, (house / "data" / months / "2013-07.parquet",)
        )

    cases = {f"{name} {check.split('.')[0]}": case(check.split(".")[0], name) for name, check, _ in REFUSED}
    cases |= {f"good {gate}": case(gate, "good") for gate in GATES}
    cases |= {f"first {name}": case("regression", name, champion=None) for name in ("good", "constant", "biased")}
    cases |= {
        name: case("regression", name, "three", "three_champion", "three") for name in ("three_good", "three_constant")
    }
    cases |= {"moved": case("regression", "overconfident", "moved")}
    cases |= {name: case("regression", "good", name) for name in WRONG}
    cases |= {name: case("regression", "good", months=name) for name in BAD_ROWS}
    cases |= {f"too few {name}": case("regression", "good", name, months="too-few") for name in ("tiny", "warned")}
    cases |= {name: case("edge_cases", "good", name) for name in [*BAD_REQUESTS, *TOLD]}
    cases |= {"three edge_cases": case("edge_cases", "three_good", "three", "three_champion", "three")}
    return dict(zip(cases, judge(list(cases.values()), house), strict=True))


@pytest.mark.parametrize(("candidate", "check", "reason"), REFUSED, ids=[f"{c}-{k}" for c, k, _ in REFUSED])
def test_a_gate_refuses_what_it_must(judged: dict[str, Evidence], candidate: str, check: str, reason: str) -> None:
    """The named check blocks the broken candidate, for the stated reason, and says what to do."""
    found = one(judged[f"{candidate} {check.split('.')[0]}"], check)
    assert found.verdict is Verdict.BLOCK
    assert re.search(reason, found.reason), found.reason
    assert found.remedy


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_passes_a_candidate_as_good_as_its_champion(judged: dict[str, Evidence], gate: str) -> None:
    """A retrained candidate that is just as good passes each gate, by checks that looked at something."""
    found = judged[f"good {gate}"]
    assert [check.line for check in found.blocking] == []
    assert found.checks
    assert all(check.gate == gate and check.n for check in found.checks)


def test_every_check_refuses_somebody(judged: dict[str, Evidence]) -> None:
    """No check is only decoration: each one that a good candidate meets has a mutant that it refuses."""
    made = {f"{check.gate}.{check.name}" for gate in GATES for check in judged[f"good {gate}"].checks}
    assert made - {check for _, check, _ in REFUSED} == {
        "latency.budget"
    }  # its refusal is tested below, without a clock


def test_ranking_alone_does_not_see_calibration(judged: dict[str, Evidence]) -> None:
    """The overconfident candidate has the champion's AUC; log-loss is what refuses it."""
    auc = one(judged["overconfident regression"], "regression.auc")
    assert auc.verdict is Verdict.PASS
    assert auc.estimate == pytest.approx(0, abs=1e-6)


def test_with_the_limits_of_the_checks_that_blocked_moved_the_candidate_passes(judged: dict[str, Evidence]) -> None:
    """Limits come from params.yaml: moving exactly those that blocked lets the candidate through."""
    assert {check.name for check in judged["overconfident regression"].blocking} == set(MOVED)
    assert judged["moved"].verdict is Verdict.PASS


def test_three_classes_are_judged_by_log_loss_accuracy_and_floor(judged: dict[str, Evidence]) -> None:
    """A multi-class model has its own metrics: an equal candidate passes, a constant one is refused by each."""
    metrics = ("log_loss", "accuracy", "floor")
    assert {check.name: check.verdict for check in judged["three_good"].checks} == dict.fromkeys(metrics, Verdict.PASS)
    assert {check.name for check in judged["three_constant"].blocking} == set(metrics)


def test_a_first_release_is_judged_on_the_absolute_floor_and_says_so(judged: dict[str, Evidence]) -> None:
    """Without a champion nothing is compared, what has a limit of its own is judged by it, and the table tells why."""
    good, constant, biased = (judged[f"first {name}"] for name in ("good", "constant", "biased"))
    assert [check.name for check in good.checks] == ["calibration", "floor"]
    assert (good.verdict, constant.verdict) == (Verdict.PASS, Verdict.BLOCK)
    assert [check.line.partition(", ")[2] for check in biased.blocking] == ["expected within ±0.0200"]
    assert "none (first release: absolute limits only)" in evidence.table(good)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_limit_that_cannot_judge_blocks_and_names_file_and_key(judged: dict[str, Evidence], wrong: str) -> None:
    """A limit that is missing or misspelt is a BLOCK, and of that check alone."""
    _, name, reason = WRONG[wrong]
    assert re.search(reason, one(judged[wrong], f"regression.{name}").reason)
    assert [check.name for check in judged[wrong].blocking] == [name]


@pytest.mark.parametrize("wrong", BAD_ROWS)
def test_rows_that_cannot_judge_block(judged: dict[str, Evidence], wrong: str) -> None:
    """Rows without label, input, second class or enough of anything block, and the line says what is missing."""
    found = one(judged[wrong], "regression.auc")
    assert found.verdict is Verdict.BLOCK
    assert re.search(BAD_ROWS[wrong][1], found.reason), found.reason


def test_too_few_rows_are_inconclusive(judged: dict[str, Evidence]) -> None:
    """Rows that cannot show the margin say neither yes nor no: that blocks, unless params.yaml says `inconclusive: warn`."""
    found, warned = (one(judged[f"too few {name}"], "regression.auc") for name in ("tiny", "warned"))
    assert re.search("these rows can show a loss of .* at best, expected 0.01", found.reason)
    assert re.search("hold out more rows .*gates.rows, about .* instead of 62", found.remedy)
    assert (found.verdict, found.blocks) == (Verdict.INCONCLUSIVE, True)
    assert (warned.verdict, warned.blocks) == (Verdict.INCONCLUSIVE, False)


@pytest.mark.parametrize("told", TOLD)
def test_what_the_contract_leaves_unsaid_blocks(judged: dict[str, Evidence], told: str) -> None:
    """A check passes by looking, or by saying that the contract has no such input; never by having nothing to look at."""
    for name, (verdict, reason) in TOLD[told][1].items():
        found = one(judged[told], f"edge_cases.{name}")
        assert found.verdict == verdict
        assert re.search(reason, found.reason), found.reason


def test_monotone_is_about_one_number(judged: dict[str, Evidence]) -> None:
    """Beside a chance for each class `monotone` has no meaning, and the check says where it stands."""
    found = one(judged["three edge_cases"], "edge_cases.monotone")
    assert found.verdict is Verdict.BLOCK
    assert found.reason.endswith("expected one number per row (contract.yaml: inputs.load.monotone)")


def test_rows_that_training_saw_prove_nothing(tmp_path: Path) -> None:
    """A month of gates.rows that is also trained on, or is named twice, is refused by file and key."""
    file = tmp_path / "params.yaml"
    content = {"train": {"months": ["2013-06", "2013-07"]}, "gates": LIMITS | {"holdout": ["2013-07"]}}
    YAML().dump(content, file)
    with pytest.raises(Problem) as problem:
        limits.load(file)
    trained, twice = problem.value.lines
    assert trained.startswith("gates: found 2013-07 among train.months, expected a month that training never saw (")
    assert f"{file}: gates.rows" in trained
    assert twice == f"gates: found 2013-07 2 times, expected it once ({file}: gates.rows, gates.holdout)"
    YAML().dump({"train": {"months": ["2013-06"]}, "gates": LIMITS}, file)
    assert limits.load(file).months == ("2013-07",)


@pytest.mark.parametrize("dtype", ["float32", "int64", "string", "bool"])
def test_none_stands_for_missing_whatever_the_dtype(dtype: str) -> None:
    """None becomes the contract's `missing`, also where the dtype could hold something else for it."""
    missing, other = {"float32": (-1.0, 2.0), "int64": (-1, 2), "string": ("?", "a"), "bool": (True, False)}[dtype]
    column = contracts.Input(dtype=dtype, missing=missing)
    assert column.array([other, None]).tolist() == [other, missing]


@pytest.mark.parametrize("spelt", ["nan", ".nan"])
def test_both_spellings_of_not_a_number_are_read(tmp_path: Path, spelt: str) -> None:
    """`missing: nan`, a string in YAML, and `missing: .nan` are the same number in a request."""
    file = write_model(tmp_path, "spelt", CONTRACT, LIMITS) / "contract.yaml"
    file.write_text(re.sub(r"missing: '?\.?nan'?", f"missing: {spelt}", file.read_text()))
    assert f"missing: {spelt}\n" in file.read_text()
    assert np.isnan(contracts.load(file).inputs["temp"].array([None])).all()


def test_a_null_of_the_rows_is_what_the_contract_says(house: Path) -> None:
    """Parquet's null is asked as the contract's `missing`, also in a column of whole numbers."""
    table = pa.table({"x": pa.array([1, None], pa.int64()), "late": [0, 1], "date": [0, 1]})
    column = contracts.Input(dtype="int64", missing=-1)
    promised = contracts.Contract(signature="any", inputs={"x": column}, outputs={}, classes=["on_time", "late"])
    known = limits.load(house / "models/tiny/params.yaml")
    assert tables.load([write_rows(house, "nulls", table)], promised, known).inputs["x"].tolist() == [1, -1]


def test_of_a_month_that_training_saw_only_marked_rows_count(house: Path) -> None:
    """Months of gates.holdout give the rows marked `holdout`; those of gates.rows give all, marked or not."""
    table, contract = rows(), contracts.load(house / "models/tiny/contract.yaml")
    marked = table.append_column("holdout", pa.array(np.arange(ROWS) % 5 == 0))
    file, july = write_rows(house, "marked", marked, "2013-01"), write_rows(house, "marked", marked)
    write_model(house, "marked", CONTRACT, LIMITS | {"holdout": ["2013-01"]})
    known = limits.load(house / "models/marked/params.yaml")
    assert gates.rows(Pair(house / "models/marked", house)) == [
        Path(f"data/marked/2013-0{month}.parquet") for month in (7, 1)
    ]
    assert len(tables.load([july, file], contract, known)) == ROWS + ROWS // 5
    with pytest.raises(Problem, match=r"no column holdout in .*2013-01\.parquet"):
        tables.load([write_rows(house, "unmarked", table, "2013-01")], contract, known)


@pytest.mark.parametrize("wrong", BAD_REQUESTS)
def test_requests_that_prove_nothing_block(judged: dict[str, Evidence], wrong: str) -> None:
    """Golden requests that are absent, unreadable or not answered as written block."""
    found = one(judged[wrong], "edge_cases.requests")
    assert found.verdict is Verdict.BLOCK
    assert re.search(BAD_REQUESTS[wrong][1], found.reason), found.reason


LAZY = """
import pytest

def test_nothing(): "Checks nothing."
def test_skipped(): pytest.skip("not today")
def test_broken(): raise KeyError("a bug")
"""


def test_a_gate_that_does_not_check_blocks(zoo: Path, house: Path, tmp_path: Path) -> None:
    """A gate's test that makes no check, skips itself or breaks is a BLOCK in the evidence."""
    (tmp_path / "conftest.py").write_text((gates.GATES / "conftest.py").read_text())
    lazy = tmp_path / "test_lazy.py"
    lazy.write_text(LAZY)
    pair = Pair(house / "models/tiny", zoo / "good", zoo / "champion", (house / "data/tiny/2013-07.parquet",))
    (found,) = judge([(str(lazy), pair)], tmp_path)
    assert {check.name: check.reason for check in found.blocking} == {
        "nothing": "AssertionError: the test made no check of its name",
        "skipped": "Skipped: not today",
        "broken": "KeyError: 'a bug'",
    }


def test_gates_are_not_collected_without_a_candidate() -> None:
    """A plain pytest does not run, and does not skip, what needs a candidate."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        gates.GATES,
    ]
    done = subprocess.run(command, cwd=gates.ROOT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no tests collected" in done.stdout


def test_the_verb_prints_one_table_and_keeps_the_evidence(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a good candidate every gate passes, exit code 0; hashes, versions and timings are in the file."""
    monkeypatch.chdir(house)
    names = ["--model", "tiny", "--candidate", str(zoo / "good"), "--champion", str(zoo / "champion")]
    assert gates.main([*names, "--evidence", "kept.json"]) == 0, capsys.readouterr().out
    shown, kept = capsys.readouterr().out, evidence.from_json(Path("kept.json").read_text(), "kept.json")
    assert shown.startswith("tiny: PASS. Candidate good, champion champion")
    assert {check.gate for check in kept.checks} == set(GATES)
    assert kept.champion
    assert kept.candidate["md5"].endswith(".dir")
    assert kept.candidate["sha256"] != kept.champion["sha256"]
    assert kept.rows["files"] == ["2013-07.parquet"]
    assert set(GATES) < set(kept.timings)
    assert Path("kept.md").read_text() == evidence.markdown(kept)


def test_the_verb_says_what_to_do_about_a_block(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A candidate that no process can serve blocks in every gate that needs its answers, exit code 1, with a remedy."""
    monkeypatch.chdir(house)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # what it leaves between is inside the clone
    assert gates.main(["--model", "tiny", "--candidate", str(zoo / "calls_python"), "--champion", "none"]) == 1
    shown = capsys.readouterr().out
    assert "structural.ops BLOCK: the graph holds the op PyFunc" in shown
    assert "remedy: put that step into TensorFlow operations" in shown
    for gate in GATES:
        assert f"\n{gate}." in shown
    assert "Traceback" not in shown


def test_a_gate_without_a_check_blocks_the_whole() -> None:
    """Evidence in which a gate is absent, or all passes though pytest failed, is not a PASS."""
    passing = [Check(gate, "any", Verdict.PASS, "") for gate in GATES]
    whole = Evidence("tiny", {"name": "new"}, None, {}, passing)
    assert gates.completed(whole, 0).verdict is Verdict.PASS
    assert gates.completed(whole, 1).blocking[0].reason == "pytest ended with 1, expected 0"
    lacking = gates.completed(replace(whole, checks=passing[1:]), 0)
    assert [check.line for check in lacking.blocking] == [f"{GATES[0]}.run BLOCK: made no check, expected at least one"]


def test_bad_input_is_one_line_and_exit_code_1(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no gate can judge is refused before any gate runs, by a line that says what was expected and where."""
    monkeypatch.chdir(house)
    model = ["--model", "tiny"]
    good, champion = ["--candidate", str(zoo / "good")], ["--champion", str(zoo / "champion")]
    for argv, line in [
        (["--model", "huge", *good, *champion], "huge: no such model, expected one of .*tiny.* \\(--model\\)"),
        ([*model, *good], "no champion named, expected --champion DIR, or --champion none for a first release"),
        ([*model, "--candidate", "nowhere", *champion], "candidate: no saved_model.pb in nowhere"),
        ([*model, *good, "--champion", "nowhere"], "champion: no saved_model.pb in nowhere"),
        ([*model, *good, *champion, "--rows", "a.parquet"], "rows: a.parquet is not there.*params.yaml: gates.rows"),
        ([*model, *good, *champion, "--evidence", "a.md"], "found a.md, expected a name that ends with .json"),
        ([*model, *champion], "found --champion without --candidate, expected both or neither"),
        ([*model, "--rows", "a.parquet"], "found --rows without --candidate, expected both or neither"),
        ([*model, "--evidence", "a.json"], "found --evidence without --candidate, expected both or neither"),
    ]:
        assert gates.main(argv) == 1
        said = capsys.readouterr().err
        assert re.search(line, said), said
        assert said.count("\n") == 1


def test_the_verb_judges_the_model_that_is_named(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a candidate `--model` chooses among the branch's; a name that project.yaml does not list is refused."""
    assert gates.main(["--model", "nope"]) == 1
    assert capsys.readouterr().err == "nope: no such model, expected one of delays (project.yaml: models)\n"
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("  - delays\n", "  - delays\n  - colours\n"))
    changes = [Change(Files("staging", name), "candidate", a_release("1.0.0"), None) for name in ("delays", "colours")]
    monkeypatch.setattr(gates, "affected", lambda *_: changes)
    monkeypatch.setattr(gates, "fetched", lambda _, change: change)
    assert gates.changed(repository.root, "colours") == changes[1:]
    assert gates.changed(repository.root) == changes
    monkeypatch.setattr(gates, "affected", lambda *_: changes[:1])
    assert gates.main(["--model", "colours"]) == 0
    assert "no delivery of colours differs from origin/main, nothing to judge" in capsys.readouterr().out


def test_what_many_pairs_cannot_tell_is_inconclusive() -> None:
    """The pairs are doubled three times, and then the verdict is INCONCLUSIVE: a warning where params.yaml says so."""
    looked = []

    def samples() -> Iterator[tuple[Array, ...]]:
        for pairs in (1000, 2000, 4000, 8000):
            looked.append(pairs)
            # 1.075 times as slow in the middle, in blocks that spread as a lognormal: neither slower nor not, for sure.
            spread = norm.ppf((np.arange(pairs // 25) + 0.5) / (pairs // 25))
            yield np.repeat(1.075 * np.exp(0.6 * spread), 25), np.ones(pairs)

    limit = latency.Ratio(batch=32, block_above=1.05, pass_below=1.10, inconclusive="warn")
    found = latency.ratio_check(samples(), limit, "params.yaml: gates.latency.ratio")
    assert (found.verdict, found.n, looked) == (Verdict.INCONCLUSIVE, 8000, [1000, 2000, 4000, 8000])
    assert found.smallest_detectable_effect is None  # an interval's width is not one
    assert not found.blocks
    assert replace(found, inconclusive="block").blocks


def test_the_first_pairs_that_tell_are_enough() -> None:
    """A clear answer ends the measurement: faster and slower candidates are told by the first thousand pairs."""
    limit = latency.Ratio(batch=32, block_above=1.05, pass_below=1.10)
    for factor, verdict in [(1.0, Verdict.PASS), (1.2, Verdict.BLOCK)]:
        found = latency.ratio_check(iter([(np.full(1000, factor), np.ones(1000))]), limit, "key")
        assert (found.verdict, found.n) == (verdict, 1000)


@pytest.mark.parametrize(("low", "high", "verdict"), [(1, 2, "PASS"), (11, 12, "BLOCK"), (5, 15, "INCONCLUSIVE")])
def test_the_budget_is_about_half_of_the_calls(low: float, high: float, verdict: str) -> None:
    """A median whose interval is under the budget passes, over it blocks, around it is inconclusive."""
    times = np.repeat([low, high], 500) + np.linspace(0, 0.1, 1000)
    found = latency.budget_check(times, latency.Budget(batch=32, p50_ms=10), "params.yaml: gates.latency.budget.p50_ms")
    assert found.verdict == verdict


def test_calls_are_measured_in_rounds_of_random_order() -> None:
    """After the warm-up each round makes every call once, now this one first, now that."""
    made: list[int] = []
    rounds = latency.measured([lambda: made.append(0), lambda: made.append(1)], pairs=50)
    assert [len(next(rounds)[0]) for _ in range(3)] == [50, 100, 200]
    counted = np.reshape(made[2 * latency.WARM_UP :], (200, 2))
    assert (counted.sum(axis=1) == 1).all()
    assert 60 < counted[:, 0].sum() < 140  # 100 ± 5 standard deviations


def rows() -> pa.Table:
    """21,700 rows of 31 days from the champion's own formula; a day shares its weather and its luck."""
    random, day = np.random.default_rng(0), np.repeat(np.arange(DAYS), ROWS // DAYS)
    origin = random.choice(list(EFFECTS), ROWS)
    temp = random.normal(60, 15, ROWS) + random.normal(0, 5, DAYS)[day]
    load, luck = random.uniform(size=ROWS), random.normal(0, 0.1, DAYS)[day]
    temp[random.uniform(size=ROWS) < 0.05] = np.nan
    effect = np.array([EFFECTS[name] for name in origin])
    logit = 1.2 * (np.nan_to_num(temp, nan=55.0) - 55) / 20 + 0.8 * load + effect - 1.2 + luck
    late = (random.uniform(size=ROWS) < 1 / (1 + np.exp(-logit))).astype("int64")
    weights = np.exp(np.outer(logit, [0, 1, 2]))
    shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    delay = np.array(["none", "some", "much"])[(random.uniform(size=(ROWS, 1)) > shares).sum(axis=1)]
    dates = [datetime.date(2013, 7, 1 + int(number)) for number in day]
    floats = {"temp": temp.astype("float32"), "load": load.astype("float32")}
    return pa.table({"origin": origin, **floats, "late": late, "delay": delay, "date": dates})


def write_rows(root: Path, name: str, table: pa.Table, month: str = "2013-07") -> Path:
    """The table as the rows of a month of the model `name`."""
    file = root / "data" / name / f"{month}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def write_model(root: Path, name: str, contract: Any, limits: Any, requests: Any = REQUESTS) -> Path:
    """The folder models/`name`, as an owner would write it."""
    folder = root / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    YAML().dump(contract, folder / "contract.yaml")
    YAML().dump({"gates": limits}, folder / "params.yaml")
    (folder / "requests.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
    return folder


def judge(asked: list[tuple[str, Pair]], scratch: Path) -> list[Evidence]:
    """The evidence of each gate (a name, or a file of tests) and pair, in this order."""
    files = [scratch / f"evidence-{number}.json" for number in range(len(asked))]
    tests = [Path(gate) if os.sep in gate else gates.GATES / f"test_{gate}.py" for gate, _ in asked]
    runs = [gates.arguments(pair, *where) for (_, pair), *where in zip(asked, files, tests, strict=True)]
    program = "import json, sys, pytest\nfor run in json.load(sys.stdin): pytest.main(run)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=json.dumps(runs), env=gates.environment(), capture_output=True, text=True)
    assert all(file.is_file() for file in files), done.stdout + done.stderr
    return [evidence.from_json(file.read_text(), str(file)) for file in files]


def one(found: Evidence, name: str) -> Check:
    """The one check of that name."""
    (check,) = [check for check in found.checks if f"{check.gate}.{check.name}" == name]
    return check
