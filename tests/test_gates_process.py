"""The gates' own test: each refuses the candidates that it must, for the stated reason, and passes a good one."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fledge.evidence import Evidence, Verdict, views
from fledge.gates import process
from fledge.gates.process import Pair
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, DAYS, ROWS, THREE, rows, write_model, write_rows
from tests.tiny.owner import limits as limits_of

HERE = Path(__file__).parent

LIMITS = limits_of()

# candidate, the check that must refuse it, and why
REFUSED = [
    ("inverted", "regression.auc", "candidate - champion is -0\\..* AUC, at worst .*, expected above -0.0100"),
    ("overconfident", "regression.log_loss", "of champion's, at worst .* expected below \\+0.0150"),
    ("constant", "regression.floor", "gain over the best constant's log_loss is -.*, expected above \\+0.00%"),
    ("nan_weight", "regression.auc", "candidate: probability is not finite in 21700 of 21700 rows"),
    ("nan_weight", "regression.report", "candidate: probability is not finite in 21700 of 21700 rows"),
    ("inverted", "segments.harm", "origin EWR: auc -0\\..*, expected above -0.02, p "),
    ("biased", "calibration.in_the_large", "mean prediction - mean label is \\+0.0.*, expected within ±0.02"),
    ("overconfident", "calibration.slope", "Cox slope is 0\\.5.*, expected within \\[0.8, 1.25\\]"),
    ("unfair", "fairness.absolute", "origin: equalised_odds_gap is 0\\..*, expected at most 0.45"),
    (
        "unfair",
        "fairness.relative",
        "origin: candidate - champion of equalised_odds_gap is 0\\..*, expected at most 0.05",
    ),
    ("slow", "latency.ratio", "times the champion's latency, between .*, expected at most 1.05"),
]
GATES = ["calibration", "fairness", "latency", "regression", "segments"]
MOVED = {"log_loss": {"margin": 1.0, "alpha": 0.05}}

# what is wrong: the change of gates.regression, the check that must block, and why
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "missing-margin": ({"auc": {}}, "auc", "key is missing.*params.yaml: gates.regression.auc.margin"),
    "misspelt-margin": ({"auc": {"margn": 0.01}}, "auc", "unknown key.*params.yaml: gates.regression.auc.margn"),
    "not-a-number": (
        {"floor": {"min_improvement": float("nan"), "alpha": 0.05}},
        "floor",
        "found nan, expected a finite number .*params.yaml: gates.regression.floor.min_improvement",
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
    "one-cluster": (lambda table: table.slice(0, ROWS // DAYS), "AUC needs two clusters of each class"),
}


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
    warned = LIMITS["regression"] | {"auc": {"margin": 0.01, "alpha": 0.05, "inconclusive": "warn"}}
    write_model(root, "warned", CONTRACT, LIMITS | {"regression": warned})
    write_model(root, "three", CONTRACT | THREE["contract"], limits_of(**THREE["limits"]))
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
    cases |= {f"first {name}": case("regression", name, champion=None) for name in ("good", "constant")}
    cases |= {f"first {gate}": case(gate, "biased", champion=None) for gate in ("calibration", "fairness", "segments")}
    cases |= {
        name: case("regression", name, "three", "three_champion", "three") for name in ("three_good", "three_constant")
    }
    cases |= {"moved": case("regression", "overconfident", "moved")}
    cases |= {name: case("regression", "good", name) for name in WRONG}
    cases |= {name: case("regression", "good", months=name) for name in BAD_ROWS}
    cases |= {f"too few {name}": case("regression", "good", name, months="too-few") for name in ("tiny", "warned")}
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
    timed = {"latency.budget", "latency.tail"}  # their refusals are tested without a clock, in tests/checks
    assert made - {check for _, check, _ in REFUSED} == timed


def test_ranking_alone_does_not_see_calibration(judged: dict[str, Evidence]) -> None:
    """The overconfident candidate has the champion's AUC; log-loss is what refuses it."""
    auc = one(judged["overconfident regression"], "regression.auc")
    assert auc.verdict is Verdict.PASS
    assert auc.estimate == pytest.approx(0, abs=1e-6)


def test_with_the_limits_of_the_checks_that_blocked_moved_the_candidate_passes(judged: dict[str, Evidence]) -> None:
    """Limits come from params.yaml: moving exactly those that blocked lets the candidate through."""
    assert {check.name for check in judged["overconfident regression"].blocking} == set(MOVED)
    assert judged["moved"].verdict is Verdict.PASS


def test_three_classes_are_judged_by_their_own_metrics(judged: dict[str, Evidence]) -> None:
    """A multi-class model is judged by log-loss, accuracy and floor: an equal candidate passes, each refuses a constant."""
    metrics = {"log_loss", "accuracy", "floor"}
    assert {check.name for check in judged["three_good"].checks} == metrics | {"report"}
    assert [check.line for check in judged["three_good"].blocking] == []
    assert {check.name for check in judged["three_constant"].blocking} == metrics


def test_a_first_release_is_judged_on_the_absolute_floor_and_says_so(judged: dict[str, Evidence]) -> None:
    """Without a champion nothing is compared, what has a limit of its own is judged by it, and the table tells why."""
    good, constant, biased = (judged[f"first {name}"] for name in ("good", "constant", "calibration"))
    assert [check.name for check in good.checks] == ["floor", "report"]
    assert (good.verdict, constant.verdict) == (Verdict.PASS, Verdict.BLOCK)
    assert [check.line.partition(", ")[2] for check in biased.blocking] == ["expected within ±0.0200"]
    made = {gate: [check.name for check in judged[f"first {gate}"].checks] for gate in ("segments", "fairness")}
    assert made == {"segments": ["harm"], "fairness": ["absolute"]}
    assert "none (judged by absolute limits only)" in views.table(good)


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


LAZY = """
import pytest

def test_nothing(): "Checks nothing."
def test_skipped(): pytest.skip("not today")
def test_broken(): raise KeyError("a bug")
"""


def test_a_gate_that_does_not_check_blocks(zoo: Path, house: Path, tmp_path: Path) -> None:
    """A gate's test that makes no check, skips itself or breaks is a BLOCK in the evidence."""
    (tmp_path / "conftest.py").write_text((process.GATES / "conftest.py").read_text())
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
        process.GATES,
    ]
    done = subprocess.run(command, cwd=process.ROOT, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no tests collected" in done.stdout
