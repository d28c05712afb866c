"""Evidence: what it concludes, and what its file says."""

import json
from dataclasses import replace
from typing import Any

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
    """No champion is null, not an empty hash."""
    first = replace(found(GOOD), champion=None)
    assert evidence.from_json(evidence.to_json(first), "e.json").champion is None


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
        "anchor",
        "hardware",
        "notes",
    }
    assert set(content["checks"][0]) == {
        *("gate", "name", "verdict", "reason", "remedy", "estimate", "interval", "margin", "n"),
        *("smallest_detectable_effect", "unit", "inconclusive", "details"),
    }


WRITTEN = evidence.to_json(found(GOOD))


def edited(*path: str | int, to: object = None) -> str:
    """The written file with one value replaced, or (None) with its key taken out."""
    content = json.loads(WRITTEN)
    place = content
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"damaged \(Expecting value.*\(here.json\)"),
        (WRITTEN[:400], r"damaged \(.*\(here.json\)"),
        ("[" * 100_000, r"damaged \(.*recursion.*\(here.json\)"),
        ("[]", r"damaged \(list\).*\(here.json\)"),
        ("{}", r"found None, expected the schema .* \(here.json: schema\)"),
        (
            edited("schema", to="fledge.dev/evidence/v0"),
            r"found '.*v0', expected the schema .*v1 \(here.json: schema\)",
        ),
        (edited("verdict"), r"says None, its checks say PASS \(here.json: verdict\)"),
        (edited("verdict", to="pass"), r"says pass, its checks say PASS \(here.json: verdict\)"),
        (edited("candidate"), r"key is missing.*\(here.json: candidate\)"),
        (edited("candidate", to={"name": "new"}), r"candidate has no md5.*\(here.json: \(whole file\)\)"),
        (edited("checks", to={}), r"valid array.*\(here.json: checks\)"),
        (edited("checks", 0, "reason"), r"key is missing.*\(here.json: checks.0.reason\)"),
        (edited("checks", 0, "raisin", to="dry"), r"unknown key.*\(here.json: checks.0.raisin\)"),
        (edited("checks", 0, "verdict", to="GREEN"), r"'PASS', 'BLOCK' or.*\(here.json: checks.0.verdict\)"),
        (edited("checks", 0, "inconclusive", to="pass"), r"'block' or 'warn'.*\(here.json: checks.0.inconclusive\)"),
        (edited("checks", 0, "n", to="many"), r"valid integer.*\(here.json: checks.0.n\)"),
        (edited("checks", 0, "estimate", to=float("nan")), r"finite number.*\(here.json: checks.0.estimate\)"),
        (edited("checks", 0, "interval", to=[0.0, float("inf")]), r"finite number.*\(here.json: checks.0.interval.1\)"),
        (edited("checks", 0, "details", to={"deep": [float("nan")]}), r"details is not JSON.*\(here.json: checks.0\)"),
        (edited("hardware", to={"cores": float("nan")}), r"hardware is not JSON.*\(here.json: \(whole file\)\)"),
    ],
)
def test_damaged_evidence_is_one_line_that_names_file_and_key(text: str, reason: str) -> None:
    """Evidence that cannot be read, or contradicts itself, is a Problem of one line, never a PASS, never a traceback."""
    with pytest.raises(Problem, match=reason) as problem:
        evidence.from_json(text, "here.json")
    assert len(problem.value.lines) == len(str(problem.value).splitlines()) == 1


def test_what_older_gates_did_not_write_has_its_default() -> None:
    """A target branch's gates may be older than who reads their evidence: a key with a default may be absent."""
    older = json.loads(WRITTEN)
    for key in ("anchor", "hardware", "notes"):
        del older[key]
    del older["checks"][0]["details"]
    assert evidence.from_json(json.dumps(older), "e.json") == found(GOOD)


def test_evidence_whose_verdict_was_edited_is_refused() -> None:
    """The verdict in the file must be that of its checks."""
    content = json.loads(evidence.to_json(found(BAD))) | {"verdict": "PASS"}
    with pytest.raises(Problem, match="says PASS, its checks say BLOCK"):
        evidence.from_json(json.dumps(content), "here.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"estimate": float("nan")}, "regression.auc: estimate is not JSON .*, expected finite numbers"),
        ({"interval": (0.0, float("inf"))}, "regression.auc: interval is not JSON"),
        ({"details": {"blocks": [1.0, float("nan")]}}, "regression.auc: details is not JSON"),
        ({"details": {"blocks": {1.0}}}, "regression.auc: details is not JSON .*set is not JSON serializable"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_number_that_is_none_makes_no_check(change: dict[str, Any], reason: str) -> None:
    """NaN in a check is a bug of the gate that made it, told with its name; not a silent null."""
    with pytest.raises(ValueError, match=reason):
        replace(GOOD, **change)
