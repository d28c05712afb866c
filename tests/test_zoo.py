"""The zoo's own test: how mutants are counted, and that the recorded matrix obeys its law."""

import json
import re
from pathlib import Path

import pytest

from fledge import fetch
from fledge.artifact import signing
from fledge.evidence import Check, Verdict
from fledge.gates.process import GATES, Pair
from fledge.hashing import dvc_directory
from tests.zoo import flips, keeper, report, score
from tests.zoo.families import supply_chain
from tests.zoo.judging import Cheap
from tests.zoo.record import CONTROL, DEAR, Mutant
from tests.zoo.register import everything
from tests.zoo.score import Judged

NUMBERS = range(1, 58)  # the list that the gates were written against; what came to mind later begins at 60
NAMES = sorted(file.stem.removeprefix("test_") for file in GATES.glob("test_*.py"))
OUTSIDE = ("fetch", "release")  # what refuses a mutant beside the gates
REAL = everything()


def mutant(check: str = "data.count", reason: str = "", **others: object) -> Mutant:
    """A mutant of no consequence."""
    return Mutant("99", "any", check, reason, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "refusals", "fate"),
    [
        ("too few", {"data.count": "10 rows are too few"}, "named"),
        ("too few", {"data.count": "too few", "regression.auc": "worse"}, "named"),
        ("too few", {"data.count": "KeyError: 'rows'"}, "other"),
        ("too few", {"regression.auc": "too few"}, "other"),
        ("too few", {}, "missed"),
    ],
)
def test_a_mutant_is_caught_by_the_named_check_for_the_named_reason(
    reason: str, refusals: dict[str, str], fate: str
) -> None:
    """The right check with another reason, and another check with the right one, count as half; silence as a miss."""
    assert Judged(mutant(reason=reason), refusals).fate == fate


def test_a_control_is_refused_by_anything() -> None:
    """Whatever blocks a good model is a false alarm."""
    assert Judged(mutant(CONTROL), {}).fate == "passed"
    assert Judged(mutant(CONTROL), {"latency.tail": "slow"}).fate == "refused"


def test_an_inconclusive_check_refuses_where_it_blocks() -> None:
    """What the gates would stop counts; a warning does not."""
    block = Check("data", "count", Verdict.INCONCLUSIVE, "who knows")
    warn = Check("data", "quality", Verdict.INCONCLUSIVE, "who knows", inconclusive="warn")
    assert score.judged(mutant(), [block, warn, Check("data", "any", Verdict.PASS, "")]).refusals == {
        "data.count": "who knows"
    }


def test_what_a_busy_machine_cannot_tell_counts_nowhere() -> None:
    """A check that reads the clock and warns that it cannot tell neither caught a mutant nor missed it; others must."""
    warn = Check("latency", "ratio", Verdict.INCONCLUSIVE, "too noisy", inconclusive="warn")
    found = score.judged(mutant("latency.ratio", "slow"), [warn, Check("structural", "ops", Verdict.BLOCK, "a lock")])
    assert (found.fate, found.unclear) == ("untold", "too noisy")
    assert score.faults([found], []) == []
    assert "Not told by this machine, so not counted: 99 any (too noisy)." in score.summary([found])
    assert (
        score.judged(mutant(), [Check("data", "count", Verdict.INCONCLUSIVE, "", inconclusive="warn")]).fate == "missed"
    )


def test_the_effect_is_in_margins_of_the_named_check() -> None:
    """How far a statistical mutant is off is what its check measured, by its margin; other gates have no such measure."""
    checks = [Check("regression", "auc", Verdict.BLOCK, "", estimate=-0.03, margin=-0.01)]
    checks += [Check("data", "count", Verdict.BLOCK, "", estimate=10, margin=100)]
    assert score.judged(mutant("regression.auc"), checks).effect == pytest.approx(3)
    assert score.judged(mutant("data.count"), checks).effect is None


