"""Check that what git says can be served: every rule, every file, all problems in one run."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fledge import git, history, project, release, render
from fledge.affected import is_rollback
from fledge.problems import Problem, reported
from fledge.release import Files

Rule = Callable[[Path, Files, str, str], Iterator[str]]


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Raise every problem at once, or say what was checked."""
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("--base", help="the target branch (default: project.yaml: branch)")
    options = parser.parse_args(argv)
    root = Path.cwd()
    owner = project.load(root)
    base = options.base or git.target(root, owner.branch)
    pairs = [Files(environment.name, model) for environment in owner.environments for model in owner.models]
    problems = [line for files in pairs for line in problems_of(root, files, base)]
    if problems:
        raise Problem(*problems)
    served = sum((root / files.rendered).exists() for files in pairs)
    print(f"check: {served} rendered files, {len(RULES)} rules, no problem")
    return 0


def problems_of(root: Path, files: Files, base: str) -> Iterator[str]:
    """The lines of every rule that one (environment, model) breaks."""
    present = [(root / path).exists() for path in (files.release, files.rendered)]
    if not any(present):
        return
    if not all(present):
        yield f"{files.who}: found one of {files.release} and {files.rendered}, expected both (make render)"
        return
    rendered = (root / files.rendered).read_text()
    for rule in RULES:
        try:
            yield from rule(root, files, base, rendered)
        except Problem as problem:
            yield from problem.lines


def agrees(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """release.yaml always says what the rendered file serves."""
    wanted = release.read(root, files)
    arguments = render.rollout_of(rendered)["spec"]["template"]["spec"]["initContainers"][0]["args"]
    _, version = render.delivered(rendered)
    if wanted and (wanted.version != version or f"--artifact={wanted.artifact.md5}" not in arguments):
        yield (
            f"{files.who}: {files.release} says {wanted.version} ({wanted.artifact.md5}), "
            f"expected {version} as rendered ({files.rendered})"
        )


def numbered(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """TensorFlow Serving's integer follows from the version."""
    wanted = release.read(root, files)
    if wanted and wanted.number != release.number(wanted.version):
        expected = release.number(wanted.version)
        yield f"{files.who}: number is {wanted.number}, expected {expected} ({files.release}: spec.number)"


def stamped(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """The label is the hash of the pod template that carries it."""
    label, _ = render.delivered(rendered)
    expected = render.delivery_of(render.rollout_of(rendered)["spec"]["template"])
    if label != expected:
        yield f"{files.who}: delivery is {label}, expected {expected} ({files.rendered}: {render.DELIVERY})"


def current(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """A rendered file is a fresh render, or as the target branch has it, or as a healthy tag has it."""
    if rendered == git.show(root, base, files.rendered) or is_rollback(root, files, base, rendered):
        return
    wanted = release.read(root, files)
    if wanted and rendered != render.render(root, files, wanted):
        yield f"{files.who}: {files.rendered} is not current, expected a fresh render (make render)"


def not_denied(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """A denied delivery never returns: Argo Rollouts would send it all traffic unjudged (argo-rollouts#3039)."""
    delivery, version = render.delivered(rendered)
    for denial in history.denied_at(root, files, base):
        if denial.delivery == delivery:
            yield (
                f"{files.who}: delivery {delivery} ({version}) is denied since {denial.time} ({denial.cause}), "
                f"expected a new patch version ({files.denied}; make release MODEL={files.model})"
            )


def denials_kept(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """denied.yaml only grows."""
    kept = {denial.delivery for denial in release.read_denied(root, files)}
    for denial in history.denied_at(root, files, base):
        if denial.delivery not in kept:
            yield f"{files.who}: the denial of {denial.delivery} is gone, expected it kept ({files.denied})"


def not_former(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """A delivery that was here before and never became healthy does not return, denied or not."""
    delivery, version = render.delivered(rendered)
    before = history.deliveries(root, files, base)
    if not before or before[0][0] == delivery:
        return
    if delivery in {one for one, _, _ in before} - {one.delivery for one in history.healthy(root, files)}:
        yield (
            f"{files.who}: delivery {delivery} ({version}) left without becoming healthy, "
            f"expected a new patch version (make release MODEL={files.model})"
        )


def healthy_below(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """Nothing skips an environment: the artifact and version were healthy one environment below."""
    owner = project.load(root)
    below, wanted = owner.below(files.environment), release.read(root, files)
    if below is None or wanted is None or rendered == git.show(root, base, files.rendered):
        return
    source = Files(below.name, files.model)
    proved = [history.release_at(root, source, one.commit) for one in history.healthy(root, source)]
    if not any(one and (one.version, one.artifact) == (wanted.version, wanted.artifact) for one in proved):
        yield f"{files.who}: {wanted.version} was never healthy in {below.name}, expected its tag there (make promote)"


RULES: list[Rule] = [agrees, numbered, stamped, current, not_denied, denials_kept, not_former, healthy_below]


if __name__ == "__main__":
    raise SystemExit(main())
