"""fledge.rehearsal.delivery with a real remote."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fledge import git
from fledge.problems import Problem
from fledge.rehearsal.delivery import follow
from tests.conftest import Repository
from tests.rehearsal.waiting import until


class Seen:
    """What was applied, as (model, version, commit), and what was complained of."""

    def __init__(self) -> None:
        self.applied: list[tuple[str, str, str]] = []
        self.problems: list[str] = []

    def apply(self, model: str, objects: Sequence[dict[str, Any]], commit: str) -> None:
        rollout = next(item for item in objects if item["kind"] == "Rollout")
        self.applied.append((model, rollout["spec"]["template"]["metadata"]["labels"]["fledge.dev/version"], commit))

    def emit(self, event: str, facts: Mapping[str, Any]) -> None:
        self.problems.append(f"{event}: {facts['message']}")

    @asynccontextmanager
    async def following(self, repository: Repository, branch: str = "main") -> AsyncIterator[None]:
        mirror = repository.root.parent / "mirror.git"
        remote = git.git(repository.root, "remote", "get-url", "origin")
        running = asyncio.create_task(follow(remote, branch, "production", mirror, self.apply, self.emit))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def test_what_changed_is_applied(repository: Repository) -> None:
    """Each commit that changes an environment's file is applied once, and no other commit is."""
    seen = Seen()

    async def scene() -> None:
        async with seen.following(repository):
            repository.place("1.0.0", "production")
            await until(lambda: len(seen.applied) == 1)
            (repository.root / "README.md").write_text("another file")
            repository.commit("Write", "README.md")
            repository.push()
            repository.place("1.1.0", "production")
            await until(lambda: len(seen.applied) == 2)

    asyncio.run(scene())
    head = git.git(repository.root, "rev-parse", "HEAD")
    assert seen.applied[1] == ("delays", "1.1.0", head)
    assert [version for _, version, _ in seen.applied] == ["1.0.0", "1.1.0"]
    assert not seen.problems


def test_a_file_that_disappears_stays(repository: Repository) -> None:
    """Removing a rendered file applies nothing, as an ApplicationSet that may not delete."""
    repository.place("1.0.0", "production")
    seen = Seen()

    async def scene() -> None:
        async with seen.following(repository):
            await until(lambda: len(seen.applied) == 1)
            git.git(repository.root, "rm", "-q", "manifests/rendered/production/delays.yaml")
            git.git(repository.root, "commit", "-q", "-m", "Remove")
            repository.push()
            repository.place("1.1.0", "production")
            await until(lambda: len(seen.applied) == 2)

    asyncio.run(scene())
    assert [version for _, version, _ in seen.applied] == ["1.0.0", "1.1.0"]


def test_trouble_is_told_once_and_does_not_end_it(repository: Repository, tmp_path: Path) -> None:
    """A branch that is missing is complained of once; when it comes, it is followed."""
    repository.place("1.0.0", "production")
    seen = Seen()

    async def scene() -> None:
        async with seen.following(repository, "later"):
            await until(lambda: seen.problems)
            git.git(repository.root, "push", "-q", "origin", "main:later")
            await until(lambda: seen.applied)

    asyncio.run(scene())
    assert len(seen.problems) == 1
    assert seen.problems[0].startswith("problem: delivery: found no branch later, expected one in ")


def test_a_file_that_is_no_yaml(repository: Repository) -> None:
    """A file that does not parse is named, and the next good commit is applied."""
    repository.place("1.0.0", "production")
    seen = Seen()
    file = "manifests/rendered/production/delays.yaml"

    async def scene() -> None:
        async with seen.following(repository):
            await until(lambda: seen.applied)
            (repository.root / file).write_text("a: [")
            repository.commit("Break", file)
            repository.push()
            await until(lambda: seen.problems)
            repository.place("1.1.0", "production")
            await until(lambda: len(seen.applied) == 2)

    asyncio.run(scene())
    assert len(seen.problems) == 1
    assert seen.problems[0].startswith(f"problem: {file}: while parsing")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [", "while parsing"),
        (b"\xff\xfe\x00", "unacceptable character #x0000"),
        (b"just a word", "found just a word, expected a Kubernetes object"),
        (b"{kind: Service}", "found {'kind': 'Service'}, expected a Kubernetes object"),
    ],
)
def test_a_broken_file_does_not_hold_back_the_others(repository: Repository, content: bytes, reason: str) -> None:
    """Of a commit in which one file is broken the others are applied, and that file once it is mended."""
    broken = "manifests/rendered/production/aaa.yaml"
    good = repository.root / "manifests/rendered/production/delays.yaml"
    seen = Seen()

    async def scene() -> None:
        async with seen.following(repository):
            (repository.root / broken).parent.mkdir(parents=True, exist_ok=True)
            (repository.root / broken).write_bytes(content)
            repository.commit("Break", broken)
            repository.place("1.0.0", "production")
            await until(lambda: seen.applied)
            (repository.root / broken).write_bytes(good.read_bytes())
            repository.commit("Mend", broken)
            repository.push()
            await until(lambda: len(seen.applied) == 2)

    asyncio.run(scene())
    assert [(model, version) for model, version, _ in seen.applied] == [("delays", "1.0.0"), ("aaa", "1.0.0")]
    assert len(seen.problems) == 1
    assert seen.problems[0].startswith(f"problem: {broken}: {reason}")


def test_what_cannot_be_applied_is_tried_again(repository: Repository) -> None:
    """A file that could not be applied is tried again without a new commit, and complained of once."""
    seen, refusals = Seen(), 3
    apply = seen.apply

    def refusing(model: str, objects: Sequence[dict[str, Any]], commit: str) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise Problem("delays: not now")
        apply(model, objects, commit)

    seen.apply = refusing  # type: ignore[method-assign]
    repository.place("1.0.0", "production")

    async def scene() -> None:
        async with seen.following(repository):
            await until(lambda: seen.applied)

    asyncio.run(scene())
    assert seen.problems == ["problem: delays: not now"]
