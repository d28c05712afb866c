"""Release files, versions and the level that differences ask for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge import release
from fledge.artifact import versioning
from fledge.artifact.versioning import Difference, Level
from fledge.problems import Problem
from fledge.release import Denial, Files
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


def test_one_more_denial_is_lines_more_and_no_other() -> None:
    """What a person wrote between the lines of a deny list stays, byte for byte; the first denial begins one."""
    first, second = (Denial(delivery=name * 12, version="1.0.0", cause=f"it's {name}", time="now") for name in "ab")
    before = release.denied_with("", "delays", first)
    assert release.denied_from_text(before, "denied.yaml") == [first]
    noted = before.replace("    - delivery", "    # incident 12\n    - delivery")
    after = release.denied_with(noted, "delays", second)
    assert after.startswith(noted)
    assert release.denied_from_text(after, "denied.yaml") == [first, second]


def difference(level: Level, said: str = "it is another") -> Difference:
    """A difference that asks for a level."""
    return Difference("key", "1 -> 2", said, level, "it matters")


def test_the_highest_level_counts() -> None:
    """A version's level is the highest that a difference asks for, and is explained by those that ask for it."""
    found = [
        difference("patch"),
        difference("major", "x is gone"),
        difference("minor"),
        difference("major", "y is new"),
    ]
    assert versioning.level(found) == ("major", "x is gone; y is new")
    assert versioning.level([difference("patch", "another seed")]) == ("patch", "another seed")
    assert versioning.level([]) == ("patch", "the same contract and recipe")


def test_a_person_reads_the_gravest_first() -> None:
    """Each difference is told with its values, its level and the reason, those first that ask for most."""
    lines = versioning.told([difference("patch"), difference("major", "x is gone")]).splitlines()
    assert lines[:2] == ["  major  key: 1 -> 2", "         x is gone: it matters"]
    assert lines[2].startswith("  patch  key")
    assert versioning.told([]) == "  nothing differs: the same contract and recipe"


def test_versions_are_counted_on() -> None:
    """The first release is 1.0.0; later ones count on from the highest."""
    assert versioning.next_version(None, "patch") == "1.0.0"
    assert [versioning.next_version("1.2.3", step) for step in ("major", "minor", "patch")] == [
        "2.0.0",
        "1.3.0",
        "1.2.4",
    ]
