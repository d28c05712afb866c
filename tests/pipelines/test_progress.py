"""Tests of pipelines.progress: what, how far, how long."""

import sys

import pytest

from pipelines import progress


def test_a_line_says_what_how_far_and_how_long() -> None:
    """After 30 of 120 in 90 s there are 270 s left."""
    assert progress.line("hats: made", 30, 120, 90.0) == "hats: made: 30 of 120, 1.5 min, about 4.5 min left"


def test_plain_output_is_twenty_lines_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no bar can be drawn, 600 steps give 20 lines and three give three; the last says that all is done."""
    for total, lines in ((600, 20), (3, 3)):
        with progress.counted("hats", total) as tell:
            for _ in range(total):
                tell()
        said = capsys.readouterr().out.splitlines()
        assert len(said) == lines
        assert f"hats: {total} of {total}" in said[-1]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal one bar says what and how many."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with progress.counted("hats", 2) as tell:
        tell()
        tell()
    assert "2/2" in capsys.readouterr().out
