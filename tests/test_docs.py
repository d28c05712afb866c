"""The pages say what the house does."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_page_of_the_gates_lists_every_check_by_its_own_sentence() -> None:
    """docs/gates.md has a line for each check of tests/gates, in the words of the check's docstring, and no other."""
    made = []
    for file in sorted((ROOT / "tests/gates").glob("test_*.py")):
        tests = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
        for test in tests:
            if test.name.startswith("test_"):
                sentence = (ast.get_docstring(test) or "").splitlines()[0]
                made.append((file.stem.removeprefix("test_"), test.name.removeprefix("test_"), sentence))
    page = (ROOT / "docs/gates.md").read_text()
    told = re.findall(r"^\| (\w+) \| (\w+) \| (.+) \|$", page, re.MULTILINE)[1:]  # without the heading
    assert told == made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
