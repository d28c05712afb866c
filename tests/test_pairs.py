"""From a branch to what the gates judge: everything by hash, the champion by its own contract, an anchor, the rows."""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fledge import git
from fledge.evidence import Verdict
from fledge.gates.process import Pair
from fledge.hashing import dvc_directory
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import dump
from tests.conftest import Repository
from tests.tiny import offered
from tests.tiny.offered import FOLDER, PRODUCTION, STAGING, Owner, an_owner
from tests.tiny.owner import CONTRACT

OTHER = {"classes": ["never", "sometimes"]}
LESS = {"inputs": {name: one for name, one in CONTRACT["inputs"].items() if name != "load"}}


def artifact(owner: Owner, content: str) -> Path:
    """One that was never trained, of this content alone."""
    return offered.artifact(owner.root / ".fledge" / f"made-{content}", content)


def rows(path: Path, *without: str) -> Path:
    """A Parquet file with the tiny model's columns, but some."""
    names = [name for name in ("origin", "temp", "load", "late", "date") if name not in without]
    pq.write_table(pa.table({name: [1] for name in names}), path)
    return path


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """1.0.0 and then 1.1.0 became healthy in staging, and a branch begins."""
    owner = an_owner(repository, tmp_path / "remote", rows(tmp_path / "rows"))
    for version in ("1.0.0", "1.1.0"):
        owner.offer(version, artifact(owner, version))
        owner.serve()
    owner.branch()
    return owner


def contract(owner: Owner, **changes: object) -> None:
    owner.write("contract.yaml", copy.deepcopy(CONTRACT) | changes)


def only(owner: Owner) -> Pair:
    """The one pair of the branch."""
    [pair] = owner.pairs()
    return pair


def test_candidate_champion_and_anchor_come_by_hash(owner: Owner) -> None:
    """The champion is the last healthy release, the anchor the oldest one; what is fetched is what their hashes say."""
    owner.offer("1.1.1", artifact(owner, "new"))
    pair = only(owner)
    assert pair.champion
    assert pair.anchor
    found = [(path / "saved_model.pb").read_text() for path in (pair.candidate, pair.champion, pair.anchor)]
    assert found == ["new", "1.1.0", "1.0.0"]
    assert [dvc_directory(path)[0] for path in (pair.candidate, pair.champion)] == [
        pair.candidate.name, pair.champion.name,
    ]  # fmt: skip
    assert pair.notes[0] == "staging/tiny: candidate 1.1.1, champion 1.1.0, anchor 1.0.0."
    assert pair.champion_contract is None  # the same one
    assert pair.model_dir == owner.root / FOLDER
    assert pair.evidence == owner.root / ".fledge" / "artifacts" / f"staging_tiny-{pair.candidate.name}.json"


def test_the_target_branchs_limits_judge(owner: Owner) -> None:
    """Limits are those of origin/main, under that name; a branch that relaxes one is judged by both."""
    owner.params(threshold=0.9)
    owner.repository.commit("Another threshold")
    owner.offer("1.1.1", artifact(owner, "new"))
    theirs, ours = owner.pairs()
    assert (theirs.known.threshold, theirs.known.file) == (0.5, "origin/main:models/tiny/params.yaml")
    assert (ours.known.threshold, ours.known.file) == (0.9, "models/tiny/params.yaml")
    assert theirs.evidence
    assert ours.evidence == theirs.evidence.with_name(theirs.evidence.name.replace(".json", "-own.json"))
    said = "This branch changes gates.threshold from 0.5 to 0.9 (models/tiny/params.yaml)."
    assert said in theirs.notes
    assert said in ours.notes


def test_what_an_earlier_run_kept_is_gone(owner: Owner) -> None:
    """Evidence by limits that the branch no longer changes does not stay beside the evidence that counts."""
    owner.params(threshold=0.9)
    owner.repository.commit("Another threshold")
    owner.offer("1.1.1", artifact(owner, "new"))
    kept = [pair.evidence for pair in owner.pairs()]
    for file in kept:
        file.write_text("{}")
    owner.params(threshold=0.5)
    owner.repository.commit("As it was")
    assert only(owner).evidence == kept[0]
    assert [file.exists() for file in kept] == [False, False]


