"""What git says: per environment and model what serves, since when, and what it may be rolled back to."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from fledge import git, project
from fledge.cores import FEW
from fledge.problems import Problem, caught, every, reported
from fledge.release import Denial, everywhere
from fledge.release.behind import MOST
from fledge.release.standing import Known, Serving, Standing, Standings, standings

LISTED = 3  # of older deliveries, in text
WIDE = 100  # characters of a line that quotes others


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Every (environment, model) of the target branch: a block each, of many a line each; or all as JSON."""
    parser = argparse.ArgumentParser(prog="make status", description=__doc__)
    parser.add_argument("--model", default="", help="names from project.yaml: models, by spaces (default: all)")
    parser.add_argument("--json", action="store_true", help="one document of everything (docs/delivery.md)")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    models = every(caught(owner.model, name) for name in options.model.split()) or owner.models
    pairs = [files for files in everywhere(owner) if files.model in models]
    git.require_history(root, "status")
    found = standings(root, pairs, git.target(root, owner.branch), compare=len(pairs) <= MOST)
    print(found.model_dump_json(indent=2) if options.json else "\n".join(text(found)))
    if problems := [line for one in found.pairs for line in one.problems]:
        raise Problem(*dict.fromkeys(problems))
    return 0


def text(found: Standings) -> Iterator[str]:
    """The lines for a person."""
    yield f"{found.branch} at {found.commit[:10]} of {when(found.time)}"
    if len(found.pairs) <= FEW:
        for one in found.pairs:
            yield from block(one)
        return
    yield tabulate(map(row, found.pairs), tablefmt="plain")
    yield "one of them: make status MODEL=…"
    if len(found.pairs) > MOST:
        yield f"none was compared with its base, which takes a while: make status MODEL=… does, for up to {MOST}"


def block(one: Standing) -> Iterator[str]:
    """One (environment, model), what matters most first."""
    if one.serving is None:
        yield f"{one.who}: {one.state}"
    else:
        yield f"{one.who}: {named([one.serving])}, {', '.join(notes(one))}"
        yield since(one.serving)
    if one.release:
        artifact, training = one.release.artifact, one.release.training
        yield f"  artifact {artifact.md5[:12]}, sha256 {artifact.sha256[:12]}, data {one.release.data.md5[:12]}"
        parent = one.release.parent or "none"
        yield f"  contract {one.release.contract[:12]}, trained at {training.commit[:10]}, parent {parent}"
    if one.serving or one.rollback:
        yield f"  roll back to: {back(one)}"
    yield from (f"  denied: {refused(each)}" for each in one.denied[:LISTED])
    if len(one.denied) > LISTED:
        yield f"  denied: and {len(one.denied) - LISTED} before"


def row(one: Standing) -> list[str]:
    """One of many."""
    denied = [f"{len(one.denied)} denied"] if one.denied else []
    now = one.serving
    known = [now.version, now.delivery, when(now.since)] if now else ["", "", ""]
    return [one.who, *known, ", ".join([*notes(one), *denied])]


def notes(one: Standing) -> list[str]:
    return [one.state, *(["behind base"] if one.behind_base else [])]


def since(one: Serving) -> str:
    return shortened(f"  since {when(one.since)} by {one.commit[:10]} of {one.author}: {one.subject}")


def back(one: Standing) -> str:
    """Where `make rollback` leads to, one time after the other, and what only its TO= names."""
    others = [each for each in one.rollback if each not in one.steps_back]
    parts = [named(one.steps_back)] if one.steps_back else []
    parts += [f"TO= {named(others)}"] if others else []
    return "; ".join(parts) or "nothing"


def named(some: Sequence[Known]) -> str:
    """Versions with their deliveries, the first few of many."""
    more = f" and {len(some) - LISTED} more" if len(some) > LISTED else ""
    return ", ".join(f"{one.version} ({one.delivery})" for one in some[:LISTED]) + more


def refused(one: Denial) -> str:
    return shortened(f"{one.version} ({one.delivery}) since {when(one.time)}: {' '.join(one.cause.split())}")


def when(time: str) -> str:
    """An ISO 8601 time to the minute, as it was written down."""
    return f"{time[:16].replace('T', ' ')} {time[19:]}".strip()


def shortened(line: str) -> str:
    return line if len(line) <= WIDE else f"{line[: WIDE - 1]}…"


if __name__ == "__main__":
    raise SystemExit(main())
