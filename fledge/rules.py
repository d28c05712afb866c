"""The rules of `make check`: what no linter knows of releases and rendered files.

Each rule takes the repository, an (environment, model), the target branch and the rendered file's text,
and gives a line for each problem; its docstring says what it holds and why.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from fledge import git, history, project, release, render
from fledge.affected import is_rollback
from fledge.problems import Problem
from fledge.release import Denial, Files

Rule = Callable[[Path, Files, str, str], Iterator[str]]


def problems_of(root: Path, files: Files, base: str) -> Iterator[str]:
    """The lines of every rule that one (environment, model) of the working tree breaks."""
    yield from denials_kept(root, files, base)
    present = [(root / path).exists() for path in (files.release, files.rendered)]
    if not any(present):
        if git.show(root, base, files.rendered):
            yield f"{files.who}: its files are gone, expected them kept (project.yaml still lists it)"
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


def denials_kept(root: Path, files: Files, base: str) -> Iterator[str]:
    """denied.yaml only grows."""
    kept = release.read_denied(root, files)
    for denial in history.denied_at(root, files, base):
        if denial not in kept:
            yield f"{files.who}: the denial of {denial.delivery} is gone or changed, expected it kept ({files.denied})"


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
    """A rendered file is as the target branch or a healthy tag has it, and so is release.yaml; or a fresh render."""
    known = [base, *(one.commit for one in history.restorable(root, files, base))]
    same = [text == rendered for text in git.shows(root, known, files.rendered)]
    releases = [text for text, found in zip(git.shows(root, known, files.release), same, strict=True) if found]
    if not releases:
        wanted = release.read(root, files)
        if wanted and rendered != render.render(root, files, wanted):
            yield f"{files.who}: {files.rendered} is not current, expected a fresh render (make render)"
    elif (root / files.release).read_text() not in releases:
        _, version = render.delivered(rendered)
        yield f"{files.who}: {files.release} does not belong to {files.rendered}, expected that of {version}"


def not_denied(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """A denied delivery never returns: Argo Rollouts would send it all traffic unjudged (argo-rollouts#3039)."""
    delivery, version = render.delivered(rendered)
    for denial in history.denied_at(root, files, base):
        if denial.delivery == delivery:
            yield denied_line(files, version, denial)


def denied_line(files: Files, version: str, denial: Denial) -> str:
    """Why a delivery may not return, and what to do instead."""
    return (
        f"{files.who}: delivery {denial.delivery} ({version}) is denied since {denial.time} ({denial.cause}), "
        f"expected a new patch version ({files.denied}; make release MODEL={files.model})"
    )


def not_former(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """A delivery that was here before and never became healthy does not return, denied or not."""
    delivery, version = render.delivered(rendered)
    before = history.deliveries(root, files, base)
    if not before or before[0].delivery == delivery:
        return
    if delivery in {one.delivery for one in before} - {one.delivery for one in history.healthy(root, files, base)}:
        yield (
            f"{files.who}: delivery {delivery} ({version}) left without becoming healthy, "
            f"expected a new patch version (make release MODEL={files.model})"
        )


def healthy_below(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """Nothing skips an environment: the same release was healthy one environment below. A rollback already was here."""
    below, wanted = project.load(root).below(files.environment), release.read(root, files)
    if below is None or wanted is None or rendered == git.show(root, base, files.rendered):
        return
    source = Files(below.name, files.model)
    proved = [history.release_at(root, source, one.commit) for one in history.healthy(root, source, base)]
    if wanted not in proved and not is_rollback(root, files, base, rendered):
        yield f"{files.who}: {wanted.version} was never healthy in {below.name}, expected its tag there (make promote)"


def share_said(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """The judge is told the share that the canary has: another one would make every E-value wrong."""
    share = None
    for step in render.rollout_of(rendered)["spec"]["strategy"]["canary"]["steps"]:
        share = step.get("setWeight", share)
        for argument in step.get("analysis", {}).get("args", []):
            if argument["name"] == "weight" and argument["value"] != str(share):
                found = argument["value"]
                yield f"{files.who}: the judge is told weight {found}, expected {share} (manifests/base/rollout.yaml)"


def enough_pods(root: Path, files: Files, base: str, rendered: str) -> Iterator[str]:
    """With fewer replicas than minPodsPerReplicaSet a canary is never promoted."""
    spec = render.rollout_of(rendered)["spec"]
    least = spec["strategy"]["canary"].get("minPodsPerReplicaSet", 1)
    if spec.get("replicas", 1) < least:
        yield (
            f"{files.who}: replicas is {spec.get('replicas', 1)}, expected at least {least}, minPodsPerReplicaSet "
            f"(manifests/environments/{files.environment})"
        )


RULES: list[Rule] = [
    numbered, stamped, current, not_denied, not_former, healthy_below, share_said, enough_pods,
]  # fmt: skip
