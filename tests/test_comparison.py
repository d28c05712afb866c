"""With what a candidate is compared: versions against contracts, and what cannot be compared at all."""

import copy
import re
from typing import Any

import pytest

from fledge.evidence import Verdict
from fledge.gates import comparison
from tests.conftest import a_release
from tests.tiny.owner import CONTRACT


def contract(**changes: Any) -> dict[str, Any]:
    """The tiny model's contract with some keys changed."""
    return copy.deepcopy(CONTRACT) | changes


LESS = contract(inputs={name: one for name, one in CONTRACT["inputs"].items() if name != "load"})
WIDER = contract(inputs=CONTRACT["inputs"] | {"temp": CONTRACT["inputs"]["temp"] | {"range": [-40, 140]}})
RENAMED = contract(outputs={"chance": CONTRACT["outputs"]["probability"]})

# before, after, version, verdict, and what the line says
VERSIONS = {
    "same-patch": (contract(), "1.0.1", "PASS", r"1\.0\.1 is patch above the champion's 1\.0\.0 \(the same contract\)"),
    "same-minor": (contract(), "1.1.0", "PASS", r"1\.1\.0 is minor above .* \(the same contract\)"),
    "wider-patch": (WIDER, "1.0.1", "BLOCK", r"expected minor or more \(minor: input temp: range is wider or stated\)"),
    "wider-minor": (WIDER, "1.1.0", "PASS", r"minor: input temp: range is wider or stated"),
    "breaking-minor": (LESS, "1.1.0", "BLOCK", r"1\.1\.0 is minor above the champion's 1\.0\.0, expected major or more \(major: input load is gone\)"),
    "breaking-major": (LESS, "2.0.0", "PASS", r"2\.0\.0 is major above the champion's 1\.0\.0 \(major: input load is gone\)"),
    "re-used": (contract(), "1.0.0", "BLOCK", r"1\.0\.0 is not above the champion's 1\.0\.0, expected above it"),
    "downgraded": (contract(), "0.9.9", "BLOCK", r"0\.9\.9 is not above the champion's 1\.0\.0"),
}  # fmt: skip


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_says_how_far_its_contract_changed(name: str) -> None:
    """A version is above the champion's by no less than the contracts' difference; the line names both, and what to do."""
    after, version, verdict, reason = VERSIONS[name]
    found = comparison.version_check("tiny", a_release(version), a_release("1.0.0"), contract(), after)
    assert (found.gate, found.name, found.verdict) == ("release", "version", Verdict(verdict))
    assert re.search(reason, found.reason), found.reason
    assert ("make release MODEL=tiny" in found.remedy) == found.blocks


@pytest.mark.parametrize(
    ("after", "reasons"),
    [
        (contract(), []),
        (LESS, []),
        (WIDER, []),
        (RENAMED, ["the outputs differ"]),
        (contract(outputs={"probability": {"dtype": "float32", "shape": [3]}}), ["the outputs differ"]),
        (contract(classes=["late", "on_time"]), ["the classes differ"]),
    ],
)
def test_answers_are_compared_where_they_mean_the_same(after: dict[str, Any], reasons: list[str]) -> None:
    """Other inputs are no obstacle, because each is asked by its own contract; other outputs or classes are."""
    assert comparison.incomparable(contract(), after) == reasons


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [("1.2.3", "1.2.4", "patch"), ("1.2.3", "1.3.0", "minor"), ("1.2.3", "2.0.0", "major"), ("1.2.3", "1.1.9", None)],
)
def test_a_step_is_the_first_part_that_rose(before: str, after: str, level: str | None) -> None:
    """What was counted up names the step; a version that is not above has none."""
    assert comparison.step(before, after) == level