def test_rows_and_training_rows_are_the_candidates(owner: Owner) -> None:
    """Held-out months are the target's to name, trained months the candidate's own; both come from the candidate's data."""
    content = read_yaml(owner.root / FOLDER / "params.yaml")
    content["train"] = {"seed": 8, "months": ["2013-05", "2013-06"]}
    owner.write("params.yaml", content)
    for month in ("2013-05", "2013-06"):
        rows(owner.root / "data" / "tiny" / f"{month}.parquet")
    owner.repository.commit("Train on more")
    owner.offer("1.2.0", artifact(owner, "new"))
    pair = only(owner)
    assert [path.name for path in pair.rows] == ["2013-07.parquet"]
    assert [path.name for path in pair.training] == ["2013-05.parquet", "2013-06.parquet"]
    assert pair.known.training == ("2013-05", "2013-06")
    pair.rows[0].write_bytes(b"damaged since")
    assert pq.read_schema(only(owner).rows[0]).names


def test_a_month_that_the_data_lacks_is_one_line(owner: Owner) -> None:
    """Held-out rows that the candidate's data does not have are refused by the month and the key that asks for it."""
    (owner.root / "data" / "tiny" / "2013-07.parquet").rename(owner.root / "data" / "tiny" / "2013-08.parquet")
    owner.params(rows=["2013-08"])
    owner.repository.commit("Other months")
    owner.offer("1.2.0", artifact(owner, "new"))
    line = r"^staging/tiny: no tiny/2013-07\.parquet in data \w+\.dir, expected it \(origin/main:models/tiny/params\.yaml: gates\.rows\)$"
    with pytest.raises(Problem, match=line):
        owner.pairs()


def test_an_anchor_may_be_pinned(owner: Owner) -> None:
    """`gates.regression.anchor.version` chooses among the healthy ones; the champion itself is no anchor."""
    regression = read_yaml(owner.root / FOLDER / "params.yaml")["gates"]["regression"]
    for version, there in (("1.1.0", None), ("1.0.0", "1.0.0")):
        git.git(owner.root, "switch", "--quiet", "main")
        owner.params(regression=regression | {"anchor": {"factor": 2, "version": version}})
        owner.repository.commit("Pin an anchor")
        owner.repository.push()
        owner.branch(f"after-{version}")
        owner.offer("1.1.1", artifact(owner, f"new-{version}"))
        anchor = only(owner).anchor
        assert (anchor and (anchor / "saved_model.pb").read_text()) == there


def test_an_anchor_that_was_never_healthy_is_one_line(owner: Owner) -> None:
    """A pinned version that is not among the healthy ones is refused, with those that are, by file and key."""
    git.git(owner.root, "switch", "--quiet", "main")
    regression = read_yaml(owner.root / FOLDER / "params.yaml")["gates"]["regression"]
    owner.params(regression=regression | {"anchor": {"factor": 2, "version": "0.9.0"}})
    owner.repository.commit("Pin an anchor")
    owner.repository.push()
    owner.branch("next")
    owner.offer("1.1.1", artifact(owner, "new"))
    with pytest.raises(Problem) as problem:
        owner.pairs()
    assert problem.value.lines == [
        "staging/tiny: 0.9.0 was never healthy there, expected one of 1.0.0, 1.1.0 (origin/main:models/tiny/params.yaml: gates.regression.anchor.version)"
    ]


def test_a_first_release_says_that_it_is_one(owner: Owner) -> None:
    """In an environment where nothing was healthy there is neither champion nor anchor, and the notes say so."""
    git.git(owner.root, "switch", "--quiet", "main")
    git.git(owner.root, "switch", "--quiet", "--create", "promote")
    owner.place(PRODUCTION, owner.made("1.1.0", owner.root / ".fledge" / "made-1.1.0"))
    pair = only(owner)
    assert (pair.champion, pair.anchor, pair.checks) == (None, None, ())
    assert pair.notes[:2] == (
        "production/tiny: promotion 1.1.0, no champion.",
        "Nothing was healthy in production yet: judged by absolute limits alone.",
    )
    assert pair.notes[2] == "Judged by the limits of origin/main:models/tiny/params.yaml."


