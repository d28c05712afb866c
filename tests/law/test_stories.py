"""Cases that the law found, and some that were there before it, as plain stories on real git."""

import pytest

from fledge.release import Files
from tests.law.acts import (
    MODELS,
    PAIRS,
    SERVED,
    Act,
    Back,
    Base,
    Edit,
    Event,
    Judge,
    Promote,
    Propose,
    Reconcile,
    Release,
    Revert,
    Serve,
    Sync,
    Wait,
)
from tests.law.conftest import Begin
from tests.law.real import Real
from tests.law.story import Story

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")
NEW = Propose(Release(("delays",)))


def played(begin: Begin, start: list[Act], *acts: Act) -> tuple[Story, Real]:
    """The story after these acts, and its git."""
    story = begin(start)
    for act in acts:
        story.play(act)
    assert isinstance(story.git, Real)
    return story, story.git


def version(git: Real, files: Files) -> str | None:
    """What the target branch tells an environment to run."""
    told = git.told(files)
    return told.version if told else None


def settled(story: Story) -> None:
    """Hold the law when things are quiet."""
    story.tell([])


def test_one_model_without_a_healthy_delivery_keeps_no_other_branch_waiting(begin: Begin) -> None:
    """While a first delivery is denied and nothing is there to go back to, what does not touch it can be merged."""
    story, git = played(begin, [], Propose(Release(("delays",), broken=True)), Sync("staging"), Wait("staging", 1000.0))
    story.play(Event())
    assert git.denied(STAGING)
    assert "nothing was healthy before it, expected a healthy delivery to go back to" in git.said[-1]
    name = git.propose(Edit())
    assert name
    assert git.merge(name), git.said[-1]
    settled(story)


def test_what_is_denied_and_still_held_may_not_change(begin: Begin) -> None:
    """Another canary plan around a denied delivery would start its canary again (seen on the real controller)."""
    bad = Propose(Release(("delays",), broken=True))
    story, git = played(begin, [], bad, Sync("staging"), Wait("staging", 1000.0), Event())
    name = git.propose(Base("steps"))
    assert name
    assert not git.merge(name)
    assert "is denied since" in git.said[-1]
    settled(story)


def test_an_abort_while_a_newer_merge_waits(begin: Begin) -> None:
    """The delivery that left is denied, the newer one stays and gets its own canary."""
    story, git = played(begin, SERVED, NEW, Sync("staging"), NEW, Judge(0, "Failed"), Event())
    assert version(git, STAGING) == "1.0.2"
    assert len(git.denied(STAGING)) == 1
    settled(story)
    assert version(git, STAGING) == "1.0.2"


def test_two_models_merged_together(begin: Begin) -> None:
    """Of two models in one merge only the one whose canary failed goes back."""
    story, git = played(begin, SERVED, Propose(Release(MODELS)), Sync("staging"), Judge(0, "Failed"), Event())
    assert [version(git, files) for files in PAIRS[:2]] == ["1.0.0", "1.0.1"]
    settled(story)
    assert [version(git, files) for files in PAIRS[:2]] == ["1.0.0", "1.0.1"]


def test_a_superseded_canary_never_returns(begin: Begin) -> None:
    """A revert by hand of the release that superseded it would send it all traffic unjudged: refused."""
    story, git = played(begin, SERVED, NEW, Sync("staging"), NEW, Serve("staging"))
    name = git.propose(Revert())
    assert name
    assert not git.merge(name)
    assert "left without becoming healthy" in git.said[-1]
    settled(story)


def test_a_denied_delivery_is_refused_by_hand_too(begin: Begin) -> None:
    """`git checkout` of the files of a denied delivery is no way back."""
    story, git = played(begin, SERVED, NEW, Judge(0, "Error", sync=True), Event())
    name = git.propose(Back(STAGING, 1))
    assert name
    assert not git.merge(name)
    assert "is denied since" in git.said[-1]
    settled(story)


def test_an_undecided_canary_is_given_up(begin: Begin) -> None:
    """Inconclusive to the limit pauses for ever: the reconciler aborts it, and git goes back."""
    story, git = played(begin, SERVED, NEW, Judge(0, "Inconclusive", sync=True), Reconcile(), Reconcile())
    assert version(git, STAGING) == "1.0.0"
    assert len(git.denied(STAGING)) == 1
    settled(story)


@pytest.mark.parametrize("crash", range(9))
def test_a_revert_that_dies_anywhere_is_made_again(begin: Begin, crash: int) -> None:
    """Whichever write, commit or push the app does not live to make, the reconciler's next look closes the loop."""
    story, git = played(begin, SERVED, NEW, Judge(0, "Failed", sync=True), Event(crash=crash), Reconcile())
    assert version(git, STAGING) == "1.0.0"
    assert len(git.denied(STAGING)) == 1
    settled(story)


@pytest.mark.parametrize("crash", range(4))
def test_a_tag_that_is_not_pushed_is_made_again(begin: Begin, crash: int) -> None:
    """A healthy tag that died with its machine is made by the reconciler's next look."""
    story, git = played(begin, [], NEW, Sync("staging"), Event(crash=crash), Reconcile())
    assert len(git.healthy(STAGING)) == 1
    settled(story)


@pytest.mark.parametrize("crash", range(5))
def test_a_promotion_that_dies_anywhere_is_made_again(begin: Begin, crash: int) -> None:
    """A person cleans up with git, runs the verb again, and the same proposal comes out."""
    story, git = played(begin, [NEW, Serve("staging")], Propose(Promote(("delays",), crash=crash)))
    assert version(git, PRODUCTION) == "1.0.0"
    settled(story)


def test_a_push_that_is_overtaken_is_made_anew(begin: Begin) -> None:
    """When others merge between the app's fetch and its push, both acts are made on what they left."""
    other = Propose(Release(("churn",)), merge=False)
    story, git = played(begin, SERVED, NEW, other, Judge(0, "Failed", sync=True), Event(race=1))
    assert [version(git, files) for files in PAIRS[:2]] == ["1.0.0", "1.0.1"]
    settled(story)


def test_a_push_overtaken_by_a_newer_release_takes_nothing_away(begin: Begin) -> None:
    """A newer release of the same model that lands in between stays; the delivery that left is denied all the same."""
    story, git = played(begin, SERVED, NEW, Judge(0, "Failed", sync=True))
    newer = git.propose(Release(("delays",)))
    assert newer
    story.play(Event(race=1))
    assert version(git, STAGING) == "1.0.2"
    assert len(git.denied(STAGING)) == 1
    settled(story)
