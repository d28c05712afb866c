"""Release files, versions and the level that a contract's change asks for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge import release, versioning
from fledge.problems import Problem
from fledge.release import Files
from tests.conftest import a_release

PART = st.integers(0, 999)


@given(PART, PART, PART, PART, PART, PART)
def test_numbers_order_as_versions_do(a: int, b: int, c: int, d: int, e: int, f: int) -> None:
    """TensorFlow Serving's integer sorts releases as their semantic versions do."""
    left, right = release.number(f"{a}.{b}.{c}"), release.number(f"{d}.{e}.{f}")
    assert (left < right) == ((a, b, c) < (d, e, f))


@pytest.mark.parametrize("version", ["1.0.1000", "1000.0.0"])
def test_a_part_above_999_is_refused(version: str) -> None:
    """A part that would run into the next one is refused."""
    with pytest.raises(Problem, match=f"found version {version}, expected no part above 999"):
        release.number(version)


def test_a_release_file_comes_back_as_written(tmp_path: Path) -> None:
    """Reading release.yaml gives what was written."""
    files = Files("staging", "delays")
    (tmp_path / files.release).parent.mkdir(parents=True)
    (tmp_path / files.release).write_text(release.to_text("delays", a_release("1.2.3")))
    assert release.read(tmp_path, files) == a_release("1.2.3")


def test_a_hand_made_field_is_refused() -> None:
    """A key that no script writes is named."""
    text = release.to_text("delays", a_release("1.2.3")) + "  extra: 1\n"
    with pytest.raises(Problem, match=r"unknown key.*\(release.yaml: spec.extra\)"):
        release.from_text(text, "release.yaml")


BEFORE = {
    "signature": "serving_default",
    "inputs": {"temp": {"dtype": "float32"}, "origin": {"dtype": "string"}},
    "outputs": {"probability": {"dtype": "float32", "shape": []}},
    "classes": ["on_time", "late"],
}
CHANGES = {
    "input gone": ({"inputs": {"temp": {"dtype": "float32"}}}, "input origin is gone"),
    "input retyped": (
        {"inputs": {**BEFORE["inputs"], "temp": {"dtype": "float64"}}},  # type: ignore[dict-item]
        "input temp changed its type or shape",
    ),
    "new input": (
        {"inputs": {**BEFORE["inputs"], "wind": {"dtype": "float32"}}},  # type: ignore[dict-item]
        "input wind is new and required",
    ),
    "output gone": ({"outputs": {}}, "output probability is gone"),
    "classes swapped": ({"classes": ["late", "on_time"]}, "the classes or their order changed"),
    "signature": ({"signature": "other"}, "signature serving_default became other"),
}


@pytest.mark.parametrize(("change", "why"), CHANGES.values(), ids=CHANGES)
def test_what_an_old_client_notices_is_major(change: dict[str, object], why: str) -> None:
    """Each incompatible change of the contract asks for a major version and says why."""
    assert versioning.level(BEFORE, {**BEFORE, **change}, same_recipe=True) == ("major", why)


def test_levels_below_major() -> None:
    """Wording is minor, other parameters are minor, the same recipe is a patch."""
    documented = {**BEFORE, "inputs": {**BEFORE["inputs"], "temp": {"dtype": "float32", "missing": "nan"}}}  # type: ignore[dict-item]
    assert versioning.level(BEFORE, documented, same_recipe=True)[0] == "minor"
    assert versioning.level(BEFORE, BEFORE, same_recipe=False)[0] == "minor"
    assert versioning.level(BEFORE, BEFORE, same_recipe=True)[0] == "patch"


def test_versions_are_counted_on() -> None:
    """The first release is 1.0.0; later ones count on from the highest."""
    assert versioning.next_version(None, "patch") == "1.0.0"
    assert [versioning.next_version("1.2.3", step) for step in ("major", "minor", "patch")] == [
        "2.0.0",
        "1.3.0",
        "1.2.4",
    ]
