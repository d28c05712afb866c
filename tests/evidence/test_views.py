"""The views for a terminal and for a pull request show every check, what blocks first, and hurt nobody."""

import re
from dataclasses import replace

import pytest

from fledge.evidence import Check, Evidence, Verdict, views, wording
from tests import findings

GOOD = Check("regression", "auc", Verdict.PASS, "fine", "", 0.002, (-0.001, 0.005), -0.01, 21_700, 0.0051, "AUC")
BAD = Check("structural", "ops", Verdict.BLOCK, "the graph holds the op PyFunc", "write it in TensorFlow")
UNSURE = Check("latency", "ratio", Verdict.INCONCLUSIVE, "too noisy", "a quieter machine", 1.07, (1.0, 1.2), 1.05, 8000)
WARNED = replace(UNSURE, inconclusive="warn")
FACT = Check("structural", "files", Verdict.PASS, "as expected")

SHOWN = [views.table, views.markdown]


@pytest.mark.parametrize("view", SHOWN)
@pytest.mark.parametrize("evidence", [findings.judged(), findings.passing()], ids=["blocked", "passing"])
def test_every_check_is_shown(view: object, evidence: Evidence) -> None:
    """No check is left out, whether it blocks, warns, passes with numbers or passes without."""
    assert callable(view)
    shown = view(evidence).replace("\\", "")
    assert [check.name for check in evidence.checks if check.name not in shown] == []


@pytest.mark.parametrize("view", SHOWN)
def test_a_check_has_all_its_numbers_in_one_row(view: object) -> None:
    """Check, verdict, estimate, interval, margin, n and smallest detectable effect stand side by side."""
    assert callable(view)
    row = next(line for line in view(findings.judged(GOOD, BAD)).splitlines() if re.search(r"\bauc\b", line))
    for part in ("PASS", "0.002", "-0.001…0.005", "-0.01", "21,700", "0.0051"):
        assert part in row


@pytest.mark.parametrize("view", SHOWN)
def test_what_does_not_pass_has_its_reason_and_remedy(view: object) -> None:
    """Each BLOCK and each INCONCLUSIVE says why, and what a person can do."""
    assert callable(view)
    shown = view(findings.judged(GOOD, BAD, UNSURE))
    for part in ("the graph holds the op PyFunc", "write it in TensorFlow", "too noisy", "a quieter machine"):
        assert part in shown


@pytest.mark.parametrize("view", SHOWN)
def test_the_first_lines_say_what_was_found(view: object) -> None:
    """Model, verdict, candidate, champion, how many checks block, and what a reader must know come first."""
    assert callable(view)
    first = [line.strip("# ") for line in view(findings.judged(GOOD, BAD, WARNED)).splitlines() if line][:3]
    assert first[0] == "tiny: BLOCK. Candidate 1.3.0, champion 1.2.0"
    assert first[1] == "1 of 3 checks blocks, 1 warns, 1 pass."
    assert first[2] == "The limits of main judge: models/tiny/params.yaml at 1f2e3d4."


@pytest.mark.parametrize("view", SHOWN)
def test_evidence_without_a_number_has_no_empty_table(view: object) -> None:
    """Where every check passes without a number, its name is all that is shown."""
    assert callable(view)
    shown = view(findings.judged(FACT))
    assert "PASS structural: files" in shown
    assert "interval" not in shown


def test_artifacts_of_one_name_are_told_apart_by_hash() -> None:
    """Two folders called alike, or called by their whole hash, are named by the first digits of it."""
    evidence = findings.judged(GOOD)
    alike = replace(evidence, candidate=dict(evidence.candidate) | {"name": "1.2.0"})
    hashed = replace(evidence, candidate=dict(evidence.candidate) | {"name": evidence.candidate["md5"]})
    assert wording.called(evidence) == ("1.3.0", "1.2.0")
    assert wording.called(alike) == ("1" * 12, "2" * 12)
    assert wording.called(hashed) == ("1" * 12, "1.2.0")
    assert wording.called(replace(alike, champion=None)) == ("1.2.0", None)


def test_passes_without_a_fault_are_short() -> None:
    """No fault where none is allowed is told by name and number of cases; a fault, a limit or an interval has a row."""
    none = replace(FACT, estimate=0.0, margin=0.0, n=1320)
    assert "PASS structural: files (1,320)" in views.table(findings.judged(none))
    assert not any(wording.bare(replace(none, **{key: 1.0})) for key in ("estimate", "margin"))
    assert not wording.bare(replace(none, interval=(0.0, 0.1)))
    assert not wording.bare(replace(none, verdict=Verdict.BLOCK))


def test_a_first_release_says_that_it_is_one() -> None:
    """Without a champion the headline says what judged."""
    first = replace(findings.judged(GOOD), champion=None)
    assert wording.headline(first).endswith("champion none (judged by absolute limits only)")


def test_what_blocks_comes_first_then_what_warns() -> None:
    """The order is by verdict, then by gate as the gates came."""
    other = replace(BAD, gate="regression", name="floor")
    assert wording.ordered([GOOD, WARNED, FACT, BAD, other]) == [other, BAD, WARNED, GOOD, FACT]
    assert wording.ordered([GOOD, UNSURE, WARNED]) == [UNSURE, WARNED, GOOD]


