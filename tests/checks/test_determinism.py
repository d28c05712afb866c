"""The gate determinism: the same bits again, whatever the order, however the batch is split."""

import re
from pathlib import Path

import numpy as np
import pytest

from fledge.checks import determinism
from fledge.checks.agreement import Tolerance
from fledge.evidence import Evidence, Verdict
from fledge.gates.process import Pair
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, limits, rows, write_model, write_rows

LIMIT = Tolerance(tolerance=1e-5, relative=1e-4)
ANSWERS = {"minutes": np.array([0.1, -20.0, 3.0], np.float32)}

# candidate, the check that must refuse it, and why
REFUSED = [
    ("draws_lots", "repeat", "probability differs in \\d+ of 10000 rows when asked again, by up to 0\\..*, expected the same bits"),
    ("sees_those_before", "order", "another order of rows changes an answer by 0\\..*, expected at most"),
    ("sees_its_neighbours", "split", "a batch of 1 changes an answer by 0\\..*, expected at most"),
]  # fmt: skip
LACKING = CONTRACT | {"inputs": CONTRACT["inputs"] | {"minutes": {"dtype": "float64"}}}


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The evidence of the gate on each candidate, and on a good one under a contract that it does not keep."""
    root = tmp_path_factory.mktemp("determinism")
    file, model = write_rows(root, "tiny", rows()), write_model(root, "tiny", CONTRACT, limits())
    cases = {name: Pair(model, zoo / name, zoo / "champion", (file,)) for name in ("good", *(c for c, _, _ in REFUSED))}
    cases |= {"lacking": Pair(write_model(root, "lacking", LACKING, limits()), zoo / "good", None, (file,))}
    cases |= {
        "unlimited": Pair(write_model(root, "unlimited", CONTRACT, limits(determinism={})), zoo / "good", None, (file,))
    }
    return dict(zip(cases, judge([("determinism", pair) for pair in cases.values()], root), strict=True))


@pytest.mark.parametrize(("candidate", "check", "reason"), REFUSED)
def test_it_refuses_what_it_must(judged: dict[str, Evidence], candidate: str, check: str, reason: str) -> None:
    """An answer that is drawn by lot, or that knows its neighbours, is refused by the check that is about it."""
    found = one(judged[candidate], f"determinism.{check}")
    assert found.verdict is Verdict.BLOCK
    assert re.search(reason, found.reason), found.reason
    assert "training mode" in found.remedy


def test_it_passes_a_good_candidate(judged: dict[str, Evidence]) -> None:
    """A model whose rows stand alone passes all three checks, each of which has looked at thousands of rows."""
    found = judged["good"]
    assert {check.name: check.verdict for check in found.checks} == dict.fromkeys(("repeat", "order", "split"), "PASS")
    assert {check.name: check.n for check in found.checks} == {"repeat": 10_000, "order": 10_000, "split": 3 * 448}


def test_an_input_that_the_model_lacks_is_one_line(judged: dict[str, Evidence]) -> None:
    """A contract that names an input of its own blocks every check with the input's name."""
    line = "candidate: has no minutes, expected it (contract.yaml: minutes)"
    assert {check.reason for check in judged["lacking"].blocking} == {line}
    assert len(judged["lacking"].blocking) == 3


def test_a_missing_limit_blocks_and_names_its_key(judged: dict[str, Evidence]) -> None:
    """Without a tolerance nothing is compared, and the line says where it belongs; the same bits need none."""
    found = {check.name: check.reason for check in judged["unlimited"].blocking}
    assert found.keys() == {"order", "split"}
    for name, reason in found.items():
        assert re.search(f"key is missing.*params.yaml: gates.determinism.{name}", reason), reason


def test_one_bit_is_a_difference() -> None:
    """Asked again, the last bit counts, in each row once; so does the sign of zero."""
    again = {"minutes": np.nextafter(ANSWERS["minutes"], np.float32(9))}
    found = determinism.repeat(ANSWERS, again, 3)
    assert (found.verdict, found.reason.partition(",")[0]) == (
        "BLOCK",
        "minutes differs in 3 of 3 rows when asked again",
    )
    zeros = ({"minutes": np.array([sign * 0.0])} for sign in (1, -1))
    assert determinism.repeat(*zeros, n=1).verdict is Verdict.BLOCK
    assert determinism.repeat(ANSWERS, ANSWERS, 3).verdict is Verdict.PASS


def test_order_compares_each_row_with_itself() -> None:
    """Answers that moved with their rows are the same; answers that stayed where they were are not."""
    permutation = np.array([2, 0, 1])
    moved = {"minutes": ANSWERS["minutes"][permutation]}
    assert determinism.order(ANSWERS, moved, permutation, LIMIT).verdict is Verdict.PASS
    assert determinism.order(ANSWERS, ANSWERS, permutation, LIMIT).verdict is Verdict.BLOCK


def test_a_difference_may_grow_with_the_answer() -> None:
    """What is allowed is the tolerance plus a share of the answer: 1e-5 + 1e-4 · 20 for an answer of -20."""
    allowed = 1e-5 + 1e-4 * 20
    for size, verdict in [(0.99 * allowed, "PASS"), (1.01 * allowed, "BLOCK")]:
        parts = {7: {"minutes": ANSWERS["minutes"] + np.array([0, size, 0])}}
        found = determinism.split(ANSWERS, parts, 3, LIMIT)
        assert (found.verdict, found.margin, found.estimate) == (verdict, pytest.approx(allowed), pytest.approx(size))
        assert found.reason.startswith("a batch of 7 changes an answer by 0.002")


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_no_number_never_agrees(broken: float) -> None:
    """Not a number differs from everything, itself included, and there is no estimate to show."""
    answers = {"minutes": np.array([broken])}
    found = determinism.split(answers, {1: answers}, 1, LIMIT)
    assert (found.verdict, found.estimate) == (Verdict.BLOCK, None)


def test_nothing_proves_nothing() -> None:
    """No rows is no agreement."""
    none = {"minutes": np.array([])}
    for found in (
        determinism.repeat(none, none, 0),
        determinism.order(none, none, np.array([], int), LIMIT),
        determinism.split(none, {1: none}, 0, LIMIT),
    ):
        assert (found.verdict, found.reason) == (Verdict.BLOCK, "looked at nothing, expected something to compare")


def test_batches_cover_every_row_once() -> None:
    """Slices of 7 cover 448 rows, of 64 as well, and the last is shorter where they do not fit."""
    for size, count in [(1, 448), (7, 64), (64, 7), (300, 2)]:
        parts = [np.arange(448)[part] for part in determinism.batches(448, size)]
        assert len(parts) == count
        assert np.concatenate(parts).tolist() == list(range(448))
