"""The law, on plain data and on the shipped scripts with real git: FULL=1 tells twenty times as many stories."""

import os
from collections import Counter
from typing import get_args

from hypothesis import Phase, given, settings

from fledge.rollout.records import Outcome
from tests.law.acts import Change, Played, stories
from tests.law.conftest import Begin
from tests.law.plain import Plain
from tests.law.real import Real
from tests.law.story import Story

FULL = bool(os.environ.get("FULL"))
# A smaller seed is no shorter story.
FIXED = settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate])
# What must have happened somewhere: a law holds of any number of stories in which it does not.
HAPPENED = {f"{change.__name__} merged" for change in get_args(Change)} | {"refused"}
HAPPENED |= {f"Judge {outcome}" for outcome in get_args(Outcome)} | {"Stop", "Wait", "Sync", "completed", "aborted"}
HAPPENED |= {"denied", "incident", "heard twice", "lost", "overtaken"}


def test_the_law_holds_of_plain_data() -> None:
    """Whatever 40 acts do, git's delivery serves everyone when things are quiet, judged or healthy, never denied."""
    happened: Counter[str] = Counter()

    @settings(FIXED, max_examples=10_000 if FULL else 500)
    @given(stories(10, 40))
    def holds(played: Played) -> None:
        story = Story(Plain())
        story.tell(played.start + played.acts, played.fates)
        happened.update(story.happened)

    holds()
    assert HAPPENED - (+happened).keys() == set()


def test_the_law_holds_of_the_scripts(begin: Begin) -> None:
    """The same with the shipped scripts, real git and a bare remote, though processes die and pushes are overtaken."""
    happened: Counter[str] = Counter()

    @settings(FIXED, max_examples=1_000 if FULL else 50)
    @given(stories(10, 16))
    def holds(played: Played) -> None:
        story = begin(played.start)
        story.tell(played.acts, played.fates)
        assert isinstance(story.git, Real)
        happened.update(story.happened, died=story.git.died)

    holds()
    assert (HAPPENED | {"died"}) - (+happened).keys() == set()
