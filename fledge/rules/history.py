"""What git says of a pair: that its files belong together, came the right way, and never return once denied."""

from collections.abc import Iterator

from fledge import git, release
from fledge.branch.affected import is_rollback
from fledge.release import Denial, Files, history, render
from fledge.rules.documents import Pair


def denials_kept(pair: Pair) -> Iterator[str]:
    """denied.yaml only grows."""
    kept = release.read_denied(pair.root, pair.files)
    for denial in history.denied_at(pair.root, pair.files, pair.base):
        if denial not in kept:
            yield pair.line(f"the denial of {denial.delivery} is gone or changed", "it kept", str(pair.files.denied))


def present(pair: Pair) -> Iterator[str]:
    """A release has its rendered file, a rendered file its release, and neither vanishes while it is listed."""
    files = pair.files
    there = [(pair.root / path).exists() for path in (files.release, files.rendered)]
    if not any(there):
        if git.show(pair.root, pair.base, files.rendered):
            yield pair.line("its files are gone", "them kept", "project.yaml still lists it")
    elif not all(there):
        yield pair.line(f"found one of {files.release} and {files.rendered}", "both", "make render")


def numbered(pair: Pair) -> Iterator[str]:
    """TensorFlow Serving's integer follows from the version."""
    wanted = pair.release
    if wanted and wanted.number != (expected := release.number(wanted.version)):
        yield pair.line(f"number is {wanted.number}", str(expected), f"{pair.files.release}: spec.number")


def stamped(pair: Pair) -> Iterator[str]:
    """The label is the hash of the pod template that carries it."""
    label, _ = render.delivered(pair.rendered, pair.files.rendered)
    expected = render.delivery_of(pair.template)
    if label != expected:
        yield pair.line(f"delivery is {label}", expected, f"{pair.files.rendered}: {render.DELIVERY}")


def current(pair: Pair) -> Iterator[str]:
    """A rendered file is as the target branch or a healthy tag has it, and so is release.yaml; or a fresh render."""
    if not pair.twins:
        if pair.release and pair.rendered != render.render(pair.root, pair.files, pair.release):
            yield pair.line(f"{pair.files.rendered} is not current", "a fresh render", "make render")
    elif (pair.root / pair.files.release).read_text() not in pair.twins:
        _, version = render.delivered(pair.rendered, pair.files.rendered)
        yield (
            f"{pair.files.who}: {pair.files.release} does not belong to {pair.files.rendered}, expected that of {version}"
        )


def not_denied(pair: Pair) -> Iterator[str]:
    """A denied delivery never returns."""
    if pair.kept:  # it waits for the app or, with nothing healthy to go back to, for a person: not for other branches
        return
    delivery, version = render.delivered(pair.rendered, pair.files.rendered)
    for denial in history.denied_at(pair.root, pair.files, pair.base):
        if denial.delivery == delivery:
            yield denied_line(pair.files, version, denial)


def denied_line(files: Files, version: str, denial: Denial) -> str:
    """Why a delivery may not return, and what to do instead."""
    return (
        f"{files.who}: delivery {denial.delivery} ({version}) {denial.said}, "
        f"expected a new patch version ({files.denied}; make release MODEL={files.model})"
    )


def not_former(pair: Pair) -> Iterator[str]:
    """A delivery that was here before and never became healthy does not return, denied or not."""
    delivery, version = render.delivered(pair.rendered, pair.files.rendered)
    before = history.deliveries(pair.root, pair.files, pair.base)
    if not before or before[0].delivery == delivery:
        return
    healthy = {one.delivery for one in history.healthy(pair.root, pair.files, pair.base)}
    if delivery in {one.delivery for one in before} - healthy:
        yield pair.line(
            f"delivery {delivery} ({version}) left without becoming healthy",
            "a new patch version",
            f"make release MODEL={pair.files.model}",
        )


def healthy_below(pair: Pair) -> Iterator[str]:
    """Nothing skips an environment: the same release was healthy one environment below. A rollback already was here."""
    below, wanted = pair.owner.below(pair.files.environment), pair.release
    if below is None or wanted is None or pair.kept:
        return
    source = Files(below.name, pair.files.model)
    named = [one for one in history.healthy(pair.root, source, pair.base) if one.version == wanted.version]
    proved = [history.release_at(pair.root, source, one.commit) for one in named]
    if wanted in proved or is_rollback(pair.root, pair.files, pair.base, pair.rendered):
        return
    if same := next((one for one in proved if one), None):
        yield from pair.differing(same)
    else:
        yield pair.line(f"{wanted.version} was never healthy in {below.name}", "its tag there", "make promote")
