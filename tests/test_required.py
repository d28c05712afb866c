"""The one required check: which results of the other jobs are a pass, what each fault says, and what people are shown."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fledge import evidence
from fledge.evidence import Evidence
from fledge.gates import required
from fledge.gates.required import Changed, Left
from fledge.problems import Problem
from scripts import gates_pass
from tests import findings

MD5 = findings.passing().candidate["md5"]
SAYS = "staging/tiny: candidate 1.1.1, champion 1.1.0"
CANDIDATE = {"who": "staging/tiny", "says": SAYS, "evidence": f"staging_tiny-{MD5}"}
ROLLBACK = {"who": "staging/tiny", "says": "staging/tiny: rollback 1.0.0, no gate", "evidence": None}
NAME = f"staging_tiny-{MD5}.json"
GOOD = {f"staging_tiny-{MD5}.json": findings.passing()}
BAD = {f"staging_tiny-{MD5}.json": findings.judged()}


def needs(changes: list[Any] | None = None, template: bool = False, **results: str) -> str:
    """GitHub's `needs` after a run in which all went well, with other results for the jobs that are named (`template_`)."""
    changed = [CANDIDATE] if changes is None else changes
    batches = [one["who"] for one in changed if one["evidence"]]
    outputs = {"batches": json.dumps(batches), "template": json.dumps(template)}
    idle = {"gates": "success" if batches else "skipped", "template": "success" if template else "skipped"}
    found = (
        {"affected": "success", "check": "success"}
        | idle
        | {name.rstrip("_"): result for name, result in results.items()}
    )
    return json.dumps(
        {name: {"result": result, "outputs": outputs if name == "affected" else {}} for name, result in found.items()}
    )


def faults(text: str, found: dict[str, Evidence], changed: list[Any]) -> list[str]:
    """What the check refuses."""
    return required.faults(required.jobs(text), [Changed.model_validate(one) for one in changed], found)


def without(text: str, job: str) -> str:
    """`needs` that lack a job."""
    return json.dumps({name: one for name, one in json.loads(text).items() if name != job})


@pytest.mark.parametrize(
    ("changed", "template", "found"),
    [([CANDIDATE], False, GOOD), ([ROLLBACK], False, {}), ([], False, {}), ([], True, {}), ([CANDIDATE], True, GOOD)],
    ids=["candidate", "rollback", "nothing", "template", "both"],
)
def test_what_must_run_ran(changed: list[Any], template: bool, found: dict[str, Evidence]) -> None:
    """A candidate that its gates passed, and a run that had nothing for the gates or the template's tests to do."""
    assert faults(needs(changed, template), found, changed) == []


SKIPPED = needs([], template=True, template_="skipped")
REFUSED: dict[str, tuple[str, dict[str, Evidence], str]] = {
    "check-failed": (needs(check="failure"), GOOD, "gates-pass: check is failure, expected success"),
    "check-skipped": (needs(check="skipped"), GOOD, "gates-pass: check is skipped, expected success"),
    "affected-failed": (
        needs(affected="failure", gates="skipped"),
        {},
        "gates-pass: affected is failure, expected success",
    ),
    "gates-failed": (needs(gates="failure"), GOOD, "gates-pass: gates is failure, expected success"),
    "gates-cancelled": (needs(gates="cancelled"), GOOD, "gates-pass: gates is cancelled, expected success"),
    "gates-skipped": (
        needs(gates="skipped"),
        GOOD,
        r'gates-pass: gates is skipped where affected says batches \["staging/tiny"\], expected it to run',
    ),
    "tests-skipped": (SKIPPED, {}, "gates-pass: template is skipped where affected says template true, expected it to"),
    "no-job": (without(needs(), "check"), GOOD, "gates-pass: no job check, expected it .*gates-pass.needs"),
    "another-job": (needs(magic="success"), GOOD, "gates-pass: found job magic, expected one of affected, check"),
    "no-evidence": (needs(), {}, "staging/tiny: found no evidence, expected that of its gates"),
    "evidence-of-another": (needs(), {"production-0.json": findings.passing()}, "staging/tiny: found no evidence"),
    "another-model": (
        needs(),
        {NAME: replace(findings.passing(), model="other")},
        f"staging/tiny: its evidence is of other {MD5}, expected that of staging_tiny-{MD5}",
    ),
    "another-artifact": (
        needs(),
        {NAME: replace(findings.passing(), candidate={"name": "new", "md5": "0.dir"})},
        "staging/tiny: its evidence is of tiny 0.dir, expected that of staging_tiny-",
    ),
    "blocks": (needs(), BAD, r"staging/tiny: \d of \d+ checks block, expected none"),
    "own-gates-block": (
        needs(),
        GOOD | {f"staging_tiny-{MD5}-own.json": findings.judged()},
        "checks block, expected none",
    ),
}


