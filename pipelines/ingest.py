"""Make `data/` and prove it: every model's data.py writes its rows, and their hash must be the one in data.dvc.

A script and not a DVC stage: data.dvc alone owns data/. Run it (or `--check`) before `dvc repro`, which would take
whatever lies in data/ for meant and rewrite data.dvc without a word.
"""

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fledge import project
from fledge.hashing import dvc_directory
from fledge.problems import Problem, reported
from fledge.project import read_yaml

DATA = Path("data")
CACHE = Path(".dvc/cache/files/md5")


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write data/ anew and compare it with data.dvc; with `--check` only compare what is there."""
    parser = argparse.ArgumentParser(description="Make data/ from every model's data.py and prove it by data.dvc.")
    parser.add_argument("--check", action="store_true", help="only compare the data/ that is there with data.dvc")
    if not parser.parse_args(argv).check:
        replace(DATA, project.load(Path(".")).models)
    expected = recorded(Path("data.dvc"))
    if problems := differences(DATA, expected):
        raise Problem(*problems)
    cache(expected)
    say(f"{DATA} is {expected}, as data.dvc says")
    return 0


def replace(data: Path, models: Sequence[str]) -> None:
    """Write the rows of `models` aside, then take them for `data`. Raises Problem for a model without data.py."""
    if absent := [model for model in models if not (Path("models") / model / "data.py").is_file()]:
        raise Problem(*(f"{m}: no models/{m}/data.py found, expected one (project.yaml: models)" for m in absent))
    aside = data.with_name(f".{data.name}")
    shutil.rmtree(aside, ignore_errors=True)
    for model in models:
        say(f"{model}: writing its rows")
        importlib.import_module(f"models.{model}.data").write(aside / model)
    shutil.rmtree(data, ignore_errors=True)
    aside.rename(data)


def recorded(file: Path) -> str:
    """The hash of data/ that `file` pins. Raises Problem where there is none yet."""
    if not file.exists():
        raise Problem(f"data: no hash to compare with, expected one ({file}: run dvc add data, and commit it)")
    digest: str = read_yaml(file)["outs"][0]["md5"]
    return digest


def differences(data: Path, expected: str) -> list[str]:
    """A line for each file of `data` that is not what `expected`, a directory's DVC hash, stands for.

    Which files those are is known once DVC's cache holds the listing, as it does after the first success.
    """
    found, listing = dvc_directory(data)
    if found == expected:
        return []
    stored = CACHE / expected[:2] / expected[2:]
    if not stored.exists():
        return [f"data: {data} has md5 {found}, expected {expected} (data.dvc: outs.md5; if meant: dvc add data)"]
    now, then = ({entry["relpath"]: entry["md5"] for entry in one} for one in (listing, json.loads(stored.read_text())))
    return [
        f"data: {data / name} {_has(now.get(name))}, expected {then.get(name, 'no such file')} "
        "(data.dvc: outs.md5; if meant: dvc add data)"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]


def cache(expected: str) -> None:
    """Bring the proven data/ into DVC's cache, from where it is pushed and compared; data.dvc stays as it is."""
    if not (CACHE / expected[:2] / expected[2:]).exists():
        say("filling DVC's cache")
        subprocess.run([sys.executable, "-m", "dvc", "commit", "--force", "--quiet", "data.dvc"], check=True)


def _has(digest: str | None) -> str:
    return f"has md5 {digest}" if digest else "is not there"


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} data: {what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