def test_a_promotion_is_asked_by_the_contract_of_its_release(owner: Owner) -> None:
    """When main has another contract by now, the promoted release is asked by its own, and so are its requests."""
    git.git(owner.root, "switch", "--quiet", "main")
    promoted = owner.made("1.1.0", owner.root / ".fledge" / "made-1.1.0")
    contract(owner, **OTHER)
    owner.write("requests.jsonl", "{}\n")
    owner.repository.commit("The next contract")
    owner.offer("2.0.0", artifact(owner, "next"))
    owner.serve()
    owner.branch("promote")
    owner.place(PRODUCTION, promoted)
    pair = only(owner)
    assert read_yaml(pair.model_dir / "contract.yaml")["classes"] == CONTRACT["classes"]
    assert (pair.model_dir / "requests.jsonl").read_text() != "{}\n"
    assert pair.model_dir.name == "tiny"


def test_a_contract_that_no_commit_holds_is_one_line(owner: Owner) -> None:
    """A release whose contract git does not know cannot be asked anything, and is refused by file and key."""
    owner.train(artifact(owner, "new"))
    owner.place(
        STAGING, owner.made("1.1.1", owner.root / ".fledge" / "made-new").model_copy(update={"contract": "0" * 64})
    )
    line = r"^staging/tiny: no models/tiny/contract\.yaml with sha256 000000000000… in the history of HEAD, expected the contract of 1\.1\.1"
    with pytest.raises(Problem, match=line):
        owner.pairs()


