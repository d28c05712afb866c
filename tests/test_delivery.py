"""Release, promotion, rollback and auto-revert in a real git repository: git always tells the truth."""

from pathlib import Path

import pytest

from fledge import git, release
from fledge.branch.affected import affected
from fledge.release import Denial, Files, history, render
from scripts import auto_revert, check, healthy, promote, rollback
from tests.conftest import Repository, a_release

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")


def make_healthy(repository: Repository, files: Files, delivery: str) -> None:
    """What the app does when a rollout completes."""
    arguments = ["--env", files.environment, "--model", files.model, "--delivery", delivery]
    assert healthy.main(arguments) == 0


def serve(repository: Repository, version: str) -> str:
    """Take a version all the way: healthy in staging, promoted, healthy in production; production's delivery."""
    make_healthy(repository, STAGING, repository.place(version, "staging"))
    assert promote.main(["--model", "delays", "--to", "production"]) == 0
    repository.push()
    delivery = render.delivered((repository.root / PRODUCTION.rendered).read_text())[0]
    make_healthy(repository, PRODUCTION, delivery)
    return delivery


def fail(repository: Repository, delivery: str, environment: str = "production") -> int:
    """What the app does when a rollout is aborted."""
    arguments = ["--env", environment, "--model", "delays", "--delivery", delivery, "--reason", "judge: e_worse 120"]
    code = auto_revert.main(arguments)
    git.git(repository.root, "checkout", "--quiet", "main")
    git.git(repository.root, "pull", "--quiet", "--ff-only")
    return code


def problems(repository: Repository, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that `make check` prints on stderr."""
    capsys.readouterr()
    check.main([])
    return capsys.readouterr().err.splitlines()


def test_an_untouched_template_has_nothing_to_refuse(repository: Repository) -> None:
    """Before any release `make check` passes: the template ships none."""
    assert check.main([]) == 0


def test_what_project_yaml_does_not_list_is_not_left_behind(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model taken out of project.yaml cannot keep files that Argo CD would apply and no rule would look at."""
    repository.place("1.0.0", "staging")
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("  - delays\n", "  - other\n"))
    line = "staging/delays: has files under manifests/, expected them listed or removed (project.yaml: models, environments)"
    assert line in problems(repository, capsys)


def test_the_delivery_is_the_hash_of_what_runs(repository: Repository) -> None:
    """Another artifact is another delivery; the autoscaler, steps and routes are no part of it."""
    first = render.render(repository.root, STAGING, a_release("1.0.0"))
    other = render.render(repository.root, STAGING, a_release("1.0.1"))
    assert render.delivered(first)[0] != render.delivered(other)[0]
    environment = repository.root / "manifests/environments/staging/kustomization.yaml"
    environment.write_text(environment.read_text().replace("value: 2", "value: 5"))
    scaled = render.render(repository.root, STAGING, a_release("1.0.0"))
    assert scaled != first
    assert render.delivered(scaled) == render.delivered(first)


