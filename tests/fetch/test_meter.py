"""What a long transfer says."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from fledge.fetch import meter


def test_a_short_transfer_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """What ends within the first moment leaves no line."""
    with meter.metered("fetch", 2) as made:
        made.add(10, files=2)
    assert capfd.readouterr().err == ""


def test_a_long_transfer_says_files_and_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal each line says how many files and bytes there are so far, of a size that nobody knows."""
    monkeypatch.setattr(meter, "AFTER", 0.0)
    monkeypatch.setattr(meter, "EVERY", 0.01)
    said = ""
    with meter.metered("fetch", 3) as made:
        made.add(1_500_000, files=1)
        while said.count("\n") < 2:
            said += capsys.readouterr().err
    assert re.fullmatch(r"fetch: [01] of 3 files, (0\.0|1\.5) MB, 0 s", said.splitlines()[0])
    assert said.splitlines()[1] == "fetch: 1 of 3 files, 1.5 MB, 0 s"


def test_a_terminal_sees_a_bar_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the same words stand beside a bar, and the line is cleared in the end."""
    monkeypatch.setattr(meter, "AFTER", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    said = ""
    with meter.metered("fetch", 3) as made:
        made.add(2_000_000, files=2)
        while "2 of 3 files" not in said:
            said += capsys.readouterr().err
    assert "\x1b[2K" in capsys.readouterr().err or "\x1b[2K" in said


def test_threads_count_together() -> None:
    """What many threads add at once is all there."""
    made = meter.Meter("fetch", 1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [made.add(1, files=1) for _ in range(1000)], range(8)))
    assert (made.size, made.made) == (8000, 8000)