def test_an_artifact_that_is_not_in_the_remote_is_one_line(owner: Owner) -> None:
    """A champion whose bytes nobody has is never a first release: the line names its hash and the remote."""
    owner.offer("1.1.1", artifact(owner, "new"))
    [change] = owner.changes()
    assert change.champion
    md5 = change.champion.artifact.md5
    (owner.remote / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    with pytest.raises(
        Problem, match=rf"^fetch: no {re.escape(md5)} found, expected it pushed with `dvc push` \(.*/remote\)$"
    ):
        owner.pairs()


def test_a_minor_version_with_a_breaking_contract_is_refused(owner: Owner) -> None:
    """The version promises less than the contract breaks: a BLOCK that names the break and the version that would do."""
    contract(owner, **LESS)
    owner.repository.commit("Without load")
    owner.offer("1.2.0", artifact(owner, "new"))
    pair = only(owner)
    [check] = pair.checks
    assert check.verdict is Verdict.BLOCK
    assert check.line == (
        "release.version BLOCK: 1.2.0 is minor above the champion's 1.1.0, expected major or more (major: input load is gone)"
    )
    assert pair.champion


def test_a_major_version_is_compared_where_it_can_be(owner: Owner) -> None:
    """With fewer inputs and the same answers the champion answers by its own contract; its owner must review the new one."""
    contract(owner, **LESS)
    owner.repository.commit("Without load")
    owner.offer("2.0.0", artifact(owner, "new"))
    pair = only(owner)
    assert pair.checks[0].verdict is Verdict.PASS
    assert pair.champion
    assert pair.anchor
    assert pair.champion_contract
    assert "load" in read_yaml(pair.champion_contract)["inputs"]
    assert "2.0.0 is a major version (input load is gone): the contract's owner must review it." in pair.notes
    assert "Judged by the limits of origin/main:models/tiny/params.yaml." in pair.notes


def other_classes(owner: Owner) -> None:
    contract(owner, **OTHER)


def other_label(owner: Owner) -> None:
    contract(owner, **LESS)
    owner.params(label="delay")


def rows_without(owner: Owner) -> None:
    contract(owner, **LESS)
    rows(owner.root / "data" / "tiny" / "2013-07.parquet", "load")


def other_months(owner: Owner) -> None:
    contract(owner, **LESS)
    (owner.root / "data" / "tiny" / "2013-07.parquet").rename(owner.root / "data" / "tiny" / "2014-07.parquet")
    owner.params(rows=["2014-07"])


UNLIKE: dict[str, tuple[Callable[[Owner], None], str]] = {
    "classes": (other_classes, "the classes differ"),
    "label": (other_label, "gates.label differs"),
    "rows": (rows_without, "the rows have no load"),
}


def test_a_fault_is_no_reason_to_leave_the_champion_out(owner: Owner) -> None:
    """A month that the data lacks is refused by name under a breaking major version too."""
    other_months(owner)
    owner.repository.commit("Other months")
    owner.offer("2.0.0", artifact(owner, "new"))
    with pytest.raises(Problem, match=r"^staging/tiny: no tiny/2013-07\.parquet in data \w+\.dir, expected it"):
        owner.pairs()


def test_a_number_alone_leaves_no_champion_out(owner: Owner) -> None:
    """A major version with the champion's contract is compared by the target's limits, whatever label and rows it has."""
    rows(owner.root / "data" / "tiny" / "2013-07.parquet", "load")
    owner.params(label="delay", threshold=0.9)
    owner.repository.commit("Another question")
    owner.offer("2.0.0", artifact(owner, "new"))
    theirs, _ = owner.pairs()
    assert theirs.champion
    assert (theirs.known.threshold, theirs.known.file) == (0.5, "origin/main:models/tiny/params.yaml")
    assert "2.0.0 is a major version (by its number alone): the contract's owner must review it." in theirs.notes


@pytest.mark.parametrize("name", UNLIKE)
def test_a_major_version_of_other_answers_is_judged_by_its_own_limits(owner: Owner, name: str) -> None:
    """Where champion and candidate cannot be held against each other there is no champion, its own limits judge, and the notes say why."""
    change, why = UNLIKE[name]
    change(owner)
    owner.params(threshold=0.9)
    owner.repository.commit("Another question")
    owner.offer("2.0.0", artifact(owner, "new"))
    pair = only(owner)
    assert (pair.champion, pair.anchor, pair.champion_contract) == (None, None, None)
    assert (pair.known.threshold, pair.known.file) == (0.9, "models/tiny/params.yaml")
    assert pair.checks[0].verdict is Verdict.PASS
    assert any("the contract's owner must review it." in note for note in pair.notes)
    told = rf"^2\.0\.0 cannot be compared with the champion 1\.1\.0 \({why}\): judged by its own limits, without a champion\.$"
    assert any(re.search(told, note) for note in pair.notes), pair.notes
    limits = "Its own limits differ from origin/main's: gates.threshold from 0.5 to 0.9 (models/tiny/params.yaml)."
    assert limits in pair.notes


def test_only_a_major_version_escapes_the_targets_limits(owner: Owner) -> None:
    """Other classes under a minor version are refused, and the target's limits and the champion still judge."""
    contract(owner, **OTHER)
    owner.params(threshold=0.9)
    owner.repository.commit("Another question")
    owner.offer("1.2.0", artifact(owner, "new"))
    theirs, _ = owner.pairs()
    assert theirs.checks[0].blocks
    assert theirs.champion
    assert theirs.known.threshold == 0.5


LIMITS = {
    "missing": ("label", None, r"found None, expected a valid string .*: gates\.label"),
    "gone": ("gates", None, r"gates\.task"),
    "foreign": ("metrics", ["rmse"], r"found metric rmse, expected one of auc, .*: gates\.metrics"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_broken_limit_of_the_target_branch_is_one_that_is_named(owner: Owner, name: str) -> None:
    """A limit that is missing or misspelt there is refused by that branch, file and key; the branch's own cannot stand in."""
    key, value, line = LIMITS[name]
    whole = read_yaml(owner.root / FOLDER / "params.yaml")
    git.git(owner.root, "switch", "--quiet", "main")
    owner.write(
        "params.yaml", whole | {"gates": {}} if key == "gates" else whole | {"gates": whole["gates"] | {key: value}}
    )
    owner.repository.commit("Broken")
    owner.repository.push()
    owner.branch("next")
    (owner.root / FOLDER / "params.yaml").write_text(dump(whole))
    owner.repository.commit("Mended")
    owner.offer("1.1.1", artifact(owner, "new"))
    with pytest.raises(Problem, match=line) as problem:
        owner.pairs()
    assert all("origin/main:models/tiny/params.yaml" in one for one in problem.value.lines)


CONTRACTS = {
    "no outputs": ({"outputs": None}, r"^models/tiny/contract\.yaml: found None, .* \(models/tiny/contract\.yaml: outputs\)$"),
    "no inputs": ({"inputs": None}, r"^models/tiny/contract\.yaml: found None, .* \(models/tiny/contract\.yaml: inputs\)$"),
    "empty": (None, r"^models/tiny/contract\.yaml: found None, .* \(models/tiny/contract\.yaml: \(whole file\)\)$"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_that_is_none_is_one_line(owner: Owner, name: str) -> None:
    """A contract without what it must say is refused by file and key before anything is compared."""
    changes, line = CONTRACTS[name]
    owner.write("contract.yaml", "" if changes is None else copy.deepcopy(CONTRACT) | changes)
    owner.repository.commit("No contract")
    owner.offer("2.0.0", artifact(owner, "new"))
    with pytest.raises(Problem, match=line) as problem:
        owner.pairs()
    assert len(problem.value.lines) == 1


def test_gates_that_are_a_list_are_one_line(owner: Owner) -> None:
    """What is no mapping of limits is refused by file and key, also where a major version asks for its label."""
    contract(owner, **LESS)
    owner.repository.commit("Without load")
    owner.offer("2.0.0", artifact(owner, "new"))
    content = read_yaml(owner.root / FOLDER / "params.yaml")
    owner.write("params.yaml", content | {"gates": ["auc"]})
    with pytest.raises(
        Problem, match=r"found .*auc.*, expected a mapping of limits \(models/tiny/params\.yaml: gates\)$"
    ):
        owner.pairs()


def test_held_out_rows_that_the_champion_was_not_judged_on_are_told(owner: Owner) -> None:
    """A branch whose data hold out other rows under a month's old name is seen, and so is a month that is new."""
    rows(owner.root / "data" / "tiny" / "2013-08.parquet")
    [july] = (owner.root / "data" / "tiny").glob("2013-07.parquet")
    pq.write_table(pq.read_table(july).slice(1), july)
    owner.offer("1.2.0", artifact(owner, "new"))
    assert "Held-out rows that differ from those of 1.1.0: tiny/2013-07.parquet." in only(owner).notes
    owner.params(rows=["2013-07", "2013-08"])
    owner.repository.commit("Another month")
    owner.offer("1.3.0", artifact(owner, "newer"))
    _, own = owner.pairs()
    assert "Held-out rows that are not in those of 1.1.0: tiny/2013-08.parquet." in own.notes


def test_what_differs_beside_the_artifact_is_told(owner: Owner) -> None:
    """Other data than the champion's, a changed contract, and requests that are gone or changed are notes of their own."""
    inputs = {name: dict(one) for name, one in CONTRACT["inputs"].items()}
    inputs["temp"]["range"] = [-20, 130]
    contract(owner, inputs=inputs)
    lines = (owner.root / FOLDER / "requests.jsonl").read_text().splitlines()
    owner.write("requests.jsonl", "\n".join([lines[0].replace("0.6", "0.9"), *lines[2:], ""]))
    rows(owner.root / "data" / "tiny" / "2013-08.parquet")
    owner.repository.commit("Wider")
    wanted = owner.offer("1.2.0", artifact(owner, "new"))
    [change] = owner.changes()
    assert change.champion
    before, after = change.champion.data.md5, wanted.data.md5
    assert before != after
    assert only(owner).notes[1:5] == (
        f"Judged on the candidate's data {after}, the champion 1.1.0 was released with {before}.",
        "The contract changes inputs.temp.range, [-20, 120] -> [-20, 130]: minor, what was in range is in range (models/tiny/contract.yaml).",
        "Requests of origin/main that are gone: no load (models/tiny/requests.jsonl).",
        "Requests of origin/main that are changed: golden (models/tiny/requests.jsonl).",
    )