def test_a_gate_is_needed_where_it_alone_refuses_a_mutant() -> None:
    """Controls, and mutants that two gates refuse, prove nothing about a gate; nor does what is refused outside the gates.

    Only what a mutant's operations cost may be refused beside.
    """
    found = [
        Judged(mutant("data.count"), {"data.count": "", "data.quality": ""}),
        Judged(mutant("parity.golden"), {"parity.golden": "", "regression.auc": ""}),
        Judged(mutant(CONTROL), {"latency.ratio": ""}),
        Judged(mutant("determinism.order"), {"determinism.order": "", "latency.ratio": "", "resources.load_time": ""}),
        Judged(mutant("fetch.md5", refusal=lambda artifact, folder: {}), {"fetch.md5": ""}),
    ]
    assert score.sole(found) == {"data": ["99"], "determinism": ["99"]}
    assert score.redundant(found, ["data", "parity", "latency"]) == ["latency", "parity"]


def test_the_zoo_fails_for_each_of_its_reasons() -> None:
    """A counted mutant that is not caught as it says, a control refused and a redundant gate are a line each."""
    found = [
        Judged(mutant(reason="few"), {"data.count": "few"}),
        Judged(mutant(reason="few"), {"data.quality": "null"}),
        Judged(mutant(counted=False), {}),
        Judged(mutant(CONTROL), {"data.count": "few"}),
    ]
    lines = score.faults(found, ["data", "parity"])
    assert [re.sub("^99 any: ", "", line) for line in lines] == [
        "refused by data.quality (null), expected data.count and /few/ in its reason",
        "refused by data.count (few), expected by nothing, for it is a control",
        "parity: no mutant is refused by this gate alone, expected one",
    ]


def test_the_score_has_its_exact_interval() -> None:
    """Nine of ten: Clopper's and Pearson's interval is 55.5 to 99.7 %, and one caught by another gate counts as half."""
    found = [Judged(mutant(), {"data.count": ""})] * 9 + [Judged(mutant(), {"data.quality": ""})]
    assert "| deterministic | 9 of 10 | 1 | 0 | 95.0% | 55.5% … 99.7% |" in re.sub(r" +", " ", score.summary(found))
    assert score.interval(0, 1000) == "0.0% … 0.4%"


def test_what_costs_much_is_left_out_but_for_the_named_check() -> None:
    """Timed checks and those that ask a server run only for the mutants that name them."""
    assert Cheap("latency.tail").dear("latency.ratio")
    assert not Cheap("latency.tail").dear("latency.tail")
    assert not Cheap("latency.tail").dear("structural.ops")
    assert Cheap("none").dear("structural.served")


def test_a_mutant_is_judged_on_what_it_brings(tmp_path: Path) -> None:
    """A mutant's own rows replace the champion's month by month; its own contract is told from the champion's."""
    usual = [Path("data/tiny/2013-01.parquet"), Path("data/tiny/2013-07.parquet")]
    champion = Pair(Path("models/tiny"), Path("champion"), rows=tuple(usual), training=(usual[0],))
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "2013-07.parquet").touch()
    plain = keeper.pair(tmp_path, champion)
    assert plain.rows == (usual[0], tmp_path / "rows" / "2013-07.parquet")
    assert plain.training == (usual[0],)
    assert (plain.candidate, plain.champion) == (tmp_path / "saved_model", Path("champion"))
    assert (plain.model_dir, plain.champion_contract) == (Path("models/tiny"), None)
    (tmp_path / "tiny").mkdir()
    own = keeper.pair(tmp_path, champion)
    assert (own.model_dir, own.champion_contract) == (tmp_path / "tiny", Path("models/tiny/contract.yaml"))


def test_a_run_that_says_something_else_is_found() -> None:
    """One bit of one number of one check in one run is a flip, and so is a check that was not made."""
    same = flips.digests([Check("data", "count", Verdict.PASS, "", estimate=0.1)])
    other = flips.digests([Check("data", "count", Verdict.PASS, "", estimate=0.1 + 2**-56)])
    assert flips.flips([same] * 3) == []
    assert flips.flips([same, same, other, {}]) == ["run 3: data.count", "run 4: data.count"]


