"""Ctrl-C, as a terminal sends it: to the whole foreground group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.story.conftest import running_in


def test_ctrl_c_leaves_no_process_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Interrupted while a model trains, the demo says so, exits 1, and nothing works in its folder any more."""
    folder = tmp_path_factory.mktemp("interrupted")
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo", "--folder", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    until(lambda: any("pipelines.train" in command for command in running_in(folder)), "training")
    os.killpg(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "interrupted" in said
    assert "Traceback" not in said
    until(lambda: running_in(folder) == [], "the end of every process")


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for a condition; fails with its name when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come; running: {running_in(Path('/'))}"
        time.sleep(0.05)
