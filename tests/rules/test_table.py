"""The table of rules, its page, and that every row is held by edits."""

from collections import Counter

from fledge.rules import RULES
from fledge.rules.__main__ import READS, page
from tests.conftest import ROOT
from tests.rules.edits import BLUE_GREEN, MODEL, PLATFORM
from tests.rules.test_past import EDITS


def test_every_rule_is_held_by_two_edits() -> None:
    """No row of the table is without two edits that it refuses, and no edit without its row."""
    made = Counter(edit.rule for edit in [*MODEL, *PLATFORM, *BLUE_GREEN]) + Counter(rule for rule, _ in EDITS)
    assert {rule.name: made[rule.name] for rule in RULES if made[rule.name] < 2} == {}
    assert made.keys() == {rule.name for rule in RULES}
    assert len([*MODEL, *PLATFORM, *BLUE_GREEN]) >= 60


def test_rules_are_told_apart() -> None:
    """Every rule has a name of its own, one sentence that says what it holds, an example and a reason."""
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not (rule.holds.endswith(".") and rule.example and rule.why)] == []
    assert {rule.scope for rule in RULES} == READS.keys()


def test_the_page_is_the_table() -> None:
    """docs/rules.md is what `python -m fledge.rules` writes."""
    assert (ROOT / "docs/rules.md").read_text() == page()
