"""What a branch changes, and of what kind: candidate, promotion, rollback, base."""

import re

import pytest

from fledge import git
from fledge.branch.affected import affected
from fledge.problems import Problem
from fledge.release import Files, history
from scripts import healthy
from tests.conftest import Repository, a_release

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")


def serve(repository: Repository, version: str, environment: str = "staging") -> None:
    """A version is merged to main and becomes healthy."""
    delivery = repository.place(version, environment)
    assert healthy.main(["--env", environment, "--model", "delays", "--delivery", delivery]) == 0


def propose(repository: Repository, version: str, environment: str = "staging") -> None:
    """A branch with a release of that version; it is checked out."""
    git.git(repository.root, "switch", "--quiet", "--create", f"{environment}-{version}")
    repository.place(version, environment)


def test_a_release_in_the_first_environment_is_a_candidate(repository: Repository) -> None:
    """It is gated, against no champion at first and against the last healthy release from then on."""
    propose(repository, "1.0.0")
    [first] = affected(repository.root, "origin/main")
    assert (first.files, first.kind, first.champion, first.gated) == (STAGING, "candidate", None, True)
    git.git(repository.root, "switch", "--quiet", "main")
    serve(repository, "1.0.0")
    propose(repository, "1.1.0")
    [second] = affected(repository.root, "origin/main")
    assert (second.candidate.version, second.champion) == ("1.1.0", a_release("1.0.0"))


def test_a_release_in_a_later_environment_is_a_promotion(repository: Repository) -> None:
    """It is gated against that environment's own champion."""
    serve(repository, "1.0.0")
    serve(repository, "1.0.0", "production")
    serve(repository, "1.1.0")
    serve(repository, "1.2.0")
    propose(repository, "1.2.0", "production")
    [change] = affected(repository.root, "origin/main")
    assert (change.files, change.kind, change.gated) == (PRODUCTION, "promotion", True)
    assert change.champion == a_release("1.0.0")


def test_the_champion_in_another_stack_is_not_gated(repository: Repository) -> None:
    """A change of the serving image alone makes another delivery of the same release: nothing to judge."""
    serve(repository, "1.0.0")
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("tensorflow/serving:2.20.0", "tensorflow/serving:2.19.0"))
    propose(repository, "1.0.0")
    [change] = affected(repository.root, "origin/main")
    assert (change.kind, change.gated) == ("base", False)


def test_a_branch_that_is_behind_proposes_nothing(repository: Repository) -> None:
    """What main delivered since the branch left it is not taken back by the branch, so it is no change of its own."""
    serve(repository, "1.0.0")
    git.git(repository.root, "switch", "--quiet", "--create", "work")
    (repository.root / "words").write_text("words")
    repository.commit("Words")
    git.git(repository.root, "switch", "--quiet", "main")
    serve(repository, "1.1.0")
    git.git(repository.root, "switch", "--quiet", "work")
    assert affected(repository.root, "origin/main") == []


def test_a_champion_without_its_release_is_no_first_release(repository: Repository) -> None:
    """A healthy delivery whose release.yaml is not there is refused by name: no champion would mean milder limits."""
    serve(repository, "1.0.0")
    [best] = history.restorable(repository.root, STAGING, "origin/main")
    git.git(repository.root, "rm", "--quiet", str(STAGING.release))
    git.git(repository.root, "commit", "--quiet", "--amend", "--no-edit")
    git.git(repository.root, "tag", "--force", history.tag_name(STAGING, best.version, best.delivery))
    git.git(repository.root, "push", "--quiet", "--force", "--tags", "origin", "main")
    propose(repository, "1.1.0")
    with pytest.raises(
        Problem, match=r"^staging/delays: 1\.0\.0 is healthy and has no release, expected the champion's"
    ):
        affected(repository.root, "origin/main")


def unlabelled(repository: Repository) -> None:
    """A commit by hand: staging's rendered file names no delivery."""
    file = repository.root / STAGING.rendered
    file.write_text(re.sub(r"\n +fledge.dev/delivery: .*", "", file.read_text()))
    repository.commit("By hand")


def test_a_file_that_names_no_delivery_is_named(repository: Repository) -> None:
    """What a branch then changes nobody can tell: the line says in which file."""
    propose(repository, "1.0.0")
    unlabelled(repository)
    expected = rf"^render: no fledge.dev/delivery .* expected both as labels \({STAGING.rendered}\)$"
    with pytest.raises(Problem, match=expected):
        affected(repository.root, "origin/main")


def test_a_target_branch_whose_file_names_no_delivery_can_be_mended(repository: Repository) -> None:
    """Such a file delivers nothing, so whatever a branch puts in its place is a change."""
    serve(repository, "1.0.0")
    unlabelled(repository)
    repository.push()
    propose(repository, "1.1.0")
    [change] = affected(repository.root, "origin/main")
    assert (change.kind, change.candidate.version, change.champion) == ("candidate", "1.1.0", a_release("1.0.0"))


def test_an_unknown_target_branch_is_one_line(repository: Repository) -> None:
    """The branch of project.yaml that is nowhere is named with the key."""
    with pytest.raises(Problem, match=r"^git: no branch nowhere found, .*\(project\.yaml: branch\)$"):
        git.target(repository.root, "nowhere")
