"""Many models in one repository: what a verb touches, and that the generated repository is a real one."""

import subprocess
import sys

import pytest

from fledge import git
from fledge.branch.affected import affected
from fledge.problems import Problem
from fledge.release import Files, history, render
from scripts import check, fleet, healthy, promote, scale
from scripts import render as render_verb
from scripts.fleet import Fleet
from tests.conftest import ROOT
from tests.fleets import COUNT

ONE = "model-0007"
STAGING, PRODUCTION = Files("staging", ONE), Files("production", ONE)
Said = pytest.CaptureFixture[str]


def changed(one: Fleet, since: str = "HEAD") -> list[str]:
    """The files in which the working tree differs from a commit."""
    return git.changed(one.root, since)


def serve(one: Fleet, files: Files) -> None:
    """What is committed is merged, and becomes healthy."""
    git.git(one.root, "push", "--quiet", "origin", "main")
    delivery, _ = render.delivered((one.root / files.rendered).read_text())
    assert healthy.main(["--env", files.environment, "--model", files.model, "--delivery", delivery]) == 0


def merged(one: Fleet, branch: str = "work") -> None:
    """A branch comes to main by a merge commit."""
    git.git(one.root, "switch", "--quiet", "main")
    git.git(one.root, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)


def proposed(one: Fleet) -> None:
    """A branch with a release of ONE, rendered."""
    fleet.propose(one, ONE, "1.0.1")
    assert render_verb.main([]) == 0
    git.commit(one.root, "Render", ".")


def test_the_generated_files_are_what_is_rendered(ready: Fleet) -> None:
    """Of a model that was not rendered but derived, kustomize makes the same bytes in every environment."""
    for files in (STAGING, PRODUCTION):
        wanted = fleet.offered(ready, ONE, "1.0.0")
        assert render.render(ready.root, files, wanted) == (ready.root / files.rendered).read_text()


def test_the_generated_repository_breaks_no_rule(copied: Fleet, capsys: Said) -> None:
    """Every pair is healthy at a commit of its own, and all rules hold of all of them."""
    assert check.main(["--all"]) == 0
    assert f"check: {2 * COUNT} rendered files, " in capsys.readouterr().out
    assert len(git.git(copied.root, "tag", "--list", "healthy/*").splitlines()) == 2 * COUNT


def test_one_model_is_rendered_judged_and_checked(copied: Fleet, capsys: Said) -> None:
    """A branch that changes one of many models renders one file, changes one delivery, and is checked for that model."""
    fleet.propose(copied, ONE, "1.0.1")
    assert render_verb.main([]) == 0
    assert changed(copied) == [STAGING.rendered.as_posix()]
    assert capsys.readouterr().out.splitlines()[1:] == [f"staging/{ONE}: 1.0.1 rendered ({STAGING.rendered})"]
    git.commit(copied.root, "Render", ".")
    [change] = affected(copied.root, "origin/main")
    assert (change.files, change.kind) == (STAGING, "candidate")
    assert change.champion == history.release_at(copied.root, STAGING, "main")
    assert check.main([]) == 0
    assert "check: 2 rendered files of what differs from origin/main, " in capsys.readouterr().out


def test_a_revert_gives_back_one_model_in_one_environment(copied: Fleet) -> None:
    """`git revert` of a release's merge, and of a promotion's, changes that model's files in that environment alone."""
    proposed(copied)
    merged(copied)
    release_merge = git.git(copied.root, "rev-parse", "HEAD")
    serve(copied, STAGING)
    assert promote.main(["--model", ONE, "--to", "production"]) == 0
    serve(copied, PRODUCTION)
    before = git.git(copied.root, "rev-parse", "HEAD")
    git.git(copied.root, "revert", "--no-edit", "HEAD")
    assert changed(copied, before) == sorted(map(str, (PRODUCTION.release, PRODUCTION.rendered)))
    git.git(copied.root, "reset", "--quiet", "--hard", before)
    git.git(copied.root, "revert", "--no-edit", "-m", "1", release_merge)
    delivered = [name for name in changed(copied, before) if name.startswith("manifests/")]
    assert delivered == sorted(map(str, (STAGING.release, STAGING.rendered)))


def test_a_change_of_the_base_renders_the_first_environment_alone(copied: Fleet, capsys: Said) -> None:
    """All its models, told on the way; the next environment keeps its bytes until it is promoted to."""
    base = copied.root / "manifests" / "base" / "rollout.yaml"
    base.write_text(base.read_text().replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31"))
    git.git(copied.root, "switch", "--quiet", "--create", "work")
    assert render_verb.main([]) == 0
    rendered = [name for name in changed(copied) if name.startswith("manifests/rendered/")]
    assert rendered == [Files("staging", model).rendered.as_posix() for model in copied.models]
    assert f"render: {COUNT} of {COUNT}\n" in capsys.readouterr().err
    assert check.main([]) == 0


def test_every_verb_is_timed_as_a_person_runs_it(copied: Fleet, capsys: Said) -> None:
    """Both repositories in turns; of each verb the middle of the ratios, and the goal beside the whole."""
    proposed(copied)
    small, large = scale.timed((copied, copied), 2)
    assert list(small) == list(large) == ["render", "affected", "check"]
    assert all(len(times) == 2 and min(times) > 0 for times in (*small.values(), *large.values()))
    assert capsys.readouterr().err.endswith("  1 of 2\n  2 of 2\n")


def test_the_report_compares_what_was_timed_together() -> None:
    """Turns of 1 + 1 + 2 and 2 + 2 + 4 seconds beside 2 + 3 + 3 and 6 + 6 + 4 are 2 and 2 times as long."""
    small = {"render": [1.0, 2.0], "affected": [1.0, 2.0], "check": [2.0, 4.0]}
    large = {"render": [2.0, 6.0], "affected": [3.0, 6.0], "check": [3.0, 4.0]}
    lines = [line.split() for line in scale.report(7, small, large).splitlines()]
    assert lines[2] == ["render", "1.50", "4.00", "2.50"]
    assert lines[-1] == ["all", "three", "6.00", "12.00", "2.00", "at", "most", "2"]


def test_a_verb_that_fails_is_no_measurement(copied: Fleet, capfd: Said) -> None:
    """What refuses early is not fast: the bench stops and says which."""
    (copied.root / "project.yaml").unlink()
    with pytest.raises(Problem, match=r"^scale: check ended with 1, expected 0 \(scripts/check.py\)$"):
        scale.verb(copied, "check")
    assert "project.yaml: no such file" in capfd.readouterr().err


def test_bad_input_is_one_line() -> None:
    """No model and no turn are nothing to time."""
    for option in ("--models", "--repeat"):
        command = [sys.executable, "-m", "scripts.scale", option, "0"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, "scale: found 0, expected at least one (--models, --repeat)\n")
