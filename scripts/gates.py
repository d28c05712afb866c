"""Judge candidates: run every gate on each, print one table and, for what blocks, the remedy."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fledge import git, project
from fledge.branch.affected import Change, affected
from fledge.branch.unreleased import unreleased
from fledge.gates.telling import told
from fledge.problems import Problem, reported
from fledge.project import Project
from fledge.release import Files

if TYPE_CHECKING:
    from fledge.gates.process import Pair

# Options that say something about a named candidate only.
PAIRED = ("champion", "champion_contract", "anchor", "rows", "training", "limits", "limits_from", "evidence")


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Judge what was named, else every candidate of the branch; 1 if anything blocks. All problems come in one run."""
    options = _options(argv)
    problems: list[str] = []
    blocked = False
    for pair in [_named(options)] if options.candidate else of_branch(Path.cwd(), options, problems):
        try:
            blocked |= not passes(pair, options.store)
        except Problem as problem:
            problems += problem.lines
    if problems:
        raise Problem(*problems)
    return int(blocked)


def passes(pair: "Pair", store: bool) -> bool:
    """Judge a pair, say so, print its table, and store its evidence. Raises Problem as `process.judge` and `store` do."""
    # Here and below: a rollback runs no gate, and must be told so without the packages of a model.
    from fledge import evidence
    from fledge.evidence import page, stored, views
    from fledge.gates import process

    with told(f"{pair.model_dir.name} by {pair.known.file}") as tell:
        found = process.judge(pair, tell)
    print(views.table(found, shutil.get_terminal_size().columns), end="\n\n", flush=True)
    if store and pair.environment:
        where = stored.store(project.remote(Path.cwd()), found, pair.environment, page.page(found))
        print(f"gates: evidence stored at {where}", file=sys.stderr)
    return found.verdict is evidence.Verdict.PASS


def of_branch(root: Path, options: argparse.Namespace, problems: list[str]) -> Iterator["Pair"]:
    """The pairs of the current branch, or of the model and environment that are named, each when it is its turn.

    A line is added to `problems` for each model that is changed and not released, and for what cannot be fetched.
    Raises Problem for a model or an environment that project.yaml does not list, and where there is no target branch.
    """
    owner = project.load(root)
    wanted = chosen(owner, options.model, options.env, options.pair)
    models = list(dict.fromkeys(files.model for files in wanted))
    base = git.target(root, owner.branch)
    changes = affected(root, base)
    problems += [line for line in unreleased(root, base, changes) if line.partition(":")[0] in models]
    mine = [change for change in changes if change.files in wanted]
    for change in mine:
        print(said(change), flush=True)
    if not mine:
        print(f"gates: no delivery of {', '.join(models)} differs from {base}, nothing to judge")
    for change in filter(lambda one: one.gated, mine):
        from fledge.gates.pairs import pairs

        try:
            yield from pairs(root, base, change)
        except Problem as problem:
            problems += problem.lines


def chosen(owner: Project, model: str | None, environment: str | None, named: Sequence[str]) -> list[Files]:
    """Where to judge: what is `named` as environment/model, else the model's and the environment's, else everything.

    Raises Problem for a name that project.yaml does not list.
    """
    if named:
        split = [who.partition("/") for who in named]
        return [Files(owner.environment(known).name, owner.model(one)) for known, _, one in split]
    models = owner.models if model is None else [owner.model(model)]
    environments = owner.environments if environment is None else [owner.environment(environment)]
    return [Files(one.name, name) for one in environments for name in models]


def said(change: Change) -> str:
    """A change in one line."""
    against = f"champion {change.champion.version}" if change.champion else "no champion: absolute limits"
    what = f"{change.files.who}: {change.kind} {change.candidate.version}"
    return f"{what}, {against}" if change.gated else f"{what}, no gate"


def _named(options: argparse.Namespace) -> "Pair":
    """The pair of `--candidate`. Raises Problem for a model, a champion or evidence that is not named as it must be."""
    from fledge.gates.process import Pair

    model_dir = Path("models") / str(options.model)
    if not options.model or not model_dir.is_dir():
        known = ", ".join(sorted(path.name for path in Path("models").glob("*") if path.is_dir())) or "none at all"
        raise Problem(f"{options.model}: no such model, expected one of {known} (--model)")
    if not options.champion:
        raise Problem("gates: no champion named, expected --champion DIR, or --champion none for a first release")
    if options.evidence and options.evidence.suffix != ".json":
        raise Problem(f"gates: found {options.evidence}, expected a name that ends with .json (--evidence)")
    return Pair(
        model_dir=model_dir,
        candidate=options.candidate,
        champion=None if options.champion == "none" else Path(options.champion),
        rows=tuple(options.rows),
        evidence=options.evidence,
        training=tuple(options.training),
        anchor=options.anchor,
        champion_contract=options.champion_contract,
        limits=options.limits,
        limits_from=options.limits_from,
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gates", description=__doc__)
    add, several = (
        parser.add_argument,
        {"type": Path, "nargs": "+", "action": "extend", "default": [], "metavar": "FILE"},
    )
    add("--model", help="a folder under models/; without --candidate, judge only its candidates")
    add("--env", help="judge only the candidates of this environment")
    add("--pair", nargs="+", default=[], metavar="ENV/MODEL", help="judge only these candidates")
    add("--candidate", type=Path, metavar="DIR", help="SavedModel; else what the current branch changes")
    add("--champion", metavar="DIR|none", help="SavedModel to compare with; none: a first release")
    add("--champion-contract", type=Path, metavar="FILE", help="the champion's own contract.yaml, where it has another")
    add("--anchor", type=Path, metavar="DIR", help="SavedModel of an older release, to see a slow decline")
    add("--rows", **several, help="held-out rows; else the months of gates.rows and gates.holdout")  # type: ignore[arg-type]
    add("--training", **several, help="rows of the training; else the months of train.months")  # type: ignore[arg-type]
    add("--limits", type=Path, metavar="FILE", help="the params.yaml that judges; else the model's")
    add("--limits-from", metavar="TEXT", help="what messages call it")
    add("--store", action="store_true", help="keep the evidence beside the artifact in the remote")
    add(
        "--evidence",
        type=Path,
        metavar="OUT.json",
        help="keep the evidence, and its views beside it as OUT.md, OUT.html",
    )
    options = parser.parse_args(argv)
    alone = [name.replace("_", "-") for name in PAIRED if getattr(options, name)]
    if not options.candidate and alone:
        lines = (f"gates: found --{name} without --candidate, expected both or neither (--candidate)" for name in alone)
        raise Problem(*lines)
    branch = [name for name in ("env", "pair", "store") if getattr(options, name)]
    if options.candidate and branch:
        raise Problem(*(f"gates: found --{name} with --candidate, expected one of them (--{name})" for name in branch))
    if options.pair and (options.model or options.env):
        raise Problem("gates: found --pair with --model or --env, expected one of them (--pair)")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
