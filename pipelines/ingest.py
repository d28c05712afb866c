"""Make `data/` and prove it: every model's data.py writes its rows, and their hash must be the one in data.dvc.

A script and not a DVC stage: data.dvc alone owns data/. `dvc repro` takes whatever lies in data/ for meant and rewrites
data.dvc without a word, so rows are made aside and reach data/ only when they are what data.dvc pins, or when a person
says so (`--accept`), which pins them.
"""

import argparse
import importlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from fledge import project
from fledge.dvc import dvc
from fledge.hashing import dvc_directory
from fledge.problems import Problem, reported
from fledge.project import read_yaml

DATA = Path("data")
ASIDE = Path(".fledge/data")
PIN = Path("data.dvc")
MEANT = "if meant: make data ACCEPT=1"
CACHE = Path(".dvc/cache/files/md5")


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Make data/ anew if that gives what data.dvc pins; `--check` only compares what is there; `--accept` pins anew."""
    parser = argparse.ArgumentParser(description="Make data/ from every model's data.py and prove it by data.dvc.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only compare the data/ that is there with data.dvc")
    how.add_argument(
        "--accept", action="store_true", help="take the rows that are made for meant: pin them in data.dvc"
    )
    options = parser.parse_args(argv)
    if options.check:
        prove(DATA, recorded(PIN))
    else:
        ingest(project.load(Path(".")).models, accept=options.accept)
    say(f"{DATA} is {recorded(PIN)}, as {PIN} says")
    return 0


def ingest(models: Sequence[str], *, accept: bool) -> None:
    """Make the rows of `models` and take them for data/. Raises Problem, and leaves data/, if they are not the pinned ones."""
    make(ASIDE, models)
    if accept:
        swap(ASIDE, DATA)
        say(f"pinning {DATA}")
        dvc(Path("."), "add", str(DATA))
        say(f"now commit {PIN}")
        return
    if not PIN.exists():
        swap(ASIDE, DATA)  # nothing is pinned that `dvc repro` could rewrite
    expected = recorded(PIN)
    prove(ASIDE, expected)
    swap(ASIDE, DATA)
    cache(expected)


def make(folder: Path, models: Sequence[str]) -> None:
    """Write the rows of `models` to a new `folder`. Raises Problem for a model without data.py."""
    if absent := [model for model in models if not (Path("models") / model / "data.py").is_file()]:
        raise Problem(*(f"{m}: no models/{m}/data.py found, expected one (project.yaml: models)" for m in absent))
    shutil.rmtree(folder, ignore_errors=True)
    for model in models:
        say(f"{model}: writing its rows")
        importlib.import_module(f"models.{model}.data").write(folder / model)


def swap(folder: Path, data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    folder.rename(data)


def prove(folder: Path, expected: str) -> None:
    """Raise Problem, a line for each file, if `folder` is not what `expected` stands for."""
    if problems := differences(folder, expected):
        raise Problem(*problems)


def recorded(file: Path) -> str:
    """The hash of data/ that `file` pins. Raises Problem where there is none yet."""
    if not file.exists():
        raise Problem(f"data: no hash to compare with, expected one ({file}: run dvc add data, and commit it)")
    digest: str = read_yaml(file)["outs"][0]["md5"]
    return digest


def differences(folder: Path, expected: str) -> list[str]:
    """A line for each file of `folder` that is not what `expected`, a directory's DVC hash, stands for.

    Which files those are is known once DVC's cache holds the listing, as it does after the first success.
    """
    found, listing = dvc_directory(folder)
    if found == expected:
        return []
    stored = CACHE / expected[:2] / expected[2:]
    if not stored.exists():
        return [f"data: {DATA} has md5 {found}, expected {expected} ({PIN}: outs.md5; {MEANT})"]
    now, then = ({entry["relpath"]: entry["md5"] for entry in one} for one in (listing, json.loads(stored.read_text())))
    return [
        f"data: {DATA / name} {_has(now.get(name))}, expected {then.get(name, 'no such file')} "
        f"({PIN}: outs.md5; {MEANT})"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]


def cache(expected: str) -> None:
    """Bring the proven data/ into DVC's cache, from where it is pushed and compared; data.dvc stays as it is."""
    if not (CACHE / expected[:2] / expected[2:]).exists():
        say("filling DVC's cache")
        dvc(Path("."), "commit", "--force", str(PIN))


def _has(digest: str | None) -> str:
    return f"has md5 {digest}" if digest else "is not there"


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} data: {what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
