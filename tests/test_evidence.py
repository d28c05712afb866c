"""Evidence: what it concludes, and that its views and its file say the same."""

import json
from dataclasses import replace

import pytest

from fledge import evidence
from fledge.evidence import Check, Evidence, Verdict
from fledge.problems import Problem

GOOD = Check("regression", "auc", Verdict.PASS, "fine", "", 0.002, (-0.001, 0.005), -0.01, 21_700, 0.005, "AUC")
BAD = Check("structural", "ops", Verdict.BLOCK, "the graph holds the op PyFunc", "write it in TensorFlow")
UNSURE = Check("latency", "ratio", Verdict.INCONCLUSIVE, "too noisy", "a quieter machine", 1.07, (1.0, 1.2), 1.05, 8000)


def found(*checks: Check) -> Evidence:
    """Evidence of a candidate with these checks."""
    return Evidence(
        "tiny", {"name": "new", "md5": "1.dir"}, {"name": "old", "md5": "2.dir"}, {"sha256": "3"}, list(checks)
    )


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([], Verdict.BLOCK),
        ([GOOD], Verdict.PASS),
        ([GOOD, BAD], Verdict.BLOCK),
        ([GOOD, UNSURE], Verdict.BLOCK),
        ([GOOD, replace(UNSURE, inconclusive="warn")], Verdict.PASS),
        ([replace(BAD, inconclusive="warn")], Verdict.BLOCK),
    ],
    ids=["no checks", "pass", "one block", "inconclusive", "inconclusive: warn", "warn excuses no block"],
)
def test_one_check_that_blocks_blocks_all(checks: list[Check], verdict: Verdict) -> None:
    """BLOCK wins, INCONCLUSIVE blocks unless it is only to warn, and no checks at all are no PASS."""
    assert found(*checks).verdict is verdict


def test_evidence_survives_its_file() -> None:
    """What is written is what is read, numbers and verdicts alike."""
    before = found(GOOD, BAD, UNSURE)
    assert evidence.from_json(evidence.to_json(before), "e.json") == before


def test_a_first_release_survives_its_file() -> None:
    """No champion is null, not an empty hash, and the views say so."""
    first = replace(found(GOOD), champion=None)
    assert evidence.from_json(evidence.to_json(first), "e.json").champion is None
    assert "first release" in evidence.table(first)


def test_the_file_keeps_its_keys() -> None:
    """The JSON holds exactly the keys that readers rely on."""
    content = json.loads(evidence.to_json(found(GOOD)))
    assert set(content) == {
        "schema",
        "verdict",
        "model",
        "candidate",
        "champion",
        "rows",
        "checks",
        "versions",
        "timings",
    }
    assert set(content["checks"][0]) == {
        *("gate", "name", "verdict", "reason", "remedy", "estimate", "interval", "margin", "n"),
        *("smallest_detectable_effect", "unit", "inconclusive"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged \\('schema'\\)"),
        (evidence.to_json(found(GOOD)).replace("/v1", "/v0"), "expected the schema fledge.dev/evidence/v1"),
        (evidence.to_json(found(GOOD)).replace('"n": 21700,', '"m": 21700,'), "damaged"),
        (evidence.to_json(found(GOOD)).replace('"reason": "fine"', '"raisin": "fine"'), "damaged"),
    ],
)
def test_damaged_evidence_is_one_line_that_names_the_file(text: str, reason: str) -> None:
    """Evidence that cannot be read, or contradicts itself, is a Problem, never a PASS."""
    with pytest.raises(Problem, match=reason) as problem:
        evidence.from_json(text, "here.json")
    assert len(problem.value.lines) == 1
    assert "here.json" in problem.value.lines[0]


def test_evidence_whose_verdict_was_edited_is_refused() -> None:
    """The verdict in the file must be that of its checks."""
    content = json.loads(evidence.to_json(found(BAD))) | {"verdict": "PASS"}
    with pytest.raises(Problem, match="says PASS, its checks say BLOCK"):
        evidence.from_json(json.dumps(content), "here.json")


def test_a_number_that_is_none_cannot_be_written() -> None:
    """NaN in a check is a bug of the gate, not a silent null."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        evidence.to_json(found(replace(GOOD, estimate=float("nan"))))


@pytest.mark.parametrize("view", [evidence.table, evidence.markdown])
def test_the_views_show_every_number_and_every_remedy(view: object) -> None:
    """Terminal and pull request show check, verdict, estimate, interval, margin, n, and what to do about a block."""
    assert callable(view)
    shown = view(found(GOOD, BAD, UNSURE))
    row = next(line for line in shown.splitlines() if "regression.auc" in line)
    for part in ("PASS", "0.002", "-0.001 … 0.005", "-0.01", "21,700", "0.005", "AUC"):
        assert part in row
    assert shown.splitlines()[0].endswith("tiny: BLOCK. Candidate new, champion old")
    for part in ("the graph holds the op PyFunc", "write it in TensorFlow", "too noisy", "a quieter machine"):
        assert part in shown


def test_a_warning_is_told_from_a_block() -> None:
    """An inconclusive check that does not block is marked as a warning."""
    assert "INCONCLUSIVE (warning)" in evidence.table(found(GOOD, replace(UNSURE, inconclusive="warn")))
    assert "(warning)" not in evidence.table(found(GOOD, UNSURE))