@pytest.mark.parametrize(("text", "found", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_missing_failed_or_skipped_is_refused(text: str, found: dict[str, Evidence], reason: str) -> None:
    """Every way not to have passed is one line, for its own reason."""
    [line] = faults(text, found, [] if text == SKIPPED else [CANDIDATE])
    assert (
        re.match(reason if reason.startswith(("gates", "staging")) else f".*{reason}", line.replace("[", "["))
        or reason in line
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"check": {"result": "fine"}}', '{"check": {"outputs": {}}}'])
def test_needs_that_are_none_are_one_line(text: str) -> None:
    """Without the jobs' results nothing passes."""
    with pytest.raises(
        Problem, match=r"^gates-pass: .*, expected GitHub's `needs` \(\.github/workflows/gates\.yml: NEEDS\)$"
    ):
        required.jobs(text)


def test_changes_that_nobody_left_are_one_line() -> None:
    """What is no list of changes is refused, not read as none."""
    with pytest.raises(Problem, match="expected those of `make affected`"):
        required.changes(json.dumps([{"whom": "staging/tiny"}]))


def left(*lines: str) -> Left:
    """What the required check leaves."""
    return Left(changes=[Changed.model_validate(CANDIDATE)], faults=list(lines))


def test_the_report_begins_with_what_blocks() -> None:
    """Verdict, deliveries, faults, then the tables, those that block first."""
    shown = required.report(left("gates-pass: check is failure"), [findings.passing(), findings.judged()], 60_000)
    order = [
        "## gates-pass: BLOCK",
        "- staging/tiny: candidate 1.1.1",
        "- gates-pass: check is failure",
        "### tiny: BLOCK",
        "### tiny: PASS",
    ]
    places = [shown.index(part) for part in order]
    assert places == sorted(places)
    assert required.report(left(), [], 60_000).startswith("## gates-pass: PASS\n")


@pytest.mark.parametrize("limit", [600, 2000, 5000, 60_000])
def test_the_report_keeps_its_limit_and_says_so(limit: int) -> None:
    """However much was found, it is not longer than asked, and what was left out is counted."""
    shown = required.report(left("x" * 400), [findings.judged() for _ in range(30)], limit)
    assert len(shown) <= limit
    assert "_Left out: " in shown or "_Shortened" in shown


def test_a_strangers_words_are_shown_letter_by_letter() -> None:
    """Neither what a change says nor a fault can open a tag, a link or a comment, or call anybody."""
    evil = "</details><!-- @everyone [x](https://example.org) `PASS`"
    change = Changed(who="staging/tiny", says=evil, evidence=None)
    shown = required.report(Left(changes=[change], faults=[evil]), [], 5000)
    assert not re.search(r"(?<!\\)[<\[`]|@everyone|https://", shown)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the evidence of a good candidate, and a step summary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    (tmp_path / ".fledge" / "left").mkdir(parents=True)
    (tmp_path / ".fledge" / "left" / f"staging_tiny-{MD5}.json").write_text(evidence.to_json(findings.passing()))
    (tmp_path / ".fledge" / "left" / "changes.json").write_text(json.dumps([CANDIDATE]))
    return tmp_path


def test_the_verb_passes_and_leaves_its_word(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, puts the tables into the step summary, and leaves for the comment what was changed."""
    monkeypatch.setenv("NEEDS", needs())
    assert gates_pass.main([]) == 0
    assert capsys.readouterr().out == "gates-pass: affected, check, gates, template are as they must be\n"
    assert (here / "summary").read_text().startswith("## gates-pass: PASS\n\n- staging/tiny: candidate 1.1.1")
    assert Left.model_validate_json((here / ".fledge/left/left.json").read_text()) == left()


def test_the_verb_refuses_every_fault_at_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damaged evidence, no changes, and a job that failed are told in one run, to people and to the comment."""
    (here / ".fledge" / "left" / "staging-bytes.json").write_bytes(b"\xff\xfe")
    (here / ".fledge" / "left" / "staging-damaged.json").write_text("{")
    (here / ".fledge" / "left" / "changes.json").unlink()
    monkeypatch.setenv("NEEDS", needs(check="failure"))
    assert gates_pass.main([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "gates-pass: no changes.json, expected it of affected"
    assert lines[1].startswith("evidence: damaged ('utf-8' codec can't decode byte 0xff")
    assert lines[1].endswith("expected what the gates wrote (.fledge/left/staging-bytes.json)")
    assert lines[2].startswith("evidence: damaged (")
    assert lines[3:] == ["gates-pass: check is failure, expected success (its log says why)"]
    assert Left.model_validate_json((here / ".fledge/left/left.json").read_text()).faults == lines
    assert (here / "summary").read_text().startswith("## gates-pass: BLOCK\n")
