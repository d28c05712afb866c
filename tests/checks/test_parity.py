"""The gate parity: what is served is what was trained, in every number and every decision."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fledge.artifact import contract as contracts
from fledge.artifact import savedmodel, vectors
from fledge.checks import parity
from fledge.checks.agreement import Tolerance
from fledge.checks.parity import Served
from fledge.evidence import Evidence, Verdict
from fledge.gates import process
from fledge.gates.process import Pair
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, MINUTES, THREE, limits, rows, write_model, write_rows

LIMIT = Tolerance(tolerance=1e-5, relative=1e-4)

# candidate, its golden vectors, the check, its verdict, and why
SAID = [
    ("good", "own", "golden", "PASS", "0 of 256 decisions flip \\(at most 1.16% with 95 %\\), expected none; largest difference 0"),
    ("good", "own", "rest", "PASS", "0 of 10,000 decisions flip \\(at most 0.03% with 95 %\\), expected none"),
    ("good", "own", "grpc", "PASS", "0 of 10,000 decisions flip \\(at most 0.03% with 95 %\\), expected none"),
    ("less_with_load", "good's", "golden", "BLOCK", "largest difference in 256 rows is 0\\..*, expected at most .*e-05"),
    ("champion", "none", "golden", "INCONCLUSIVE", "has no golden vectors .*golden.json.*, expected those that training leaves"),
    ("nan_weight", "damaged", "golden", "BLOCK", "golden: found JSONDecodeError.*, expected what training left .*golden.json"),
    ("draws_lots", "good's", "rest", "BLOCK", "largest difference in 10,000 rows is 0\\..*, expected at most"),
    ("draws_lots", "good's", "grpc", "BLOCK", "largest difference in 10,000 rows is 0\\..*, expected at most"),
    ("minutes_good", "none", "rest", "PASS", "largest difference in 10,000 rows is .*, expected at most"),
    ("three_good", "none", "grpc", "PASS", "0 of 10,000 decisions flip"),
]  # fmt: skip
OWNERS: dict[str, dict[str, Any]] = {"minutes_good": MINUTES, "three_good": THREE}


def artifact(zoo: Path, root: Path, candidate: str, golden: str) -> Path:
    """A copy of the candidate with golden vectors: a good model's, ones that are damaged, or none."""
    copy = root / candidate
    shutil.copytree(zoo / candidate, copy)
    file = copy / vectors.FILE
    file.parent.mkdir(exist_ok=True)
    if golden != "none":
        file.write_text("{" if golden == "damaged" else good_vectors(zoo, root))
    return copy


def good_vectors(zoo: Path, root: Path) -> str:
    """256 rows and what the good model answers to them."""
    promised = contracts.load(root / "models" / "tiny" / "contract.yaml")
    table = rows().slice(0, 256)
    inputs = promised.arrays({name: table[name].to_pylist() for name in promised.inputs})
    return vectors.dumps(inputs, savedmodel.load(zoo / "good").run("serving_default", inputs))


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The evidence of the gate on each candidate, by its name."""
    root = tmp_path_factory.mktemp("parity")
    file = write_rows(root, "tiny", rows())
    write_model(root, "tiny", CONTRACT, limits())
    for name, owner in OWNERS.items():
        write_model(root, name, CONTRACT | owner["contract"], limits(**owner["limits"]))
    cases = {candidate: golden for candidate, golden, *_ in SAID}
    pairs = [
        Pair(root / "models" / (name if name in OWNERS else "tiny"), artifact(zoo, root, name, golden), None, (file,))
        for name, golden in cases.items()
    ]
    # A server is started only for those of which a check asks one.
    whole = {candidate for candidate, _, check, *_ in SAID if check != "golden"}
    tests = ["parity" if name in whole else f"{process.GATES}/test_parity.py::test_golden" for name in cases]
    return dict(zip(cases, judge(list(zip(tests, pairs, strict=True)), root), strict=True))


@pytest.mark.parametrize(("candidate", "golden", "check", "verdict", "reason"), SAID)
def test_it_says_what_it_must(
    judged: dict[str, Evidence], candidate: str, golden: str, check: str, verdict: str, reason: str
) -> None:
    """Each check refuses the candidate that is not served as it was trained, for the reason; a good one passes each."""
    found = one(judged[candidate], f"parity.{check}")
    assert found.verdict == verdict
    assert re.search(reason, found.reason), found.reason
    assert bool(found.remedy) == (verdict != "PASS")


def test_no_flip_is_an_interval(judged: dict[str, Evidence]) -> None:
    """None of 10,000 says at most 1 - 0.05^(1/10,000), which is 3 in 10,000; that is also what would have been seen."""
    found = one(judged["good"], "parity.grpc")
    assert found.interval == pytest.approx((0, 1 - 0.05 ** (1 / 10_000)))
    assert found.smallest_detectable_effect == found.interval[1]  # type: ignore[index]
    assert (found.estimate, found.margin, found.n, found.unit) == (0, 0, 10_000, "of decisions")


def test_a_model_from_elsewhere_may_lack_golden_vectors_if_its_owner_says_so(judged: dict[str, Evidence]) -> None:
    """Without golden vectors nothing is known: that blocks, unless params.yaml says `inconclusive: warn`, as tiny's does."""
    assert not one(judged["champion"], "parity.golden").blocks
    assert parity.no_golden(LIMIT).blocks
    assert "inconclusive: warn" in parity.no_golden(LIMIT).remedy


