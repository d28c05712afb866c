"""Ctrl-C, as a terminal sends it: to the whole foreground group."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import ROOT
from tests.story.conftest import running_in

# An act that starts an environment, with its Envoy and its judge, and then waits for what never comes.
REHEARSING = """
from scripts.demo import __main__ as demo, moves
def rehearsing(story):
    "Rehearsing"
    moves.own(story)
    moves.rehearse(story, "staging")
    story.stage.wait("nothing", lambda: None)
demo.ACTS[:] = [rehearsing]
raise SystemExit(demo.main())
"""
MOMENTS = {
    "training": (["-m", "scripts.demo"], "pipelines.train"),
    "rehearsing": (["-c", REHEARSING], "fledge.judge"),
}


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Tests that run in the background ignore SIGINT, and hand that on to their children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("program", "sign"), MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_leaves_no_process_behind(
    tmp_path_factory: pytest.TempPathFactory, program: list[str], sign: str
) -> None:
    """Interrupted while a model trains or an environment serves, the demo says so and exits 1, and nothing is left."""
    folder = tmp_path_factory.mktemp("interrupted")
    demo = subprocess.Popen(
        [sys.executable, *program, "--folder", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: any(sign in command for command in running_in(folder)), sign)
        os.killpg(demo.pid, signal.SIGINT)
        said, _ = demo.communicate(timeout=60)
    finally:
        demo.kill()
    assert demo.returncode == 1
    assert "interrupted" in said
    assert "Traceback" not in said
    until(lambda: running_in(folder) == [], "the end of every process")


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for a condition; fails with its name when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
