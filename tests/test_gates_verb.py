"""The verb `make gates`: whom it judges and by whose limits, what it prints and keeps, and what it refuses in one line."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fledge import evidence, git
from fledge.evidence import Check, Evidence, Verdict, stored, views
from fledge.gates import process as running
from fledge.project import read_yaml
from fledge.release import dump
from scripts import gates
from tests.conftest import ROOT, Repository
from tests.tiny.gate import SMALL, write_gate
from tests.tiny.offered import FOLDER, PRODUCTION, Owner, an_owner
from tests.tiny.owner import CONTRACT, THREE, rows, write_model, write_rows
from tests.tiny.owner import limits as limits_of

Said = pytest.CaptureFixture[str]
LIMIT = {"bias": {"at_most": 0.02}}


@pytest.fixture(scope="session")
def table() -> pa.Table:
    """The tiny model's rows."""
    return rows()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, table: pa.Table) -> Path:
    """An owner's folder with models/tiny and its rows, without git."""
    root = tmp_path_factory.mktemp("house")
    write_rows(root, "tiny", table)
    write_model(root, "tiny", CONTRACT, limits_of(small=LIMIT))
    return root


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only gate is the small one."""
    monkeypatch.setattr(running, "GATES", write_gate(tmp_path / "gates"))


@pytest.fixture
def owner(repository: Repository, tmp_path: Path, zoo: Path, table: pa.Table) -> Owner:
    """1.0.0, the champion, serves in staging, and a branch begins."""
    pq.write_table(table, tmp_path / "rows")
    owner = an_owner(repository, tmp_path / "remote", tmp_path / "rows", small=LIMIT)
    owner.offer("1.0.0", zoo / "champion")
    owner.serve()
    owner.branch()
    return owner


def kept(owner: Owner) -> dict[str, Evidence]:
    """The evidence that the last run kept, by the end of its name."""
    files = sorted((owner.root / ".fledge" / "artifacts").glob("*.json"))
    return {file.stem.rpartition(".dir")[2]: evidence.from_json(file.read_text(), str(file)) for file in files}


def test_a_good_candidate_passes(owner: Owner, zoo: Path, capsys: Said) -> None:
    """The branch's candidate is judged against the champion by the target's limits: one table, its steps, its evidence."""
    owner.offer("1.0.1", zoo / "good")
    assert gates.main([]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("staging/tiny: candidate 1.0.1, champion 1.0.0\n")
    assert "\nsmall\n  bias PASS" in shown.out
    title, gate = shown.err.splitlines()
    assert title == "gates: tiny by origin/main:models/tiny/params.yaml, 2 checks"
    assert re.fullmatch(r"  small: 2 checks, \d+\.\d s \(2 of 2\)", gate)
    [(_, found)] = kept(owner).items()
    assert [check.line for check in found.checks] == [
        "release.version PASS: 1.0.1 is patch above the champion's 1.0.0 (the same contract)",
        found.checks[1].line,
        "small.champion PASS: it answers",
    ]
    assert list(found.notes)[:2] == [
        "staging/tiny: candidate 1.0.1, champion 1.0.0.",
        "Judged by the limits of origin/main:models/tiny/params.yaml.",
    ]


def test_a_pull_request_cannot_relax_its_own_limit(owner: Owner, zoo: Path, capsys: Said) -> None:
    """With the limit moved out of its way the candidate passes the branch's limits, and the target's still refuse it."""
    owner.params(small={"bias": {"at_most": 0.5}})
    owner.repository.commit("Relax")
    owner.offer("1.0.1", zoo / "biased")
    assert gates.main([]) == 1
    theirs, ours = kept(owner)[""], kept(owner)["-own"]
    [refused] = theirs.blocking
    assert re.fullmatch(
        r"small\.bias BLOCK: off by 0\.0\d+, expected at most 0\.02 \(origin/main:models/tiny/params\.yaml\)",
        refused.line,
    )
    assert ours.verdict is Verdict.PASS
    for found in (theirs, ours):
        assert "This branch changes gates.small.bias.at_most from 0.02 to 0.5 (models/tiny/params.yaml)." in found.notes
    assert "This branch changes gates.small.bias.at_most from 0.02 to 0.5" in capsys.readouterr().out


def test_a_pull_request_that_tightens_is_judged_by_both(owner: Owner, zoo: Path) -> None:
    """A candidate that the target's limits pass is refused by the stricter ones that it brings."""
    owner.params(small={"bias": {"at_most": 1e-6}})
    owner.repository.commit("Tighten")
    owner.offer("1.0.1", zoo / "good")
    assert gates.main([]) == 1
    assert kept(owner)[""].verdict is Verdict.PASS
    [refused] = kept(owner)["-own"].blocking
    assert refused.line.endswith("expected at most 1e-06 (models/tiny/params.yaml)")


