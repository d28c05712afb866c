"""The gate edge_cases: answers as documented where real rows seldom go."""

import re
from pathlib import Path
from typing import Any

import pytest

from fledge.artifact.contract import Input
from fledge.checks import edge_cases
from fledge.evidence import Evidence, Verdict
from fledge.gates.process import Pair
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, EFFECTS, REQUESTS, THREE, limits, rows, write_model, write_rows

LIMITS = limits()

# candidate, the check that must refuse it, and why
REFUSED = [
    ("logits", "requests", "golden: probability leaves \\[0.0, 1.0\\]"),
    ("logits", "properties", "probability leaves \\[0.0, 1.0\\] in 1 rows for {'origin'"),
    ("crashes_on_empty", "sizes", "batch of 0: answered INVALID_ARGUMENT"),
    ("not_imputed", "missing", "temp = 'nan' instead of 55 changes an answer"),
    ("other_unknown", "unknown", "origin = 'no such category' instead of '' changes an answer"),
    ("overflows", "special", "temp = inf: probability is not finite in 8 of 8 rows"),
    ("less_with_load", "monotone", "more load moves an answer against `monotone` by 0\\.0"),
]
CHECKS = {"requests", "sizes", "missing", "unknown", "special", "monotone", "properties"}
# models of which the contract says less, or other things: its inputs, and what the checks then say
LOAD = {"dtype": "float32", "missing": "nan", "means": 0, "range": [0, 1]}
LACKS_MINUTES = ("BLOCK", "candidate: has no minutes, expected it \\(contract.yaml: minutes\\)")
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
    "lacking": (
        {"minutes": {"dtype": "float32", "missing": "nan", "means": 0, "monotone": "up"}},
        dict.fromkeys(("missing", "unknown", "monotone"), LACKS_MINUTES),
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


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The evidence of the gate on every case above, by its name, all made in one process."""
    root = tmp_path_factory.mktemp("edge_cases")
    file = write_rows(root, "tiny", rows())
    tiny = write_model(root, "tiny", CONTRACT, LIMITS)
    three = write_model(root, "three", CONTRACT | THREE["contract"], limits(**THREE["limits"]))
    cases = {name: Pair(tiny, zoo / name, zoo / "champion", (file,)) for name in ("good", *(c for c, _, _ in REFUSED))}
    cases |= {"three": Pair(three, zoo / "three_good", None, (file,))}
    for name, (inputs, _) in TOLD.items():
        folder = write_model(root, name, CONTRACT | {"inputs": CONTRACT["inputs"] | inputs}, LIMITS)
        cases[name] = Pair(folder, zoo / "good", None, (file,))
    for name, (requests, _) in BAD_REQUESTS.items():
        cases[name] = Pair(write_model(root, name, CONTRACT, LIMITS, requests), zoo / "good", None, (file,))
    return dict(zip(cases, judge([("edge_cases", pair) for pair in cases.values()], root), strict=True))


@pytest.mark.parametrize(("candidate", "check", "reason"), REFUSED)
def test_it_refuses_what_it_must(judged: dict[str, Evidence], candidate: str, check: str, reason: str) -> None:
    """The named check blocks the broken candidate, for the stated reason, and says what to do."""
    found = one(judged[candidate], f"edge_cases.{check}")
    assert found.verdict is Verdict.BLOCK
    assert re.search(reason, found.reason), found.reason
    assert found.remedy


def test_it_passes_a_good_candidate_and_every_check_refuses_somebody(judged: dict[str, Evidence]) -> None:
    """A good candidate passes each check by being looked at, and no check is only decoration."""
    found = judged["good"].checks
    assert {check.name: check.verdict for check in found} == dict.fromkeys(CHECKS, "PASS")
    assert all(check.n for check in found)
    assert {check for _, check, _ in REFUSED} == CHECKS


@pytest.mark.parametrize("told", TOLD)
def test_what_the_contract_leaves_unsaid_blocks(judged: dict[str, Evidence], told: str) -> None:
    """A check passes by looking, or by saying that the contract has no such input; never by having nothing to look at."""
    for name, (verdict, reason) in TOLD[told][1].items():
        found = one(judged[told], f"edge_cases.{name}")
        assert found.verdict == verdict
        assert re.search(reason, found.reason), found.reason


def test_monotone_is_about_one_number(judged: dict[str, Evidence]) -> None:
    """Beside a chance for each class `monotone` has no meaning, and the check says where it stands."""
    found = one(judged["three"], "edge_cases.monotone")
    assert found.verdict is Verdict.BLOCK
    assert found.reason.endswith("expected one number per row (contract.yaml: inputs.load.monotone)")


@pytest.mark.parametrize("wrong", BAD_REQUESTS)
def test_requests_that_prove_nothing_block(judged: dict[str, Evidence], wrong: str) -> None:
    """Golden requests that are absent, unreadable or not answered as written block."""
    found = one(judged[wrong], "edge_cases.requests")
    assert found.verdict is Verdict.BLOCK
    assert re.search(BAD_REQUESTS[wrong][1], found.reason), found.reason


def test_properties_say_what_they_would_have_seen(judged: dict[str, Evidence]) -> None:
    """n rows without a fault say that less than 1 - 0.05^(1/n) of such rows show one, with 95 %; two alike count as one."""
    found = one(judged["good"], "edge_cases.properties")
    assert found.n
    assert 30 < found.n < 50, "some of the 50 that the limits ask for are drawn twice"
    seen = 1 - 0.05 ** (1 / found.n)
    assert (found.smallest_detectable_effect, found.unit) == (pytest.approx(seen), "of rows")
    assert f"a fault in {seen:.1%} of such rows" in found.reason


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Input(dtype="string", known=["a"]), ["no such category"]),
        (Input(dtype="int64", known=[3, 4, 9]), [10, 2]),
        (Input(dtype="int32", known=[0, 1, 2]), [3, -1]),
        (Input(dtype="uint8", known=[0, 255]), []),
        (Input(dtype="float32", known=[0.0, 2.0]), [3.0, -1.0]),
        (Input(dtype="bool", known=[False, True]), []),
    ],
)
def test_unseen_values_lie_on_both_sides(column: Input, values: list[Any]) -> None:
    """Of numbered categories the first above and below are unseen, if the dtype holds them: -1 is an embedding's last."""
    assert edge_cases.unseen(column) == values
