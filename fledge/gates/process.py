"""Run the gates on a candidate and its champion in a process of their own, and read the evidence that they leave."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fledge import evidence
from fledge.artifact import contract
from fledge.atomic import write
from fledge.evidence import Check, Evidence, Verdict, page, views
from fledge.gates import limits, progress, target
from fledge.gates.limits import Limits
from fledge.gates.progress import Tell
from fledge.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
GATES = ROOT / "tests" / "gates"
CREDENTIAL = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)  # in the name of a variable
VIEWS: Mapping[str, Callable[[Evidence], str]] = {
    ".json": evidence.to_json,
    ".md": views.markdown,
    ".html": page.page,
}


@dataclass(frozen=True)
class Pair:
    """What one run judges.

    `champion` None is a first release; without an `anchor` nothing is compared with one. No `rows` and no `training`
    mean the months that the limits name, in data/<model>/. `champion_contract` is the champion's own contract.yaml,
    where it differs from the candidate's in `model_dir`. `limits` is the params.yaml that judges, else that of
    `model_dir`, and `limits_from` what messages call it. `evidence` is where to keep what was found. `revision` is
    whose gates run, None for those that are here; `environment` what the evidence is filed under in the remote. `notes`
    and `checks` go into the evidence before what the gates say.
    """

    model_dir: Path
    candidate: Path
    champion: Path | None = None
    rows: tuple[Path, ...] = ()
    evidence: Path | None = None
    training: tuple[Path, ...] = ()
    anchor: Path | None = None
    champion_contract: Path | None = None
    limits: Path | None = None
    limits_from: str | None = None
    revision: str | None = None
    environment: str | None = None
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def known(self) -> Limits:
        """The limits that judge. Raises Problem as `limits.load` does."""
        return limits.load(self.limits or self.model_dir / "params.yaml", self.limits_from)


def judge(pair: Pair, tell: Tell | None = None) -> Evidence:
    """Run the gates in a process of their own and read their evidence; `tell` hears each step.

    Evidence that is kept has its views beside it, as Markdown for a pull request and as a page. Raises Problem for what
    no gate can judge.
    """
    check(pair)
    if pair.evidence:  # what an earlier run left must not speak for this one
        for ending in VIEWS:
            pair.evidence.with_suffix(ending).unlink(missing_ok=True)
    found = _judged(pair, tell)
    found = replace(found, checks=[*pair.checks, *found.checks], notes=[*pair.notes, *found.notes])
    if pair.evidence:
        for ending, view in VIEWS.items():
            write(pair.evidence.with_suffix(ending), view(found))
    return found


def explored(pair: Pair, examples: int, tell: Tell | None = None) -> Check:
    """What edge_cases.properties says of so many random rows, other ones each time. Raises Problem as `judge` does."""
    check(pair)
    with _scratch() as file:
        asked = arguments(pair, file, GATES / "test_edge_cases.py::test_properties")
        found, exit_code, _ = _left([*asked, "--explore", str(examples)], file, tell)
    if exit_code and not found.blocking:
        return _fault("edge_cases", f"pytest ended with {exit_code}, expected 0")
    return [*found.blocking, *found.checks][0]


def check(pair: Pair) -> None:
    """Raises Problem for what no gate can judge: no SavedModel, contract, limits or rows."""
    for who, path in (("candidate", pair.candidate), ("champion", pair.champion), ("anchor", pair.anchor)):
        if path and not (path / "saved_model.pb").is_file():
            raise Problem(f"{who}: no saved_model.pb in {path}, expected a SavedModel folder (--{who})")
    for file in (pair.model_dir / "contract.yaml", pair.champion_contract):
        if file:
            contract.load(file)
    where = pair.known.file
    for what, key, paths in (("rows", "gates.rows", rows(pair)), ("training", "train.months", training(pair))):
        if absent := [path for path in paths if not path.is_file()]:
            raise Problem(
                *(f"{what}: {path} is not there, expected a Parquet file ({where}: {key})" for path in absent)
            )


def rows(pair: Pair) -> list[Path]:
    """The files of held-out rows: those named, else the months of `gates.rows` and `gates.holdout` in data/<model>/."""
    return list(pair.rows) or _months(pair, pair.known.months)


def training(pair: Pair) -> list[Path]:
    """The files of rows that the candidate was trained on: those named, else the months of `train.months`, if any."""
    return list(pair.training) or _months(pair, pair.known.training)


def _months(pair: Pair, months: tuple[str, ...]) -> list[Path]:
    return [Path("data") / pair.model_dir.name / f"{month}.parquet" for month in months]


def arguments(pair: Pair, file: Path, gates: Path | None = None) -> list[str]:
    """pytest's arguments that make `gates` (else all) judge a pair and write `file`, free of the owner's settings."""
    given: list[str | Path] = [gates or GATES, "--quiet", "-p", "no:cacheprovider", "-c", os.devnull]
    given += ["--rootdir", ROOT, "--confcutdir", GATES, "--model-dir", pair.model_dir]
    return [*map(str, given), *options(pair, file)]


def options(pair: Pair, file: Path) -> list[str]:
    """What a pair is, as options that pytest in the gates and the verb have alike."""
    named = {
        "--evidence": file,
        "--candidate": pair.candidate,
        "--champion": pair.champion or "none",
        "--anchor": pair.anchor,
        "--champion-contract": pair.champion_contract,
        "--limits": pair.limits,
        "--limits-from": pair.limits_from,
    }
    listed = {"--rows": rows(pair), "--training": training(pair)}
    given = [(option, value) for option, value in named.items() if value]
    given += [(option, path) for option, paths in listed.items() for path in paths]
    return [str(part) for one in given for part in one]


def environment() -> dict[str, str]:
    """This process' environment with the template's modules first and without what would slow or bend the gates.

    Credentials stay outside: a stranger's model runs in there, and all that the gates need was fetched before.
    """
    # Compiled modules are kept, or every run compiles TensorFlow anew.
    bends = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
    kept = {key: value for key, value in os.environ.items() if key not in bends and not CREDENTIAL.search(key)}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}


@contextmanager
def _scratch() -> Iterator[Path]:
    """Where a run leaves its evidence."""
    (ROOT / ".fledge").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".fledge", prefix="gates-") as scratch:
        yield Path(scratch) / "evidence.json"


def _judged(pair: Pair, tell: Tell | None) -> Evidence:
    with _scratch() as file:
        if pair.revision:
            return _judged_by(pair, pair.revision, file)
        return completed(*_left(arguments(pair, file), file, tell))


def _left(arguments: list[str], file: Path, tell: Tell | None) -> tuple[Evidence, int, set[str]]:
    """The evidence that a run leaves, its exit code, and the checks that it left out."""
    log = file.with_name("pytest.log")
    exit_code, left = _run(arguments, log, tell)
    if not file.is_file():
        said = (log.read_text(errors="replace").strip() or "nothing").splitlines()[-1]
        raise Problem(f"gates: pytest ended with {exit_code} and said {said!r}, expected evidence (tests/gates)")
    return evidence.from_json(file.read_text(), str(file)), exit_code, left


def _judged_by(pair: Pair, revision: str, file: Path) -> Evidence:
    """By the gates as a revision has them."""
    exit_code = target.run(Path.cwd(), revision, pair.model_dir, options(pair, file), environment())
    if not file.is_file():
        raise Problem(
            f"gates: those of {revision} ended with {exit_code} and left no evidence (see above), expected it "
            f"(merge what changes fledge/ or tests/gates/ without a release first)"
        )
    found = evidence.from_json(file.read_text(), f"evidence by {revision}")
    if exit_code and found.verdict is Verdict.PASS:
        fault = _fault("gates", f"those of {revision} ended with {exit_code}, expected 0")
        return replace(found, checks=[*found.checks, fault])
    return found


def _run(arguments: list[str], log: Path, tell: Tell | None) -> tuple[int, set[str]]:
    """pytest's exit code, and the checks that it left out."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "pytest", "-p", "fledge.gates.progress", "--steps", str(writing), *arguments]
    with log.open("wb") as out, os.fdopen(reading) as lines:
        try:
            process = subprocess.Popen(command, env=environment(), stdout=out, stderr=out, pass_fds=[writing])
        finally:
            os.close(writing)
        with process:
            seen = progress.read(lines, tell)
    return process.returncode, seen.left


def completed(found: Evidence, exit_code: int, left: Collection[str] = ()) -> Evidence:
    """A gate that made no check, or a run that failed where every check passed, blocks.

    Checks that were `left` out ("gate.check": another task's, a comparison without a champion) are told in the notes, and a
    gate that has no others may be without one.
    """
    gates, made = {file.stem.removeprefix("test_") for file in GATES.glob("test_*.py")}, {c.gate for c in found.checks}
    excused = {check.partition(".")[0] for check in left}
    faults = [_fault(gate, "made no check, expected at least one") for gate in sorted(gates - made - excused)]
    if exit_code and not faults and found.verdict is Verdict.PASS:
        faults = [_fault("gates", f"pytest ended with {exit_code}, expected 0")]
    named = ", ".join(sorted(left))
    notes = [f"Not made, being another task's or a comparison with nothing: {named}."] if left else []
    return replace(found, checks=[*found.checks, *faults], notes=[*found.notes, *notes])


def _fault(gate: str, reason: str) -> Check:
    return Check(gate, "run", Verdict.BLOCK, reason)
