"""`make rollback`: a step back each time, or to a version that was healthy there, byte for byte."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge import git, release
from fledge.release import Denial, Files, history
from fledge.release.history import Delivery
from scripts import rollback
from scripts.fleet import Fleet
from tests import fleets
from tests.untouched import seen

MODEL = "model-0001"
STAGING = Files("staging", MODEL)
Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def served(pair: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """1.0.0, 1.0.1 and 1.0.2 were healthy in staging, which serves the last."""
    folder = tmp_path_factory.mktemp("served")
    with fleets.own(pair, folder) as made:
        for version in ("1.0.1", "1.0.2"):
            fleets.judged(STAGING, fleets.release(made, MODEL, version))
    return made


@pytest.fixture
def three(served: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """A copy of it."""
    with fleets.own(served, tmp_path) as made:
        yield made


def back(*more: str) -> int:
    return rollback.main(["--model", MODEL, "--env", "staging", *more])


def serves(made: Fleet) -> str:
    """The version that the clone's branch tells staging."""
    found = history.held(made.root, STAGING, "HEAD")
    assert found
    return found.version


def bytes_at(made: Fleet, revision: str) -> list[str | None]:
    return [git.show(made.root, revision, path) for path in (STAGING.rendered, STAGING.release)]


def test_twice_goes_two_steps_back_and_stops_at_the_oldest(three: Fleet, capsys: Said) -> None:
    """Never forward again to what was rolled back first; at the oldest one line says so, and which TO= would do."""
    was = {version: bytes_at(three, f"HEAD~{age}") for version, age in (("1.0.1", 1), ("1.0.0", 2))}
    for version in ("1.0.1", "1.0.0"):
        assert back() == 0
        fleets.pushed(three, STAGING)
        assert serves(three) == version
        assert bytes_at(three, "HEAD") == was[version]
    before = seen(three.root, three.folder / "origin.git")
    capsys.readouterr()
    assert back() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"staging/model-0001: 1\.0\.0 \([0-9a-f]{12}\) is the oldest healthy delivery, "
        r"expected TO=one of: 1\.0\.1 \([0-9a-f]{12}\), 1\.0\.2 \([0-9a-f]{12}\) \(make status\)",
        line,
    )
    assert seen(three.root, three.folder / "origin.git") == before


def test_a_named_version_returns_from_anywhere(three: Fleet) -> None:
    """TO= jumps two steps back, and forward again to what is healthy."""
    for version in ("1.0.0", "1.0.2"):
        assert back("--to", version) == 0
        fleets.pushed(three, STAGING)
        assert serves(three) == version


def test_what_was_rolled_back_from_is_not_the_next_step(three: Fleet) -> None:
    """After a rollback and a new release the step back is to what served before that one, as `git revert` would have it."""
    assert back() == 0
    fleets.pushed(three, STAGING)
    fleets.judged(STAGING, fleets.release(three, MODEL, "1.0.3"))
    merge = git.git(three.root, "rev-parse", "HEAD")
    git.git(three.root, "revert", "--no-edit", "-m", "1", merge)
    reverted = bytes_at(three, "HEAD")
    git.git(three.root, "reset", "--quiet", "--hard", merge)
    assert back() == 0
    assert serves(three) == "1.0.1"
    assert bytes_at(three, "HEAD") == reverted


def test_a_canary_goes_back_to_the_last_healthy(three: Fleet) -> None:
    """What nobody judged yet is left for the champion."""
    fleets.release(three, MODEL, "1.0.3")
    assert back() == 0
    assert serves(three) == "1.0.2"


def test_the_target_branch_says_what_is_healthy(three: Fleet, capsys: Said) -> None:
    """On a branch of one's own the step is from what the target branch holds, and it is taken once."""
    git.git(three.root, "switch", "--quiet", "--create", "work")
    assert back() == 0
    assert serves(three) == "1.0.1"
    capsys.readouterr()
    assert back() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.match(r"staging/model-0001: this branch holds 1\.0\.1 \([0-9a-f]{12}\) already, expected it merged", line)


def test_a_denied_version_is_told_since_when_and_why(three: Fleet, capsys: Said) -> None:
    """The line for a denied TO= says since when, why, and which would do; a cause of two lines is one."""
    bad = fleets.release(three, MODEL, "1.0.3")
    fleets.release(three, MODEL, "1.0.4")
    denial = Denial(delivery=bad, version="1.0.3", cause="judge:\n e_worse 120", time="2026-01-02T03:04:05+00:00")
    write(three, STAGING.denied, release.denied_to_text(MODEL, [denial]))
    capsys.readouterr()
    assert back("--to", "1.0.3") == 1
    [line] = capsys.readouterr().err.splitlines()
    found = f"delivery {bad} (1.0.3) is denied since 2026-01-02T03:04:05+00:00 (judge: e_worse 120)"
    assert line.startswith(f"staging/model-0001: {found}, expected one of: 1.0.2 (")


def test_what_was_never_healthy_does_not_return(three: Fleet, capsys: Said) -> None:
    """A superseded version, the current one and an unknown one are each refused in words of their own."""
    fleets.release(three, MODEL, "1.0.3")
    fleets.release(three, MODEL, "1.0.4")
    for version, why in (
        ("1.0.3", r"1\.0\.3 left without becoming healthy"),
        ("1.0.4", r"1\.0\.4 \([0-9a-f]{12}\) is what it holds"),
        ("9.9.9", r"no healthy delivery 9\.9\.9 found"),
    ):
        capsys.readouterr()
        assert back("--to", version) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert re.match(rf"staging/model-0001: {why}, expected one of: 1\.0\.2 \(", line)


def test_a_file_that_names_no_delivery_is_rolled_back_from(three: Fleet) -> None:
    """After a merge that went wrong the way back is to what served before it."""
    write(three, STAGING.rendered, "<<<<<<< HEAD\n")
    assert back() == 0
    assert serves(three) == "1.0.2"


def write(made: Fleet, path: Path, text: str) -> None:
    """Commit a file to the target branch."""
    (made.root / path).parent.mkdir(parents=True, exist_ok=True)
    (made.root / path).write_text(text)
    git.commit(made.root, "By hand", path)
    git.git(made.root, "push", "--quiet", "origin", "main")


FIXED = settings(deadline=None, derandomize=True, database=None)
names = st.sampled_from("abcdef")


def steps(came: list[str]) -> list[str]:
    """Where rollbacks lead to after all of these came, oldest first, and all were healthy."""
    deliveries = [Delivery(name, "1.0.0", "") for name in reversed(came)]
    return [one.delivery for one in history.steps(deliveries[0], deliveries, deliveries)]


@FIXED
@given(st.lists(names, min_size=1, max_size=12))
def test_no_rollback_returns_to_what_an_earlier_one_left(came: list[str]) -> None:
    """Whatever came and returned before: one rollback after the other ends, and the next is where it was said to be."""
    left = [came[-1]]
    while said := steps(came):
        assert said[0] not in left
        came = [*came, said[0]]
        assert steps(came) == said[1:]
        left.append(said[0])


@FIXED
@given(st.lists(names, min_size=1, max_size=6, unique=True))
def test_without_a_return_the_steps_are_the_order_of_coming(came: list[str]) -> None:
    """Where nothing came twice, each step is to the one that became healthy before."""
    assert steps(came) == came[-2::-1]
