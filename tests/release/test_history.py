"""What git remembers: to the byte, and asked no more often of a long history than of a short one."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fledge import git, retention
from fledge.branch.affected import is_rollback
from fledge.gates.comparison import anchor
from fledge.release import Files, Release, history, to_text
from fledge.release.standing import standings
from fledge.rules import problems_of
from tests.repository import Repository, invented

FILES, PRODUCTION = Files("staging", "delays"), Files("production", "delays")
TEXTS = {
    "empty": "",
    "no newline at its end": "words",
    "like the head of another": "blob 5\nmissing\nblob 0\n",
    "another's line ends": "one\r\ntwo\r",
    "more bytes than letters": "é – 😀\n",
}


def served(repository: Repository, versions: list[str]) -> None:
    """Commit, tag healthy and push a delivery of each version: files that name it, and nothing else."""
    root = repository.root
    for version in versions:
        delivery = f"{len(version)}{version.replace('.', '')}".ljust(12, "0")
        write(root, FILES.rendered, f"  fledge.dev/delivery: {delivery}\n  fledge.dev/version: {version}\n")
        write(root, FILES.release, to_text(FILES.model, invented(version)))
        commit = repository.commit(version, FILES.release, FILES.rendered)
        git.git(root, "tag", history.tag_name(FILES, version, delivery), commit)
    repository.push()


def write(root: Path, file: Path, text: str) -> None:
    """A file of the clone."""
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)


def champion(root: Path) -> Release:
    """The last healthy release."""
    best = history.last_healthy(root, FILES, "main")
    found = best and history.release_at(root, FILES, best.commit)
    assert found
    return found


# Everything that asks for the whole history of an (environment, model).
QUESTIONS: dict[str, Callable[[Path], Any]] = {
    "the champion": lambda root: champion(root).version,
    "the anchor": lambda root: anchor(root, FILES, "main", champion(root), None, "a key"),
    "a rollback": lambda root: is_rollback(root, FILES, "main", (root / FILES.rendered).read_text()),
    "the rules": lambda root: list(problems_of(root, FILES, "main")),
    "a promotion's rules": lambda root: list(problems_of(root, PRODUCTION, "main")),
    "what stays": lambda root: retention.promised(root, "main"),
    "what ever was": lambda root: retention.released(root, "main"),
    "the versions": lambda root: history.versions(root, "delays", ["staging", "production"], "main"),
    "the status": lambda root: standings(root, [FILES], "main", compare=False),
}


def asked(root: Path, question: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """The answer, and by how many processes of git."""
    count = 0
    run = subprocess.run

    def counted(command: Any, **options: Any) -> Any:
        nonlocal count
        count += command[0] == "git"
        return run(command, **options)

    history._deliveries.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", counted)
        return question(root), count


def test_a_long_history_is_asked_no_more_often(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question has as many processes of git behind it where 30 deliveries were healthy as where 4 were."""
    root, found = repository.root, []
    for versions in (range(4), range(4, 30)):
        served(repository, [f"1.0.{patch}" for patch in versions])
        write(root, PRODUCTION.release, (root / FILES.release).read_text())  # promoted, and not yet committed
        write(root, PRODUCTION.rendered, (root / FILES.rendered).read_text())
        found.append({name: asked(root, question, monkeypatch) for name, question in QUESTIONS.items()})
    short, long = found
    assert (short["the champion"][0], long["the champion"][0]) == ("1.0.3", "1.0.29")
    assert {name: count for name, (_, count) in long.items()} == {name: count for name, (_, count) in short.items()}


@pytest.mark.parametrize("name", TEXTS)
def test_git_shows_the_very_bytes(repository: Repository, name: str) -> None:
    """Of many revisions at once each text is the file's own; what is not there is nothing."""
    root, text = repository.root, TEXTS[name]
    (root / "file").write_bytes(text.encode())
    first = repository.commit(name)
    (root / "file").write_bytes(f"{text}more".encode())
    second = repository.commit("More")
    there = git.shows(root, [first, "nowhere", second, f"{first}^", first], "file")
    assert there == [text, None, f"{text}more", None, text]
    assert git.show(root, second, "file") == f"{text}more"
    assert git.show(root, first, "other") is None