@pytest.mark.parametrize("view", SHOWN)
def test_a_warning_is_told_from_a_block(view: object) -> None:
    """An inconclusive check that does not block is marked as a warning."""
    assert callable(view)
    assert "INCONCLUSIVE (warning)" in view(findings.judged(GOOD, WARNED))
    assert "(warning)" not in view(findings.judged(GOOD, UNSURE))


@pytest.mark.parametrize("view", SHOWN)
def test_what_is_reported_and_not_judged_is_told(view: object) -> None:
    """Precision, recall and F1 are shown though no gate judges by them."""
    assert callable(view)
    assert "precision 0.61, recall 0.32, f1 0.42" in view(findings.judged())


@pytest.mark.parametrize("width", [80, 119, 120, 160])
def test_the_table_fits_its_terminal(width: int) -> None:
    """No line is wider than the terminal; from 120 columns on the unit is shown too."""
    shown = views.table(findings.judged(), width)
    assert max(map(len, shown.splitlines())) <= width
    assert ("largest difference" in shown) is (width >= 120)


def test_evidence_without_checks_is_shown() -> None:
    """Nothing was checked: BLOCK, in both views, without a table."""
    empty = replace(findings.judged(), checks=[])
    for view in (views.table, views.markdown):
        assert "tiny: BLOCK." in view(empty)
        assert "0 of 0 checks block, 0 pass." in view(empty)


@pytest.mark.parametrize(
    "stranger",
    [
        "<img src=x onerror=alert(1)>",
        "</details><h1>PASS</h1>",
        "![x](https://example.org/x.png)",
        "[click](javascript:alert(1))",
        "@everyone look at #1",
        "https://example.org www.example.org",
        "| a | b |\n|---|---|",
        "`code` **PASS**",
    ],
)
def test_a_strangers_text_is_no_markup(stranger: str) -> None:
    """A reason that quotes a stranger's model opens no tag, image, link or table and calls nobody."""
    shown = views.markdown(findings.judged(replace(BAD, reason=stranger, remedy=stranger), GOOD))
    theirs = "\n".join(line for line in shown.splitlines() if "Remedy" in line or "BLOCK**" in line)
    assert not re.search(r"(?<!\\)[<`\[|]|(?<!\\)!\[|@\w|#\d|://|www\.", theirs)
    assert shown.count("</details>") == 2
    assert views.escaped(stranger).replace("\\", "").replace("\u200b", "") == wording.plain(stranger)


def test_a_terminal_obeys_no_strangers_text() -> None:
    """Escape sequences and line breaks in a reason stay text."""
    shown = views.table(findings.judged(replace(BAD, reason="\x1b[2J\x1b]0;owned\x07 PASS\r\n\u202eSSAP")))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
    assert "structural.ops BLOCK:  [2J ]0;owned  PASS" in shown or "structural.ops BLOCK: [2J ]0;owned PASS" in shown


def test_a_comment_stays_below_githubs_limit() -> None:
    """Whatever the gates say, the Markdown is short enough; it then says that the evidence holds the rest."""
    many = [replace(BAD, name=f"check_{number}", reason="|" * 5000, remedy="*" * 5000) for number in range(300)]
    shown = views.markdown(findings.judged(*many))
    assert len(shown) <= views.COMMENT < 65_536
    assert shown.rstrip().endswith(views.SHORTENED)
    assert shown.splitlines()[0] == "### tiny: BLOCK. Candidate 1.3.0, champion 1.2.0"
    assert "check\\_0 BLOCK**" in shown


def test_a_comment_of_all_gates_is_short_and_whole() -> None:
    """All gates on one candidate are a fifth of what a comment may hold, so several candidates share one."""
    for evidence in (findings.judged(), findings.passing()):
        shown = views.markdown(evidence)
        assert len(shown) < 12_000
        assert views.SHORTENED not in shown


def test_a_long_reason_is_cut_where_people_read() -> None:
    """A reason that names every segment there is ends with an ellipsis in terminal and comment; the file has it whole."""
    long = replace(BAD, reason="x" * 5000)
    for view in SHOWN:
        assert f"{'x' * wording.LONGEST} …" in view(findings.judged(long)).replace("\n  ", " ")


def test_passes_are_folded_only_where_something_blocks() -> None:
    """Who has a block to mend sees that alone; who has none sees every number at once."""
    assert "<details><summary>45 checks pass" in views.markdown(findings.judged())
    assert "<details open><summary>48 checks pass" in views.markdown(findings.passing())


def test_what_was_judged_is_named_by_hash_machine_and_version() -> None:
    """Hashes of artifacts and rows, hardware, versions and timings are in the comment."""
    shown = views.markdown(findings.judged()).replace("\\", "")
    for part in ("1" * 32, "2" * 32, "3" * 32, "c" * 64, "d" * 64, "cores 2", "tensorflow 2.20.0", "latency 21.8 s"):
        assert part in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0"),
        (-0.0123456, "-0.0123"),
        (0.0000123, "1.2e-05"),
        (0.000851, "0.00085"),
        (21_700.4, "21,700"),
        (999.4, "999"),
    ],
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    """Short enough for a narrow table; what a check does not have is a dash."""
    assert wording.number(value) == shown
