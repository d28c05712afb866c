"""Judge candidates: run every gate on each, print one table and, for what blocks, the remedy."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fledge import contract, evidence, fetch, git, limits, project
from fledge.affected import Change, affected
from fledge.atomic import write
from fledge.evidence import Check, Evidence, Verdict
from fledge.problems import Problem, reported
from fledge.release import Release

ROOT = Path(__file__).resolve().parent.parent
GATES = ROOT / "tests" / "gates"
PAIRED = ("champion", "rows", "evidence")  # options that say something about a named candidate only


@dataclass(frozen=True)
class Pair:
    """What one run judges. `champion` None is a first release; no `rows` means the months that params.yaml names."""

    model_dir: Path
    candidate: Path
    champion: Path | None = None
    rows: tuple[Path, ...] = ()
    evidence: Path | None = None  # where to keep it


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Judge what was named, else every candidate of the branch; 1 if anything blocks."""
    options = _options(argv)
    pairs = _named(options) if options.candidate else changed(Path.cwd(), options.model)
    found = [judge(pair) for pair in pairs]
    for one in found:
        print(evidence.table(one), end="\n\n")
    return int(any(one.verdict is not Verdict.PASS for one in found))


def changed(root: Path, model: str | None = None) -> list[Pair]:
    """The candidates of the current branch, or of one model there, each fetched by hash with its champion and its rows.

    Raises Problem for a model that project.yaml does not list, and as `fetched` does.
    """
    owner = project.load(root)
    models = owner.models if model is None else [owner.model(model)]
    base = git.target(root, owner.branch)
    changes = [change for change in affected(root, base) if change.files.model in models]
    for change in changes:
        against = f"champion {change.champion.version}" if change.champion else "no champion: its own limits"
        print(f"{change.files.who}: {change.kind} {change.candidate.version}, {against if change.gated else 'no gate'}")
    if not changes:
        print(f"gates: no delivery of {', '.join(models)} differs from {base}, nothing to judge")
    return [fetched(root, change) for change in changes if change.gated]


def fetched(root: Path, change: Change) -> Pair:
    """Candidate, champion and rows of a change from the remote, where only hashes count. Raises Problem as fetch does."""
    remote, model, kept = project.remote(root), change.files.model, root / ".fledge" / "artifacts"
    data = change.candidate.data.md5

    def artifact(one: Release) -> Path:
        return fetch.fetch(remote, one.artifact.md5, kept / one.artifact.md5, sha256=one.artifact.sha256)

    names = [f"{model}/{month}.parquet" for month in limits.load(root / "models" / model / "params.yaml").months]
    return Pair(
        Path("models") / model,
        artifact(change.candidate),
        artifact(change.champion) if change.champion else None,
        tuple(fetch.fetch_one(remote, data, name, kept / data / name) for name in names),
        kept / f"{change.files.environment}-{change.candidate.artifact.md5}.json",
    )


def judge(pair: Pair) -> Evidence:
    """Run the gates in a process of their own and read their evidence. Raises Problem for what no gate can judge.

    Evidence that is kept has its table for a pull request beside it, as Markdown.
    """
    _check(pair)
    if pair.evidence:  # what an earlier run left must not speak for this one
        for kept in (pair.evidence, pair.evidence.with_suffix(".md")):
            kept.unlink(missing_ok=True)
    found = _judged(pair)
    if pair.evidence:
        write(pair.evidence, evidence.to_json(found))
        write(pair.evidence.with_suffix(".md"), evidence.markdown(found))
    return found