def test_a_new_model_passes_by_its_own_limits(owner: Owner, zoo: Path) -> None:
    """A model that the target branch lacks has no champion there, and the notes say whose limits judged."""
    git.git(owner.root, "push", "--quiet", "--force", "origin", "main~3:main")
    git.git(owner.root, "fetch", "--quiet", "origin")
    assert git.show(owner.root, "origin/main", FOLDER / "params.yaml") is None
    assert gates.main([]) == 0
    notes = list(kept(owner)[""].notes)
    assert "origin/main has no models/tiny/params.yaml: a new model, judged by its own limits." in notes
    assert notes[0] == "staging/tiny: candidate 1.0.0, no champion."


def test_a_major_version_gets_through(owner: Owner, zoo: Path, table: pa.Table) -> None:
    """Three classes instead of two: no champion, its own limits, a note for the contract's owner, and a PASS."""
    owner.write("contract.yaml", CONTRACT | THREE["contract"])
    owner.params(**THREE["limits"], small={"bias": {"at_most": 2.0}})
    owner.repository.commit("Three classes")
    owner.offer("2.0.0", zoo / "three_good")
    assert gates.main([]) == 0
    [(_, found)] = kept(owner).items()
    assert found.champion is None
    assert any(
        "cannot be compared with the champion 1.0.0 (the outputs differ; the classes differ; " in note
        for note in found.notes
    )
    assert any("the contract's owner must review it." in note for note in found.notes)


def test_a_minor_version_with_a_breaking_contract_is_refused(owner: Owner, zoo: Path) -> None:
    """However good the model, a contract that breaks clients needs a major version: BLOCK, with the verb that counts it."""
    inputs = CONTRACT["inputs"] | {"temp": CONTRACT["inputs"]["temp"] | {"dtype": "float64"}}
    owner.write("contract.yaml", CONTRACT | {"inputs": inputs})
    owner.repository.commit("Another dtype")
    owner.offer("1.1.0", zoo / "good")
    assert gates.main([]) == 1
    refused = kept(owner)[""].blocking[0]
    assert refused.line.startswith("release.version BLOCK: 1.1.0 is minor above the champion's 1.0.0, expected major")
    assert refused.remedy.startswith("make release MODEL=tiny counts the version from the contract")


def test_a_changed_model_without_a_release_is_refused(owner: Owner, capsys: Said) -> None:
    """Nothing is proposed, and still the branch is refused: the line names what changed, and the verb."""
    owner.write("model.py", "# another network\n")
    owner.repository.commit("Another network")
    assert gates.main([]) == 1
    assert capsys.readouterr().err == (
        "tiny: models/tiny/model.py changed without a new release, expected one (make release MODEL=tiny)\n"
    )