def test_promotion_needs_health_below(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A release without a healthy tag in staging is not promoted, and the missing tag is named."""
    delivery = repository.place("1.0.0", "staging")
    assert promote.main(["--model", "delays", "--to", "production"]) == 1
    assert f"expected the tag healthy/staging/delays/1.0.0-{delivery}" in capsys.readouterr().err
    assert not (repository.root / PRODUCTION.release).exists()


def test_an_abort_restores_the_last_healthy_bytes(repository: Repository) -> None:
    """Auto-revert denies the delivery and gives back, byte for byte, what the last healthy tag holds."""
    serve(repository, "1.0.0")
    before = (repository.root / PRODUCTION.rendered).read_bytes()
    make_healthy(repository, STAGING, repository.place("1.1.0", "staging"))
    bad = repository.place("1.1.0", "production")
    assert fail(repository, bad) == 0
    assert (repository.root / PRODUCTION.rendered).read_bytes() == before
    assert [denial.delivery for denial in history.denied_at(repository.root, PRODUCTION, "origin/main")] == [bad]
    assert repository.serves("staging") == "1.1.0"
    assert check.main([]) == 0


def test_auto_revert_twice_is_once(repository: Repository) -> None:
    """A duplicate abort event changes nothing."""
    serve(repository, "1.0.0")
    bad = repository.place("1.1.0", "staging")
    assert fail(repository, bad, "staging") == 0
    once = git.git(repository.root, "rev-parse", "origin/main")
    assert fail(repository, bad, "staging") == 0
    assert git.git(repository.root, "rev-parse", "origin/main") == once


def test_a_healthy_delivery_is_never_denied(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """An abort of what was healthy is an incident for a person, not a revert."""
    good = serve(repository, "1.0.0")
    assert fail(repository, good) == 1
    assert f"delivery {good} was healthy there, expected a canary" in capsys.readouterr().err
    assert history.denied_at(repository.root, PRODUCTION, "origin/main") == []


def test_a_late_abort_denies_without_reverting_the_newer_merge(repository: Repository) -> None:
    """When something newer was merged meanwhile, the delivery that left is denied and the newer one stays."""
    serve(repository, "1.0.0")
    bad = repository.place("1.1.0", "staging")
    newer = repository.place("1.1.1", "staging")
    assert fail(repository, bad, "staging") == 0
    assert repository.serves("staging") == "1.1.1"
    assert [denial.delivery for denial in history.denied_at(repository.root, STAGING, "origin/main")] == [bad]
    assert newer != bad


def test_a_denied_delivery_is_refused_again(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Proposing the same again fails `make promote` and, done by hand, `make check`, with the cause."""
    serve(repository, "1.0.0")
    make_healthy(repository, STAGING, repository.place("1.1.0", "staging"))
    bad = repository.place("1.1.0", "production")
    fail(repository, bad)
    assert promote.main(["--model", "delays", "--to", "production"]) == 1
    assert f"delivery {bad} (1.1.0) is denied since" in capsys.readouterr().err
    render.write(repository.root, PRODUCTION, a_release("1.1.0"))
    repository.commit("By hand")
    assert any(f"delivery {bad} (1.1.0) is denied since" in line for line in problems(repository, capsys))


def test_a_delivery_that_never_became_healthy_does_not_return(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A superseded delivery is refused although nobody denied it: Rollouts would fast-track it unjudged."""
    serve(repository, "1.0.0")
    superseded = repository.place("1.1.0", "staging")
    repository.place("1.1.1", "staging")
    render.write(repository.root, STAGING, a_release("1.1.0"))
    repository.commit("Back to it")
    expected = f"staging/delays: delivery {superseded} (1.1.0) left without becoming healthy"
    assert any(line.startswith(expected) for line in problems(repository, capsys))


def test_a_hand_made_git_revert_is_a_rollback(repository: Repository) -> None:
    """`git revert` of a promotion gives the bytes of the healthy tag, passes the check and needs no model gate."""
    serve(repository, "1.0.0")
    serve(repository, "1.1.0")
    git.git(repository.root, "checkout", "--quiet", "-b", "back")
    git.git(repository.root, "revert", "--no-edit", "HEAD")
    assert check.main([]) == 0
    [change] = affected(repository.root, "origin/main")
    assert (change.files, change.kind, change.gated) == (PRODUCTION, "rollback", False)


def test_rollback_writes_what_git_revert_writes(repository: Repository) -> None:
    """`make rollback` and `git revert` end in the same tree."""
    serve(repository, "1.0.0")
    serve(repository, "1.1.0")
    tip = git.git(repository.root, "rev-parse", "HEAD")
    git.git(repository.root, "revert", "--no-edit", "HEAD")
    reverted = git.git(repository.root, "rev-parse", "HEAD^{tree}")
    git.git(repository.root, "reset", "--hard", "--quiet", tip)
    assert rollback.main(["--model", "delays", "--env", "production"]) == 0
    assert git.git(repository.root, "rev-parse", "HEAD^{tree}") == reverted


def test_rollback_to_a_denied_version_says_what_would_do(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version that is not healthy there is refused, and those that are come with the answer."""
    first = serve(repository, "1.0.0")
    serve(repository, "1.1.0")
    assert rollback.main(["--model", "delays", "--env", "production", "--to", "1.0.5"]) == 1
    assert f"no healthy delivery 1.0.5 found, expected one of: 1.0.0 ({first})" in capsys.readouterr().err


def test_the_champion_is_the_last_healthy_not_the_newest_tag(repository: Repository) -> None:
    """After a rollback the champion is what was restored."""
    first = serve(repository, "1.0.0")
    serve(repository, "1.1.0")
    rollback.main(["--model", "delays", "--env", "production"])
    repository.push()
    best = history.last_healthy(repository.root, PRODUCTION, "origin/main")
    assert best is not None
    assert best.delivery == first


def test_a_tag_on_a_branchs_own_commit_says_nothing(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A candidate cannot make itself healthy: only tags in the target branch's history count."""
    serve(repository, "1.0.0")
    git.git(repository.root, "checkout", "--quiet", "-b", "forged")
    render.write(repository.root, STAGING, a_release("6.6.6"))
    commit = repository.commit("A candidate that says it is healthy")
    delivery, version = render.delivered((repository.root / STAGING.rendered).read_text())
    git.git(repository.root, "tag", history.tag_name(STAGING, version, delivery), commit)
    [change] = affected(repository.root, "origin/main")
    assert (change.kind, change.gated) == ("candidate", True)


def test_a_longer_promotion_path_does_not_stand_in_a_reverts_way(repository: Repository) -> None:
    """After an environment was put before production, an abort there is still denied and reverted."""
    serve(repository, "1.0.0")
    make_healthy(repository, STAGING, repository.place("1.1.0", "staging"))
    bad = repository.place("1.1.0", "production")
    owner = repository.root / "project.yaml"
    between = "  - name: pre\n    domain: pre.example.com\n    traffic: users\n  - name: production\n"
    owner.write_text(owner.read_text().replace("  - name: production\n", between))
    repository.commit("A longer path")
    repository.push()
    assert fail(repository, bad) == 0
    assert repository.serves("production") == "1.0.0"


def test_a_denial_lands_even_where_the_revert_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two acts: when a rule refuses the reverted bytes, the delivery is denied all the same and a person is told why."""
    serve(repository, "1.0.0")
    make_healthy(repository, STAGING, repository.place("1.1.0", "staging"))
    bad = repository.place("1.1.0", "production")
    denied = release.denied_to_text("delays", [Denial(delivery="0" * 12, version="0.9.0", cause="x", time="y")])
    (repository.root / PRODUCTION.denied).write_text(denied)
    best = history.last_healthy(repository.root, PRODUCTION, "origin/main")
    assert best is not None
    monkey = pytest.MonkeyPatch()
    monkey.setattr(auto_revert, "problems_of", lambda *_: iter(["production/delays: a rule says no"]))
    repository.commit("An older denial")
    repository.push()
    assert fail(repository, bad) == 1
    monkey.undo()
    assert "a rule says no" in capsys.readouterr().err
    assert bad in [denial.delivery for denial in history.denied_at(repository.root, PRODUCTION, "origin/main")]
    assert repository.serves("production") == "1.1.0"
    assert git.git(repository.root, "status", "--porcelain") == ""


def test_files_that_vanish_are_named(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Deleting what serves, with its deny list, is refused while project.yaml still lists it."""
    serve(repository, "1.0.0")
    fail(repository, repository.place("1.1.0", "staging"), "staging")
    for path in (STAGING.release, STAGING.rendered, STAGING.denied):
        (repository.root / path).unlink()
    said = "\n".join(problems(repository, capsys))
    assert "staging/delays: its files are gone" in said
    assert "is gone or changed, expected it kept" in said


def test_an_artifact_that_was_never_healthy_is_no_base_change(repository: Repository) -> None:
    """Another stack around an artifact that is not the champion's is a candidate, and gated."""
    serve(repository, "1.0.0")
    repository.place("1.1.0", "staging")
    git.git(repository.root, "checkout", "--quiet", "-b", "proposal")
    base = repository.root / "manifests/base/rollout.yaml"
    base.write_text(base.read_text().replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31"))
    render.write(repository.root, STAGING, a_release("1.1.0"))
    repository.commit("Another stack")
    assert [change.kind for change in affected(repository.root, "origin/main")] == ["candidate"]


def test_a_first_delivery_needs_a_gateway_to_be_healthy(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without golden requests a first delivery gets no tag."""
    delivery = repository.place("1.0.0", "staging")
    assert healthy.main(["--env", "staging", "--model", "delays", "--delivery", delivery, "--first"]) == 1
    assert "no gateway given" in capsys.readouterr().err
    assert git.git(repository.root, "tag", "--list") == ""


def test_kinds_of_change(repository: Repository) -> None:
    """A release is a candidate, one environment up a promotion, the same artifact in another stack a base change."""
    serve(repository, "1.0.0")
    git.git(repository.root, "checkout", "--quiet", "-b", "proposal")
    render.write(repository.root, STAGING, a_release("1.1.0"))
    repository.commit("A candidate")
    [change] = affected(repository.root, "origin/main")
    assert (change.kind, change.candidate.version) == ("candidate", "1.1.0")
    assert change.champion is not None
    assert change.champion.version == "1.0.0"
    render.write(repository.root, STAGING, a_release("1.0.0"))
    base = repository.root / "manifests/base/rollout.yaml"
    base.write_text(base.read_text().replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31"))
    render.write(repository.root, STAGING, a_release("1.0.0"))
    repository.commit("Another stack")
    assert [change.kind for change in affected(repository.root, "origin/main")] == ["base"]


EDITS = {
    "a version that is not rendered": (
        STAGING.release,
        "version: 1.0.0",
        "version: 1.0.9",
        "does not belong to",
    ),
    "a wrong number": (STAGING.release, "number: 1000000", "number: 1000001", "number is 1000001, expected 1000000"),
    "a rendered file edited by hand": (STAGING.rendered, "minReplicas: 2", "minReplicas: 3", "is not current"),
    "a share that the judge is not told": (STAGING.rendered, 'value: "5"', 'value: "50"', "told weight 50, expected 5"),
    "too few pods": (
        STAGING.rendered,
        "minReplicas: 2",
        "minReplicas: 1",
        "minReplicas is 1, expected at least 2",
    ),
    "a pod template edited by hand": (STAGING.rendered, "--port=8500", "--port=8600", "delivery is"),
}


@pytest.mark.parametrize(("path", "old", "new", "reason"), EDITS.values(), ids=EDITS)
def test_edits_by_hand_are_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str], path: Path, old: str, new: str, reason: str
) -> None:
    """Only scripts write these files: `make check` names what an edit broke."""
    repository.place("1.0.0", "staging")
    file = repository.root / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert any(reason in line for line in problems(repository, capsys))


def test_denials_only_grow(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Taking a line out of denied.yaml is refused."""
    serve(repository, "1.0.0")
    bad = repository.place("1.1.0", "staging")
    fail(repository, bad, "staging")
    (repository.root / STAGING.denied).unlink()
    assert any(f"the denial of {bad} is gone or changed" in line for line in problems(repository, capsys))


def test_a_skipped_environment_is_refused(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Production takes only what was healthy in staging."""
    render.write(repository.root, PRODUCTION, a_release("1.0.0"))
    repository.commit("Straight to production")
    assert any("1.0.0 was never healthy in staging" in line for line in problems(repository, capsys))


@pytest.mark.parametrize(
    ("verb", "arguments", "line"),
    [
        (promote, ["--model", "churn", "--to", "production"], "churn: no such model"),
        (promote, ["--model", "delays", "--to", "moon"], "moon: no such environment"),
        (promote, ["--model", "delays", "--to", "staging"], "found the first environment, expected a later one"),
        (rollback, ["--model", "delays", "--env", "moon"], "moon: no such environment"),
    ],
)
def test_unknown_names_are_one_line(
    repository: Repository, capsys: pytest.CaptureFixture[str], verb: object, arguments: list[str], line: str
) -> None:
    """An unknown model or environment exits 1 with one line and leaves the tree as it was."""
    assert verb.main(arguments) == 1  # type: ignore[attr-defined]
    [said] = capsys.readouterr().err.splitlines()
    assert line in said
    assert git.git(repository.root, "status", "--porcelain") == ""


def test_an_unclean_tree_is_named(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A verb that commits refuses a tree with other changes, file by file."""
    (repository.root / "notes.txt").write_text("mine")
    assert promote.main(["--model", "delays", "--to", "production"]) == 1
    assert capsys.readouterr().err.startswith("git: notes.txt is not committed")