def test_every_number_of_the_list_has_its_mutant() -> None:
    """All of the list are here, with at least forty by surgery, and no name is used twice."""
    numbers = {int(re.match(r"\d+", one.id)[0]) for one in REAL if not one.control}  # type: ignore[index]
    assert set(NUMBERS) <= numbers
    assert len({one.id for one in REAL}) == len({one.name for one in REAL}) == len(REAL)
    assert sum(bool(one.edits) and not one.retrained and not one.control for one in REAL) >= 40


def test_every_mutant_is_made_in_one_way_and_names_a_check_that_exists() -> None:
    """A mutant has edits, a lesson or a refusal outside the gates; its check is a test of that gate, or such a refusal."""
    for one in REAL:
        assert bool(one.refusal) != bool(one.edits or one.retrained), one.id
        assert one.control or one.reason, f"{one.id} names no reason"
        if one.refusal:
            assert one.gate in OUTSIDE, one.id
        elif not one.control:
            assert exists(one.check), one.check
    assert all(exists(name) for name in DEAR)


@pytest.mark.parametrize("one", [one for one in REAL if one.refusal], ids=lambda one: one.folder)
def test_what_no_gate_judges_is_refused_by_what_it_names(one: Mutant, tmp_path: Path) -> None:
    """An artifact or a release that is not what was offered is refused, here of any files, for the reason it names."""
    assert one.refusal
    assert Judged(one, one.refusal(an_artifact(tmp_path), tmp_path / one.folder)).fate == "named"


def test_what_was_signed_with_a_key_that_the_pod_was_told_is_fetched(tmp_path: Path) -> None:
    """The signature alone is what the unsigned artifact and that of a stranger lack."""
    folder = an_artifact(tmp_path)
    where, digest = supply_chain.remote(folder, tmp_path / "remote")
    own, told = supply_chain.keys(tmp_path / "own.pem")
    signing.sign(folder, str(where), digest, own)
    assert dvc_directory(fetch.fetch(str(where), digest, tmp_path / "fetched", keys=[told]))[0] == digest


def test_the_recorded_zoo_obeys_its_law() -> None:
    """In the matrix of the last full run each counted mutant is caught as it says, no control, and each gate is needed."""
    assert score.faults(recorded(), NAMES) == []


def test_what_is_not_counted_is_nearly_harmless() -> None:
    """Only a statistical mutant is left out of the count, and only one whose effect is below 1.5 margins."""
    spared = [one for one in recorded() if not one.mutant.counted]
    assert {one.mutant.gate for one in spared} <= set(score.STATISTICAL)
    assert all(one.effect is not None and one.effect < 1.5 for one in spared)


def test_the_page_is_what_was_recorded() -> None:
    """README.md is the view of matrix.json and of today's mutants; `python -m tests.zoo.report` writes it."""
    machine = json.loads(report.MATRIX.read_text())["machine"]
    assert report.README.read_text() == report.page(recorded(), machine, report.FLIPS.read_text())


def recorded() -> list[Judged]:
    """The last full run, which knows exactly today's mutants."""
    content = json.loads(report.MATRIX.read_text())
    assert set(content["mutants"]) == {one.id for one in REAL}, "make zoo FULL=1"
    return report.judged(content, REAL)


def an_artifact(folder: Path) -> Path:
    """A folder with a file of a SavedModel's name."""
    path = folder / "saved_model"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"a graph")
    return path


def exists(check: str) -> bool:
    """Whether there is such a gate, with a test of that name or a case of it."""
    gate, _, name = check.partition(".")
    file = GATES / f"test_{gate}.py"
    return file.is_file() and (f"def test_{name}" in file.read_text() or check in CASES)


CASES = ["regression.auc", "regression.log_loss", "parity.rest", "parity.grpc"]  # of one test each
