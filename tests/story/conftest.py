"""The story, told once for all tests of it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.demo.stage import Stage
from tests.conftest import ROOT


@dataclass(frozen=True)
class Told:
    """How the demo ended: its exit code, what it printed, its report, and the stage that it left."""

    code: int
    output: str
    report: dict[str, Any]
    stage: Stage

    def act(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.report["acts"][number - 1]
        return found

    def events(self, environment: str) -> list[dict[str, Any]]:
        lines = (self.stage.folder / environment / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """`make demo`, as a person runs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("story")
    before = git_state()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo", "--folder", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert git_state() == before, "the demo touched the working copy or git's configuration"
    return Told(done.returncode, done.stdout, json.loads((folder / "report.json").read_text()), Stage(folder))


def git_state() -> tuple[str, str]:
    """What git sees of the working copy, and its configuration."""
    status = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    return status.stdout, (ROOT / ".git" / "config").read_text()


def running_in(folder: Path) -> list[str]:
    """The command lines of processes that work in `folder` or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(folder):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile, or is not ours
    return found
