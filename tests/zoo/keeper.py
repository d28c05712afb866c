"""A process that judges (tests.zoo.judging), asked run by run and started again when a mutant kills it."""

import json
import subprocess
import sys
from pathlib import Path

from fledge import evidence
from fledge.evidence import Check, Verdict
from fledge.gates import process
from fledge.gates.process import Pair


class Keeper:
    """Judges one pair after the other; what the gates print goes to `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[str] | None = None

    def judge(self, pair: Pair, file: Path, named: str | None) -> list[Check]:
        """The checks of all gates, or of the check `named` and those that are cheap; their evidence is left in `file`."""
        file.unlink(missing_ok=True)
        self.process = self.process or self._started()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"arguments": process.arguments(pair, file), "named": named}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            code, self.process = self.process.wait(), None
            return [_failed(f"the process that judges ended with {code}")]
        checks = list(evidence.from_json(file.read_text(), str(file)).checks) if file.is_file() else []
        # A run that failed where every check passed is no pass.
        failed = answer.strip() != "0" and not any(check.blocks for check in checks)
        return [*checks, _failed(f"pytest ended with {answer.strip()}")] if failed else checks

    def close(self) -> None:
        """End the process."""
        if self.process:
            self.process.communicate()

    def _started(self) -> "subprocess.Popen[str]":
        command, pipe = [sys.executable, "-m", "tests.zoo.judging"], subprocess.PIPE
        with self.log.open("w") as log:
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=process.environment())


def pair(folder: Path, champion: Pair) -> Pair:
    """The mutant in `folder` against the champion, on the rows and with the contract that it brings or the champion's."""
    own = folder / champion.model_dir.name
    return Pair(
        own if own.is_dir() else champion.model_dir,
        folder / "saved_model",
        champion.candidate,
        rows=tuple(_brought(folder / "rows", process.rows(champion))),
        training=tuple(_brought(folder / "training", process.training(champion))),
        champion_contract=champion.model_dir / "contract.yaml" if own.is_dir() else None,
    )


def _brought(folder: Path, usual: list[Path]) -> list[Path]:
    return [folder / file.name if (folder / file.name).is_file() else file for file in usual]


def _failed(reason: str) -> Check:
    return Check("gates", "run", Verdict.BLOCK, f"{reason}, expected evidence")
