"""Write docs/proof.md: how far each thing that is shipped is proved, and by which command."""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from tabulate import tabulate

from fledge import atomic, git, project
from fledge.gates.process import ROOT
from fledge.problems import Problem, reported
from fledge.project import Strict, validated

TABLE, PAGE = "docs/proof.yaml", "docs/proof.md"
SHIPPED = ("manifests", ".github", "Dockerfile", ".dockerignore")
OWNED = ("manifests/releases/", "manifests/rendered/")  # the owner's, but for the platform's file
HEAD = """# What is proved

Written by `make proof` from [proof.yaml](proof.yaml). *Run*: it did here what it is for, and the outcome is asserted.
*Validated*: its own program, its schema or a rule of ours accepts it, nobody ran it. *Read*: a person read it.
"""


class Row(Strict):
    """How far one thing is proved; `test` is a file or a test under tests/."""

    proof: Literal["run", "validated", "read"]
    test: Annotated[str, Field(pattern=r"^([\w/]+\.py(::test_\w+)?)?$")]
    open: str


class Table(Strict):
    groups: dict[str, dict[str, Row]]


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Write the page. Raises Problem, a line each, for what has no row and for a row of nothing."""
    argparse.ArgumentParser(prog="make proof", description=__doc__).parse_args(argv)
    found = table(ROOT)
    if wrong := list(problems(ROOT, found)):
        raise Problem(*wrong)
    atomic.write(ROOT / PAGE, page(found))
    print(f"proof: {sum(map(len, found.groups.values()))} things ({PAGE})")
    return 0


def table(root: Path) -> Table:
    """The rows of docs/proof.yaml. Raises Problem for one that is none."""
    return validated(Table, {"groups": project.read_yaml(root / TABLE)}, TABLE)


def problems(root: Path, found: Table) -> Iterator[str]:
    """A line for each thing without a row, row without a thing, and proof that is not there."""
    rows = {name: row for group in found.groups.values() for name, row in group.items()}
    things = set(shipped(root))
    for name in sorted(things - rows.keys()):
        yield f"proof: {name} has no row, expected one that says how far it is proved ({TABLE})"
    for name in sorted(rows.keys() - things):
        yield f"proof: the row {name} is of nothing that is shipped, expected it removed ({TABLE})"
    for name, row in rows.items():
        if (row.proof == "read") == bool(row.test):
            yield f"proof: {name} is {row.proof} {'with' if row.test else 'without'} a test, expected otherwise ({TABLE})"
        file, _, test = row.test.partition("::")
        path = root / "tests" / file
        if file and not (path.is_file() and f"def {test or 'test_'}" in path.read_text()):
            yield f"proof: no test {row.test}, expected what proves {name} ({TABLE})"


def shipped(root: Path) -> Iterator[str]:
    """Every manifest, workflow and action that git keeps, the image's file and its programs, and every verb."""
    for name in git.run(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SHIPPED).split("\0"):
        if name and (root / name).exists() and (not name.startswith(OWNED) or name.count("/") == 2):
            yield name
    image = root / "Dockerfile"
    programs = re.findall(r'"python", "-m", "(fledge[.\w]+)"', image.read_text()) if image.exists() else []
    yield from (f"python -m {program}" for program in programs)
    for verb in re.findall(r"^([a-z-]+):.*## ", (root / "Makefile").read_text(), re.MULTILINE):
        yield f"make {verb}"


def page(found: Table) -> str:
    """The page: a table for each group."""
    parts = [HEAD]
    for group, rows in found.groups.items():
        cells = [(f"`{name}`", row.proof, _command(row), row.open) for name, row in rows.items()]
        parts.append(
            f"## {group}\n\n{tabulate(cells, ('what', 'proof', 'command', 'what it leaves open'), 'github')}\n"
        )
    return "\n".join(parts)


def _command(row: Row) -> str:
    return f"`pytest tests/{row.test}`" if row.test else ""


if __name__ == "__main__":
    raise SystemExit(main())
