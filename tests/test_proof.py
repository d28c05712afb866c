"""docs/proof.md is current and complete: nothing is shipped of which nobody says how far it is proved."""

import re
import shutil
from pathlib import Path

import pytest

from fledge import git
from scripts import proof
from tests.conftest import ROOT

MANIFEST = "manifests/base/rollout.yaml"
TABLE = f"""\
Manifests:
  {MANIFEST}: {{proof: run, test: "test_proof.py", open: ""}}
Verbs:
  make lint: {{proof: read, test: "", open: "somebody"}}
"""


def test_the_page_is_what_the_table_says() -> None:
    """docs/proof.md is, to the byte, what `make proof` writes; every thing has its row, every row its thing and its test."""
    found = proof.table(ROOT)
    assert list(proof.problems(ROOT, found)) == []
    assert (ROOT / proof.PAGE).read_text() == proof.page(found)


def test_what_proves_a_manifest_reads_it() -> None:
    """No test proves a manifest that it never renders, reads or takes from a repository that has it."""
    reads = re.compile(r"\brender\b|\bRepository\b|\bobjects\b|rendered/|manifests/|\bTold\b")
    rows = {name: row for group in proof.table(ROOT).groups.values() for name, row in group.items()}
    tests = {row.test.partition("::")[0] for name, row in rows.items() if name.startswith("manifests/")}
    assert [file for file in sorted(tests) if not reads.search((ROOT / "tests" / file).read_text())] == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository of one manifest, one verb, and a table that knows both."""
    for name, text in {
        MANIFEST: "kind: Rollout\n",
        "Makefile": "lint: setup ## rules\n",
        "tests/test_proof.py": "def test_it() -> None: ...\n",
        proof.TABLE: TABLE,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git.run(tmp_path, "init", "--quiet")
    return tmp_path


def said(house: Path, before: str = "", after: str = "") -> list[str]:
    """What is wrong, after a change of the table."""
    file = house / proof.TABLE
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after) if before else file.read_text())
    return list(proof.problems(house, proof.table(house)))


@pytest.mark.parametrize("name", ["manifests/base/new.yaml", ".github/workflows/new.yml", "Dockerfile"])
def test_a_new_file_needs_a_row(house: Path, name: str) -> None:
    """A manifest, a workflow and the image's file are named, whether git knows them yet or not."""
    assert said(house) == []
    (house / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(house / MANIFEST, house / name)
    assert said(house) == [f"proof: {name} has no row, expected one that says how far it is proved (docs/proof.yaml)"]


def test_a_new_verb_needs_a_row(house: Path) -> None:
    """A verb that `make` lists is a thing that is shipped."""
    with (house / "Makefile").open("a") as file:
        file.write("new-verb: setup ## does more\n")
    assert said(house) == [
        "proof: make new-verb has no row, expected one that says how far it is proved (docs/proof.yaml)"
    ]


def test_a_program_of_the_image_needs_a_row(house: Path) -> None:
    """What the Dockerfile starts is a thing that is shipped, beside the file itself."""
    (house / "Dockerfile").write_text('ENTRYPOINT ["python", "-m", "fledge.fetch"]\n')
    assert [line.partition(" has no row")[0] for line in said(house)] == [
        "proof: Dockerfile",
        "proof: python -m fledge.fetch",
    ]


def test_what_the_owner_delivers_needs_none(house: Path) -> None:
    """Releases and what they render to are the owner's; the platform's file is ours."""
    for name in ("releases/staging/delays/release.yaml", "rendered/staging/delays.yaml", "rendered/platform.yaml"):
        (house / "manifests" / name).parent.mkdir(parents=True, exist_ok=True)
        (house / "manifests" / name).write_text("kind: Any\n")
    assert [line.split()[1] for line in said(house)] == ["manifests/rendered/platform.yaml"]


def test_a_row_must_be_of_something_and_proved_by_something(house: Path) -> None:
    """A thing that is gone, a test that is gone, and a proof that is none are each named."""
    gone = MANIFEST.replace("rollout", "gone")
    assert f"proof: the row {gone} is of nothing that is shipped, expected it removed (docs/proof.yaml)" in said(
        house, MANIFEST, gone
    )
    said(house, gone, MANIFEST)
    [line] = said(house, "test_proof.py", "test_proof.py::test_other")
    assert line == f"proof: no test test_proof.py::test_other, expected what proves {MANIFEST} (docs/proof.yaml)"
    [line] = said(house, 'test: "test_proof.py::test_other"', 'test: ""')
    assert line == f"proof: {MANIFEST} is run without a test, expected otherwise (docs/proof.yaml)"