def test_a_rollback_runs_no_gate(owner: Owner, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """`git revert` of a release takes back model and release; nothing is fetched, nothing judged, and nothing refused."""
    owner.write("model.py", "# another network\n")
    owner.repository.commit("Another network")
    owner.offer("1.0.1", zoo / "good")
    git.git(owner.root, "switch", "--quiet", "main")
    owner.repository.merge("work")
    owner.serve()
    owner.branch("back")
    git.git(owner.root, "revert", "--no-edit", "-m", "1", "HEAD")
    monkeypatch.setattr(running, "judge", lambda *_: pytest.fail("a gate ran"))
    assert gates.main([]) == 0
    assert capsys.readouterr().out.endswith("staging/tiny: rollback 1.0.0, no gate\n")


def test_all_problems_come_in_one_run(owner: Owner, zoo: Path, capsys: Said) -> None:
    """What cannot be fetched and what is not released are told together, after every other candidate was judged."""
    owner.offer("1.0.1", zoo / "good")
    lost = owner.made("1.0.2", zoo / "biased")
    owner.place(PRODUCTION, lost)
    owner.write("model.py", "# another network\n")
    owner.repository.commit("Afterwards")
    (owner.remote / "files" / "md5" / lost.artifact.md5[:2] / lost.artifact.md5[2:]).unlink()
    assert gates.main([]) == 1
    shown = capsys.readouterr()
    assert "tiny: PASS" in shown.out
    changed, missing = [line for line in shown.err.splitlines() if not line.startswith(("gates: ", "  small"))]
    assert changed.startswith("tiny: models/tiny/model.py differ from release 1.0.1")
    assert missing.startswith(f"fetch: no {lost.artifact.md5} found, expected it pushed with `dvc push`")


def test_model_and_environment_choose(owner: Owner, zoo: Path, capsys: Said) -> None:
    """--model and --env leave the others unjudged; a name that project.yaml does not list is refused by its key."""
    owner.offer("1.0.1", zoo / "biased")
    assert gates.main(["--env", "production"]) == 0
    assert capsys.readouterr().out == "gates: no delivery of tiny differs from origin/main, nothing to judge\n"
    for argv, line in [
        (["--model", "nope"], "nope: no such model, expected one of tiny (project.yaml: models)\n"),
        (
            ["--env", "nope"],
            "nope: no such environment, expected one of staging, production (project.yaml: environments)\n",
        ),
    ]:
        assert gates.main(argv) == 1
        assert capsys.readouterr().err == line


def test_an_unknown_target_branch_is_one_line(owner: Owner, capsys: Said) -> None:
    """Without the branch of project.yaml nobody knows the champion: one line, not a pass."""
    project = owner.root / "project.yaml"
    project.write_text(project.read_text().replace("branch: main", "branch: trunk"))
    assert gates.main([]) == 1
    line = "git: no branch trunk found, expected the branch that Argo CD follows (project.yaml: branch)\n"
    assert capsys.readouterr().err == line


def code_on_main(owner: Owner, gate: str) -> None:
    """The template's own code on main and on the branch, with `gate` for its only gate."""
    names = git.git(ROOT, "ls-files", "-co", "--exclude-standard", "fledge", "scripts").splitlines()
    for name in [*names, "requirements.lock", "pyproject.toml"]:
        (owner.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, owner.root / name)
    write_gate(owner.root / "tests" / "gates", gate)
    git.git(owner.root, "switch", "--quiet", "main")
    owner.repository.commit("The template's code")
    owner.repository.push()
    git.git(owner.root, "switch", "--quiet", "work")
    git.git(owner.root, "merge", "--quiet", "--ff-only", "main")


def test_a_pull_request_cannot_replace_what_judges_it(owner: Owner, zoo: Path, capfd: Said) -> None:
    """Where the branch changes a gate, the target's gate runs as the target has it, beside the branch's, and refuses."""
    code_on_main(owner, SMALL)
    write_gate(owner.root / "tests" / "gates", SMALL.replace("found <= limit", "True"))
    owner.repository.commit("A milder gate")
    write_gate(running.GATES, SMALL.replace("found <= limit", "True"))
    owner.offer("1.0.1", zoo / "biased")
    assert gates.main([]) == 1
    theirs, ours = kept(owner)[""], kept(owner)["-own"]
    assert [f"{check.gate}.{check.name}" for check in theirs.blocking] == ["small.bias"]
    assert ours.verdict is Verdict.PASS
    assert "This branch changes what judges: tests/gates/test_small.py." in theirs.notes
    assert theirs.model == "tiny"
    assert theirs.champion
    steps = [line for line in capfd.readouterr().err.splitlines() if line.startswith("gates: ")]
    assert steps == [
        "gates: tiny by origin/main:models/tiny/params.yaml, 2 checks",
        "gates: tiny by models/tiny/params.yaml, 2 checks",
    ]


def test_target_gates_that_leave_no_evidence_are_refused(owner: Owner, zoo: Path, capfd: Said) -> None:
    """When the target's verb does not judge, nobody else does instead: one line says what to merge first."""
    code_on_main(owner, SMALL)
    git.git(owner.root, "switch", "--quiet", "main")
    (owner.root / "scripts" / "gates.py").write_text("raise SystemExit('gates: of another age')\n")
    owner.repository.commit("An older verb")
    owner.repository.push()
    git.git(owner.root, "switch", "--quiet", "work")
    owner.offer("1.0.1", zoo / "good")
    assert gates.main([]) == 1
    assert capfd.readouterr().err.splitlines() == [
        "gates: of another age",
        "gates: those of origin/main ended with 1 and left no evidence (see above), expected it (merge what changes fledge/ or tests/gates/ without a release first)",
    ]


def other_packages(owner: Owner, setup: str) -> None:
    """A branch with another lock than main's, whose own setup is `setup`."""
    code_on_main(owner, SMALL)
    (owner.root / "requirements.lock").write_text("numpy==0.1\n")
    owner.repository.commit("Another lock")
    git.git(owner.root, "switch", "--quiet", "main")
    (owner.root / "scripts" / "setup.py").write_text(setup)
    owner.repository.commit("Another setup")
    owner.repository.push()
    git.git(owner.root, "switch", "--quiet", "work")


SETUP = """
import pathlib, sys
python = pathlib.Path(".venv/bin/python")
python.parent.mkdir(parents=True)
python.write_text(f'#!/bin/sh\\necho own packages >&2\\nexec {sys.executable} "$@"\\n')
python.chmod(0o755)
"""


def test_the_targets_packages_are_those_of_its_lock(owner: Owner, zoo: Path, capfd: Said) -> None:
    """With another lock on the branch the target's gates run in the environment that their own setup brings."""
    other_packages(owner, SETUP)
    owner.offer("1.0.1", zoo / "good")
    assert gates.main([]) == 0
    assert capfd.readouterr().err.splitlines()[0] == "own packages"
    assert "This branch changes what judges: requirements.lock." in kept(owner)[""].notes
    assert set(kept(owner)) == {"", "-own"}


def test_a_setup_that_fails_is_one_line(owner: Owner, zoo: Path, capfd: Said) -> None:
    """Without the packages of its lock the target does not judge: a line that names the lock, never a pass."""
    other_packages(owner, "raise SystemExit('setup: no packages today')\n")
    owner.offer("1.0.1", zoo / "good")
    assert gates.main([]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "setup: no packages today"
    assert said[-1] == (
        "gates: the setup of origin/main exited 1, expected the packages that its gates were locked with (origin/main:requirements.lock)"
    )


def test_evidence_is_stored_beside_the_artifact(owner: Owner, zoo: Path, capsys: Said) -> None:
    """With --store the remote holds what is kept here, by candidate, champion and environment, and the page beside it."""
    owner.params(small={"bias": {"at_most": 0.5}})
    owner.repository.commit("Relax")
    wanted = owner.offer("1.0.1", zoo / "good")
    assert gates.main(["--store"]) == 0
    [change] = owner.changes()
    assert change.champion
    said = capsys.readouterr().err
    for own in ("", "-own"):
        found = stored.recall(str(owner.remote), wanted.artifact.md5, change.champion.artifact.md5, f"staging{own}")
        assert evidence.to_json(found) == evidence.to_json(kept(owner)[own])
        where = stored.address(str(owner.remote), wanted.artifact.md5, change.champion.artifact.md5, f"staging{own}")
        assert f"gates: evidence stored at {where}\n" in said
        assert Path(where).with_suffix(".html").read_text().startswith("<!")


def test_a_remote_that_takes_no_evidence_is_one_line(owner: Owner, zoo: Path, capsys: Said) -> None:
    """The candidate was judged, and the verb still ends with 1: what was asked for is not stored."""
    owner.offer("1.0.1", zoo / "good")
    (owner.remote / "evidence").write_text("a file where a folder should be")
    assert gates.main(["--store"]) == 1
    shown = capsys.readouterr()
    assert "tiny: PASS" in shown.out
    assert shown.err.splitlines()[-1].startswith("evidence: ")
    assert kept(owner)[""].verdict is Verdict.PASS


def test_two_folders_are_judged_and_kept(zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """Any two artifacts, and an anchor, by the model's own limits; hashes, versions and timings are in the file."""
    monkeypatch.chdir(house)
    names = ["--model", "tiny", "--candidate", str(zoo / "good"), "--champion", str(zoo / "champion")]
    assert gates.main([*names, "--anchor", str(zoo / "champion"), "--evidence", "kept.json"]) == 0
    found = evidence.from_json(Path("kept.json").read_text(), "kept.json")
    assert capsys.readouterr().out.startswith("tiny: PASS")
    assert found.champion
    assert [check.name for check in found.checks] == ["bias", "champion", "anchor"]
    assert found.candidate["md5"].endswith(".dir")
    assert found.candidate["sha256"] != found.champion["sha256"]
    assert found.rows["files"] == ["2013-07.parquet"]
    assert "small" in found.timings
    assert Path("kept.md").read_text() == views.markdown(found)
    assert "good" in Path("kept.html").read_text()


def test_a_first_release_leaves_comparisons_out_and_says_so(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a champion what compares is not made; a gate that is nothing else is named in the notes, not missed."""
    monkeypatch.chdir(house)
    compares = SMALL.partition("def test_bias")[0] + "def test_champion" + SMALL.partition("def test_champion")[2]
    (running.GATES / "test_against.py").write_text(compares.replace('"small"', '"against"'))
    names = ["--model", "tiny", "--candidate", str(zoo / "good"), "--champion", "none"]
    assert gates.main([*names, "--evidence", str(tmp_path / "kept.json")]) == 0
    found = evidence.from_json((tmp_path / "kept.json").read_text(), "kept.json")
    assert [f"{check.gate}.{check.name}" for check in found.checks] == ["small.bias"]
    (note,) = found.notes
    assert note.startswith("Not made, being another task's or a comparison with nothing: against.")
    assert "small.champion" in note


def test_the_verb_says_what_to_do_about_a_block(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    """A candidate that blocks is exit code 1, with its reason and remedy under the table; what lies between is in the clone."""
    monkeypatch.chdir(house)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert gates.main(["--model", "tiny", "--candidate", str(zoo / "biased"), "--champion", "none"]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"small\.bias BLOCK: off by .*, expected at most 0\.02 \(models/tiny/params\.yaml\)", shown)
    assert "remedy: train again" in shown
    assert "Traceback" not in shown


def test_a_gate_without_a_check_blocks_the_whole() -> None:
    """Evidence in which a gate is absent, or all passes though pytest failed, is not a PASS."""
    whole = Evidence("tiny", {"name": "new", "md5": "0.dir"}, None, {}, [Check("small", "any", Verdict.PASS, "")])
    assert running.completed(whole, 0).verdict is Verdict.PASS
    assert running.completed(whole, 1).blocking[0].reason == "pytest ended with 1, expected 0"
    lacking = running.completed(replace(whole, checks=[]), 0)
    assert [check.line for check in lacking.blocking] == ["small.run BLOCK: made no check, expected at least one"]


def test_bad_input_is_one_line_and_exit_code_1(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    """What no gate can judge is refused before any gate runs, by a line that says what was expected and where."""
    monkeypatch.chdir(house)
    content = read_yaml(house / "models/tiny/params.yaml")
    Path("trained.yaml").write_text(dump(content | {"train": {"months": ["2013-01"]}}))
    model = ["--model", "tiny"]
    good, champion = ["--candidate", str(zoo / "good")], ["--champion", str(zoo / "champion")]
    for argv, line in [
        (["--model", "huge", *good, *champion], "huge: no such model, expected one of .*tiny.* \\(--model\\)"),
        ([*model, *good], "no champion named, expected --champion DIR, or --champion none for a first release"),
        ([*model, "--candidate", "nowhere", *champion], "candidate: no saved_model.pb in nowhere"),
        ([*model, *good, "--champion", "nowhere"], "champion: no saved_model.pb in nowhere"),
        ([*model, *good, *champion, "--anchor", "nowhere"], "anchor: no saved_model.pb in nowhere"),
        ([*model, *good, *champion, "--champion-contract", "no.yaml"], "no.yaml: no such file, expected one"),
        ([*model, *good, *champion, "--rows", "a.parquet"], "rows: a.parquet is not there.*params.yaml: gates.rows"),
        ([*model, *good, *champion, "--training", "a.parquet"], "training: a.parquet is not there.*: train.months"),
        ([*model, *good, *champion, "--limits", "trained.yaml"], "training: data/tiny/2013-01.parquet is not there"),
        ([*model, *good, *champion, "--limits", "no.yaml"], "no.yaml: no such file, expected one"),
        ([*model, *good, *champion, "--evidence", "a.md"], "found a.md, expected a name that ends with .json"),
        ([*model, *good, *champion, "--env", "staging"], "found --env with --candidate, expected one of them"),
        ([*model, *champion], "found --champion without --candidate, expected both or neither"),
        ([*model, "--rows", "a.parquet"], "found --rows without --candidate, expected both or neither"),
        ([*model, "--evidence", "a.json"], "found --evidence without --candidate, expected both or neither"),
    ]:
        assert gates.main(argv) == 1
        said = capsys.readouterr().err
        assert re.search(line, said), said
        assert said.count("\n") == 1


def test_damaged_evidence_is_one_line(zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """Evidence that a run leaves half-written is no evidence: one line, and nothing is kept."""
    monkeypatch.chdir(house)
    ends = "import os, pathlib\ndef pytest_unconfigure(config):\n    pathlib.Path(config.getoption('--evidence')).write_text('{')\n"
    conftest = running.GATES / "conftest.py"
    conftest.write_text(conftest.read_text() + "\n\n" + ends)
    names = ["--model", "tiny", "--candidate", str(zoo / "good"), "--champion", "none", "--evidence", "damaged.json"]
    assert gates.main(names) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("evidence: ")]
    assert re.match(r"evidence: damaged \(.*\), expected what the gates wrote \(.*evidence\.json\)$", line)
    assert not Path("damaged.json").exists()


def test_a_run_that_never_begins_is_one_line(
    zoo: Path, house: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    """When pytest itself cannot start there is no evidence, and its own word is passed on."""
    monkeypatch.chdir(house)
    (running.GATES / "conftest.py").write_text("raise SystemExit('no gates today')\n")
    assert gates.main(["--model", "tiny", "--candidate", str(zoo / "good"), "--champion", "none"]) == 1
    line = r"gates: pytest ended with \d and said '.*', expected evidence \(tests/gates\)\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_gates_pass_tells_all_problems() -> None:
    """The one verb of the required check goes on to the gates where the check found something."""
    done = subprocess.run(["make", "--dry-run", "gates-pass"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--keep-going check gates" in done.stdout
