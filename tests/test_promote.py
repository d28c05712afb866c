"""`make promote`: of one model or several what is healthy one environment below, in one commit, or nothing at all."""

from pathlib import Path

import pytest

from fledge import git, project, release
from fledge.release import Denial, Files, history, platform, render
from scripts import check, promote, propose
from scripts import render as rendering
from scripts.fleet import Fleet
from tests import fleets
from tests.untouched import seen

FIRST, SECOND = "model-0000", "model-0001"
BASE = "manifests/base/rollout.yaml"
Said = pytest.CaptureFixture[str]


def up(*models: str, to: str = "production") -> int:
    return promote.main(["--model", " ".join(models), "--to", to])


def staged(made: Fleet, model: str, version: str = "1.0.1") -> str:
    """Healthy in staging."""
    delivery = fleets.release(made, model, version)
    fleets.judged(Files("staging", model), delivery)
    return delivery


def refused(made: Fleet, capsys: Said, *models: str, to: str = "production") -> list[str]:
    """The lines of a refusal, after which everything is as it was."""
    before = seen(made.root, made.folder / "origin.git")
    capsys.readouterr()
    assert up(*models, to=to) == 1
    assert seen(made.root, made.folder / "origin.git") == before
    return capsys.readouterr().err.splitlines()


def edited(made: Fleet, file: str, old: str, new: str) -> None:
    """Another text in a file of the working tree."""
    text = (made.root / file).read_text()
    assert old in text
    (made.root / file).write_text(text.replace(old, new))


def test_several_models_are_one_commit(two: Fleet, capsys: Said) -> None:
    """Both releases go up in one commit of four files, a line for each model, and the check finds nothing."""
    for model in (FIRST, SECOND):
        staged(two, model)
    before = git.git(two.root, "rev-parse", "HEAD")
    git.git(two.root, "switch", "--quiet", "--create", "work")
    capsys.readouterr()
    assert up(FIRST, SECOND, FIRST) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"production/{model}: 1.0.1" for model in (FIRST, SECOND)
    ]
    assert git.git(two.root, "rev-parse", "HEAD~1") == before
    files = [path for model in (FIRST, SECOND) for path in render.contents(Files("production", model), a(two), "")]
    assert git.differing(two.root, before, "HEAD") == sorted(map(str, files))
    assert git.git(two.root, "log", "-1", "--format=%B").split("\n")[:4] == [
        "Promote 2 models to production", "", f"{FIRST} 1.0.1", f"{SECOND} 1.0.1",
    ]  # fmt: skip
    assert check.main([]) == 0


def a(made: Fleet) -> release.Release:
    """Some release."""
    found = release.read(made.root, Files("staging", FIRST))
    assert found
    return found


def test_where_one_is_refused_none_goes(two: Fleet, capsys: Said) -> None:
    """A line for each that may not go, in one run; the one that may is not written either."""
    staged(two, FIRST)
    delivery = fleets.release(two, SECOND, "1.0.1")
    assert refused(two, capsys, FIRST, SECOND) == [
        (
            f"production/{SECOND}: 1.0.1 is not healthy in staging, "
            f"expected the tag healthy/staging/{SECOND}/1.0.1-{delivery} (git fetch --tags)"
        )
    ]


def test_every_refusal_is_told_at_once(two: Fleet, capsys: Said) -> None:
    """What is there already, what is denied, and what left production without becoming healthy: each its line."""
    files = Files("production", SECOND)
    staged(two, SECOND)
    assert up(SECOND) == 0
    bad = fleets.pushed(two, files)
    git.git(two.root, "revert", "--no-edit", "HEAD")
    fleets.pushed(two, files)
    there = f"production/{FIRST}: 1.0.0 is there already, expected a newer one in staging first (make release MODEL={FIRST})"
    assert refused(two, capsys, FIRST, SECOND) == [
        there,
        (
            f"production/{SECOND}: delivery {bad} (1.0.1) left without becoming healthy, "
            f"expected a new patch version (make release MODEL={SECOND})"
        ),
    ]
    denial = Denial(delivery=bad, version="1.0.1", cause="judge: no", time="2026-01-02T03:04:05+00:00")
    (two.root / files.denied).write_text(release.denied_to_text(SECOND, [denial]))
    git.commit(two.root, "Deny", files.denied)
    fleets.pushed(two, files)
    assert refused(two, capsys, FIRST, SECOND) == [
        there,
        (
            f"production/{SECOND}: delivery {bad} (1.0.1) is denied since 2026-01-02T03:04:05+00:00 (judge: no), "
            f"expected a new patch version ({files.denied}; make release MODEL={SECOND})"
        ),
    ]