def _judged(pair: Pair) -> Evidence:
    (ROOT / ".fledge").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".fledge", prefix="gates-") as scratch:
        file = Path(scratch) / "evidence.json"
        command = [sys.executable, "-m", "pytest", *arguments(pair, file)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        if not file.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise Problem(
                f"gates: pytest ended with {done.returncode} and said {said!r}, expected evidence (tests/gates)"
            )
        return completed(evidence.from_json(file.read_text(), str(file)), done.returncode)


def arguments(pair: Pair, file: Path, gates: Path = GATES) -> list[str]:
    """pytest's arguments that make `gates` judge a pair and write `file`, free of the owner's pytest settings."""
    given: list[str | Path] = [gates, "--quiet", "-p", "no:cacheprovider", "-o", "addopts="]
    given += ["--rootdir", ROOT, "--confcutdir", GATES, "--evidence", file, "--model-dir", pair.model_dir]
    given += ["--candidate", pair.candidate, "--champion", pair.champion or "none"]
    for path in rows(pair):
        given += ["--rows", path]
    return [str(part) for part in given]


def completed(found: Evidence, exit_code: int) -> Evidence:
    """A gate that made no check, or a run that failed where every check passed, blocks."""
    absent = sorted(
        {file.stem.removeprefix("test_") for file in GATES.glob("test_*.py")} - {c.gate for c in found.checks}
    )
    faults = [Check(gate, "run", Verdict.BLOCK, "made no check, expected at least one") for gate in absent]
    if exit_code and not faults and found.verdict is Verdict.PASS:
        faults = [Check("gates", "run", Verdict.BLOCK, f"pytest ended with {exit_code}, expected 0")]
    return replace(found, checks=[*found.checks, *faults])


def rows(pair: Pair) -> list[Path]:
    """The files of held-out rows: those named, else the months of `gates.rows` and `gates.holdout` in data/<model>/."""
    if pair.rows:
        return list(pair.rows)
    named = limits.load(pair.model_dir / "params.yaml")
    return [Path("data") / pair.model_dir.name / f"{month}.parquet" for month in named.months]


def environment() -> dict[str, str]:
    # Compiled modules are kept, or every run compiles TensorFlow anew.
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}


def _check(pair: Pair) -> None:
    for who, path in (("candidate", pair.candidate), ("champion", pair.champion)):
        if path and not (path / "saved_model.pb").is_file():
            raise Problem(f"{who}: no saved_model.pb in {path}, expected a SavedModel folder (--{who})")
    limits.load(pair.model_dir / "params.yaml")
    contract.load(pair.model_dir / "contract.yaml")
    for path in rows(pair):
        if not path.is_file():
            raise Problem(
                f"rows: {path} is not there, expected a Parquet file ({pair.model_dir}/params.yaml: gates.rows)"
            )


def _named(options: argparse.Namespace) -> list[Pair]:
    """The pair of `--candidate`. Raises Problem for a model, a champion or evidence that is not named as it must be."""
    model_dir = Path("models") / str(options.model)
    if not options.model or not model_dir.is_dir():
        known = ", ".join(sorted(path.name for path in Path("models").glob("*") if path.is_dir())) or "none at all"
        raise Problem(f"{options.model}: no such model, expected one of {known} (--model)")
    if not options.champion:
        raise Problem("gates: no champion named, expected --champion DIR, or --champion none for a first release")
    if options.evidence and options.evidence.suffix != ".json":
        raise Problem(f"gates: found {options.evidence}, expected a name that ends with .json (--evidence)")
    champion = None if options.champion == "none" else Path(options.champion)
    return [Pair(model_dir, options.candidate, champion, tuple(options.rows), options.evidence)]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gates", description=__doc__)
    parser.add_argument("--model", help="a folder under models/; without --candidate, judge only its candidates")
    parser.add_argument(
        "--candidate", type=Path, metavar="DIR", help="SavedModel; else what the current branch changes"
    )
    parser.add_argument("--champion", metavar="DIR|none", help="SavedModel to compare with; none: a first release")
    parser.add_argument(
        "--rows", type=Path, nargs="+", default=[], metavar="FILE", help="else gates.rows of params.yaml"
    )
    parser.add_argument(
        "--evidence", type=Path, metavar="OUT.json", help="keep the evidence, and its table beside it as OUT.md"
    )
    options = parser.parse_args(argv)
    if not options.candidate and (alone := [name for name in PAIRED if getattr(options, name)]):
        raise Problem(
            *(f"gates: found --{name} without --candidate, expected both or neither (--candidate)" for name in alone)
        )
    return options


if __name__ == "__main__":
    raise SystemExit(main())
