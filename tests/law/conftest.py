"""Stories on real git, each in a repository of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fledge import git
from tests.conftest import alone
from tests.law.acts import Act
from tests.law.real import Real, a_template, asked_once
from tests.law.story import Story

Begin = Callable[[Sequence[Act]], Story]


@pytest.fixture(scope="session")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Make a story that begins after some acts, which are played once. It ends the one before."""
    folder = tmp_path_factory.mktemp("law")
    with pytest.MonkeyPatch.context() as patch:
        alone(patch)
        patch.setenv("GIT_TEMPLATE_DIR", "")  # no examples of hooks in each of a thousand clones
        asked_once(folder, patch)
        yield Beginnings(folder, a_template(folder)).after


def packed(origin: Path) -> None:
    """Keep all of a repository in a few files: it is copied for each story."""
    git.git(origin, "repack", "-a", "-d", "--quiet")
    git.git(origin, "pack-refs", "--all")


class Beginnings:
    """`begun` are the stories that others continue, by their acts."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template = folder, template
        self.begun: dict[tuple[Act, ...], Story] = {}
        self.last = Path()

    def after(self, acts: Sequence[Act]) -> Story:
        """A story in which these acts happened."""
        before = self.begun.get(tuple(acts)) or self._begun(tuple(acts))
        if self.last.name:
            shutil.rmtree(self.last)
        assert isinstance(before.git, Real)
        story = self._new(before.git.folder, before)
        assert isinstance(story.git, Real)
        self.last = story.git.folder
        return story

    def _begun(self, acts: tuple[Act, ...]) -> Story:
        story = self._new(self.template, None)
        for act in acts:
            story.play(act)
        assert isinstance(story.git, Real)
        shutil.copytree(story.git.remote, story.git.folder / "remote")
        packed(story.git.origin)
        self.begun[acts] = story
        return story

    def _new(self, origin: Path, before: Story | None) -> Story:
        return Story(Real(Path(tempfile.mkdtemp(dir=self.folder)), origin, self.folder / "remote"), before)