def test_no_environment_is_skipped(two: Fleet, capsys: Said) -> None:
    """On a path of three the one between must have the release first, and the line says how it gets there."""
    staged(two, FIRST)
    between = "  - name: pre\n    domain: pre.example.com\n    traffic: users\n  - name: production\n"
    edited(two, "project.yaml", "  - name: production\n", between)
    (two.root / platform.RENDERED).write_text(platform.render(two.root))
    (two.root / "manifests/environments/pre").mkdir()
    source = two.root / "manifests/environments/production/kustomization.yaml"
    (two.root / "manifests/environments/pre/kustomization.yaml").write_text(source.read_text())
    git.commit(two.root, "A longer path", ".")
    fleets.pushed(two, Files("staging", FIRST))
    [line] = refused(two, capsys, FIRST)
    found = "no release found in pre, expected one that is healthy there"
    assert line == f"production/{FIRST}: {found} (make promote MODEL={FIRST} TO=pre)"
    assert up(FIRST, to="pre") == 0


def test_a_branch_that_holds_it_already_is_told(two: Fleet, capsys: Said) -> None:
    """The same promotion twice on one branch is one commit."""
    staged(two, FIRST)
    assert up(FIRST) == 0
    [line] = refused(two, capsys, FIRST)
    assert line.startswith(
        f"production/{FIRST}: 1.0.1 is in this branch already, expected a newer one in staging first"
    )


def test_staging_is_healthy_on_these_sources_first(two: Fleet, capsys: Said) -> None:
    """While staging was healthy on another stack only, production does not get the new one with any release."""
    before = staged(two, FIRST)
    edited(two, BASE, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31")
    git.commit(two.root, "Another stack", BASE)
    fleets.pushed(two, Files("staging", FIRST))
    [line] = refused(two, capsys, FIRST)
    assert f"staging was healthy with 1.0.1 on other sources ({before}, now " in line
    assert line.endswith("expected it healthy there on these first (make render)")
    found = propose.proposed(two.root, f"healthy/staging/{FIRST}/1.0.1-{before}")
    assert isinstance(found, str), "the workflow opens no pull request for it either"
    assert found.startswith(f"staging/{FIRST} was healthy with 1.0.1 on other sources, and not yet as ")
    git.git(two.root, "switch", "--quiet", "main")
    assert rendering.main([]) == 0
    git.commit(two.root, "Render", ".")
    fleets.judged(Files("staging", FIRST), fleets.pushed(two, Files("staging", FIRST)))
    assert up(FIRST) == 0


def test_a_change_of_steps_alone_goes_up(two: Fleet) -> None:
    """What is no part of a delivery, as the time that a canary has, is promoted too: the bytes differ, the delivery does not."""
    files = Files("production", FIRST)
    before = history.held(two.root, files, "HEAD")
    edited(two, BASE, "progressDeadlineSeconds: 900", "progressDeadlineSeconds: 901")
    git.git(two.root, "switch", "--quiet", "--create", "work")
    assert rendering.main([]) == 0
    git.commit(two.root, "More time", ".")
    fleets.merge(two, files, "work")
    assert up(FIRST) == 0
    after = history.held(two.root, files, "HEAD")
    assert before
    assert after
    assert after.delivery == before.delivery
    assert git.differing(two.root, "HEAD~1", "HEAD") == [files.rendered.as_posix()]


def test_what_the_branch_alone_says_is_not_carried_up(two: Fleet) -> None:
    """A release that only this branch offers to staging is not promoted: the target branch's is."""
    staged(two, FIRST)
    git.git(two.root, "switch", "--quiet", "--create", "work")
    path = two.root / Files("staging", FIRST).release
    path.write_text(path.read_text().replace("version: 1.0.1", "version: 6.6.6"))
    git.commit(two.root, "Mine", ".")
    assert up(FIRST) == 0
    found = history.held(two.root, Files("production", FIRST), "HEAD")
    assert found
    assert found.version == "1.0.1"


def test_many_are_rendered_on_all_cores(copied: Fleet, capsys: Said) -> None:
    """More models than are rendered in one process go up in one commit, told on the way, and refused together."""
    lines = refused(copied, capsys, *copied.models)
    assert lines[0] == f"promote: 1 of {len(copied.models)}"
    assert [line.split(":")[0] for line in lines if "is there already" in line] == [
        f"production/{model}" for model in copied.models
    ]
    assert Path.cwd() == copied.root
    assert project.load(copied.root).models == copied.models