def test_few_golden_vectors_say_little() -> None:
    """That ten rows agree is no proof where training leaves 256; one that disagrees is a block however few there are."""
    ten = {"probability": np.linspace(0.1, 0.9, 10, dtype=np.float32)}
    found = parity.golden(ten, ten, 256, LIMIT, "binary", 0.5)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "the artifact has 10 golden vectors (assets.extra/golden.json), expected 256"
    assert parity.golden(ten, ten, 10, LIMIT, "binary", 0.5).verdict is Verdict.PASS
    other = {"probability": 1 - ten["probability"]}
    assert parity.golden(other, ten, 256, LIMIT, "binary", 0.5).verdict is Verdict.BLOCK


def test_a_decision_that_flips_is_refused_however_small_the_difference() -> None:
    """Half a millionth is within the tolerance; across the threshold it is another decision."""
    theirs = {"probability": np.array([0.1, 0.4999998, 0.9], np.float32)}
    ours = {"probability": np.array([0.1, 0.5000003, 0.9], np.float32)}
    found = parity.same("rest", ours, theirs, LIMIT, "binary", 0.5)
    assert (found.verdict, found.estimate) == (Verdict.BLOCK, pytest.approx(1 / 3))
    assert found.reason.startswith("1 of 3 decisions flip")
    assert parity.same("rest", ours, theirs, LIMIT, "binary", 0.3).verdict is Verdict.PASS


def test_decisions_are_the_tasks() -> None:
    """Yes or no at the threshold, of one chance or of the second of two; of many classes the likeliest."""
    chances = np.array([[0.2, 0.5, 0.3], [0.4, 0.1, 0.5]])
    assert parity.decisions(chances, "multiclass", 0.5).tolist() == [1, 2]
    assert parity.decisions(np.array([0.29, 0.3]), "binary", 0.3).tolist() == [0, 1]
    assert parity.decisions(np.array([[0.71, 0.29], [0.7, 0.3]]), "binary", 0.3).tolist() == [0, 1]


def test_a_regression_decides_nothing() -> None:
    """Its answers need only be close."""
    theirs = {"minutes": np.array([-20.0, 0.4, 300.0])}
    for size, verdict in [(0.02, "PASS"), (0.04, "BLOCK")]:
        ours = {"minutes": theirs["minutes"] + np.array([0, 0, size])}
        found = parity.same("golden", ours, theirs, LIMIT, "regression", 0.5)
        assert (found.verdict, found.margin) == (verdict, pytest.approx(1e-5 + 1e-4 * 300))


def test_no_rows_prove_nothing() -> None:
    """Golden vectors without a row block."""
    none = {"probability": np.zeros(0)}
    assert parity.same("golden", none, none, LIMIT, "binary", 0.5).reason.startswith("looked at nothing")


def test_rows_are_a_limit() -> None:
    """How many rows the server is asked is the owner's to say, and at least one."""
    with pytest.raises(ValueError, match="greater than 0"):
        Served(rows=0, tolerance=0)
