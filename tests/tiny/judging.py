"""Run gates on pairs of tiny models, many in one process, and read their evidence."""

import json
import os
import subprocess
import sys
from pathlib import Path

from fledge import evidence
from fledge.evidence import Check, Evidence
from fledge.gates import process
from fledge.gates.process import Pair


def judge(asked: list[tuple[str, Pair]], scratch: Path) -> list[Evidence]:
    """The evidence of each gate (a name, or a file of tests) and pair, in this order."""
    files = [scratch / f"evidence-{number}.json" for number in range(len(asked))]
    tests = [Path(gate) if os.sep in gate else process.GATES / f"test_{gate}.py" for gate, _ in asked]
    runs = [process.arguments(pair, *where) for (_, pair), *where in zip(asked, files, tests, strict=True)]
    program = "import json, sys, pytest\nfor run in json.load(sys.stdin): pytest.main(run)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=json.dumps(runs), env=process.environment(), capture_output=True, text=True)
    assert all(file.is_file() for file in files), done.stdout + done.stderr
    return [evidence.from_json(file.read_text(), str(file)) for file in files]


def one(found: Evidence, name: str) -> Check:
    """The one check of that name."""
    (check,) = [check for check in found.checks if f"{check.gate}.{check.name}" == name]
    return check
