"""`make status`: one record of what git says of each (environment, model), as text and as JSON."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from fledge import git
from fledge.release import Files, annals, history
from fledge.release.standing import Known, Serving, Standing, Standings
from scripts import auto_revert, promote, rollback, status
from scripts import render as rendering
from scripts.fleet import Fleet
from tests import fleets
from tests.conftest import ROOT

FIRST, SECOND = "model-0000", "model-0001"
STAGING, PRODUCTION = Files("staging", SECOND), Files("production", SECOND)
Said = pytest.CaptureFixture[str]


def promoted(made: Fleet, version: str) -> str:
    """Healthy in staging and merged to production; production's delivery, which nobody judged yet."""
    fleets.judged(STAGING, fleets.release(made, SECOND, version))
    git.git(made.root, "switch", "--quiet", "--create", "up")
    assert promote.main(["--model", SECOND, "--to", "production"]) == 0
    return fleets.merge(made, PRODUCTION, "up")


def denied(made: Fleet, delivery: str) -> None:
    """Its canary was aborted."""
    words = ["--model", SECOND, "--env", "production", "--delivery", delivery, "--reason", "judge:\ne_worse 120"]
    assert auto_revert.main(words) == 0
    git.git(made.root, "pull", "--quiet", "--ff-only")


def another_base(made: Fleet) -> None:
    """Another stack, rendered to staging and merged."""
    file = made.root / "manifests/base/rollout.yaml"
    file.write_text(file.read_text().replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31"))
    assert rendering.main(["--all"]) == 0
    git.commit(made.root, "Another stack", ".")
    fleets.pushed(made, STAGING)


def told(capsys: Said, *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert status.main(list(words)) == code
    return capsys.readouterr().out


def record(capsys: Said, files: Files, *words: str) -> dict[str, Any]:
    """One (environment, model) of the document."""
    found = json.loads(told(capsys, "--json", *words))
    [one] = [one for one in found["pairs"] if (one["environment"], one["model"]) == (files.environment, files.model)]
    return dict(one)


@pytest.fixture(scope="module")
def lived(pair: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """In production 1.0.0 and 1.0.1 of SECOND were healthy, 1.0.2 was denied, and 1.0.1 is back."""
    with fleets.own(pair, tmp_path_factory.mktemp("lived")) as made:
        fleets.judged(PRODUCTION, promoted(made, "1.0.1"))
        denied(made, promoted(made, "1.0.2"))
    return made


def test_everything_that_git_says_is_in_one_document(
    lived: Fleet, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What serves, since which commit, its release, what was healthy, denied and may return: each as git has it."""
    monkeypatch.chdir(lived.root)
    now = git.git(lived.root, "rev-parse", "origin/main")
    found = record(capsys, PRODUCTION)
    best, oldest = history.healthy(lived.root, PRODUCTION, now)
    when = git.git(lived.root, "log", "-1", "--format=%cI", now)
    assert found["serving"] == {
        "version": "1.0.1",
        "delivery": best.delivery,
        "commit": now,
        "since": when,
        "author": "fledge[bot]",
        "subject": f"Revert {PRODUCTION.who} to 1.0.1",
    }
    wanted = history.release_at(lived.root, PRODUCTION, now)
    assert wanted
    assert found["release"] == json.loads(wanted.model_dump_json())
    assert (found["state"], found["behind_base"], found["problems"]) == ("healthy", False, [])
    assert [one["commit"] for one in found["healthy"]] == [best.commit, oldest.commit]
    left = [one.delivery for one in history.denied_at(lived.root, PRODUCTION, now)]
    assert [(one["delivery"], one["version"]) for one in found["denied"]] == [(left[0], "1.0.2")]
    assert [one["delivery"] for one in found["rollback"]] == [oldest.delivery]
    assert found["steps_back"] == found["rollback"]


def test_the_screen_says_the_same(lived: Fleet, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models in two environments, one with a denied delivery, fit a screen of 100 by 30; JSON has the rest."""
    monkeypatch.chdir(lived.root)
    found, lines = record(capsys, PRODUCTION), told(capsys).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    block = lines[lines.index(f"{PRODUCTION.who}: 1.0.1 ({found['serving']['delivery']}), healthy") :]
    artifact, data = found["release"]["artifact"], found["release"]["data"]
    assert block[1].endswith(f" by {found['serving']['commit'][:10]} of fledge[bot]: Revert {PRODUCTION.who} to 1.0.1")
    assert block[2] == f"  artifact {artifact['md5'][:12]}, sha256 {artifact['sha256'][:12]}, data {data['md5'][:12]}"
    contract, training = found["release"]["contract"], found["release"]["training"]
    assert block[3] == f"  contract {contract[:12]}, trained at {training['commit'][:10]}, parent 1.0.0"
    assert block[4] == f"  roll back to: 1.0.0 ({found['rollback'][0]['delivery']})"
    bad = found["denied"][0]["delivery"]
    assert re.fullmatch(rf"  denied: 1\.0\.2 \({bad}\) since [-\d: +]+: judge: e_worse 120", block[5])


def test_what_only_a_name_leads_to_is_told_apart(two: Fleet, capsys: Said) -> None:
    """After a rollback to the oldest there is no step back, and what was left is behind TO=."""
    fleets.judged(STAGING, fleets.release(two, SECOND, "1.0.1"))
    assert rollback.main(["--model", SECOND, "--env", "staging"]) == 0
    fleets.pushed(two, STAGING)
    found = record(capsys, STAGING)
    assert (found["state"], found["steps_back"]) == ("healthy", [])
    assert f"  roll back to: TO= 1.0.1 ({found['rollback'][0]['delivery']})" in told(capsys).splitlines()


def test_a_canary_and_nothing_are_told_as_such(two: Fleet, capsys: Said) -> None:
    """What was merged and not judged is not healthy yet; a model without a release is nothing yet."""
    delivery = fleets.release(two, SECOND, "1.0.1")
    owner = two.root / "project.yaml"
    owner.write_text(owner.read_text().replace(f"  - {SECOND}\n", f"  - {SECOND}\n  - churn\n"))
    lines = told(capsys).splitlines()
    assert f"{STAGING.who}: 1.0.1 ({delivery}), not healthy yet" in lines
    assert "production/churn: nothing yet" in lines


def test_behind_base_is_what_its_sources_no_longer_render_to(two: Fleet, capsys: Said) -> None:
    """After a change of the base production is behind it and staging is not, whatever this working tree holds."""
    another_base(two)
    file = two.root / "manifests/base/rollout.yaml"
    file.write_text("kind: [")
    found = json.loads(told(capsys, "--json"))
    behind = {(one["environment"], one["model"]): one["behind_base"] for one in found["pairs"]}
    assert behind == {
        (environment, model): environment == "production"
        for environment in ("staging", "production")
        for model in (FIRST, SECOND)
    }
    assert sum(line.endswith(", healthy, behind base") for line in told(capsys).splitlines()) == 2


def test_what_cannot_be_read_hides_nothing_else(two: Fleet, capsys: Said) -> None:
    """A file that went wrong is a line on stderr and exit code 1; the others are told as ever."""
    for path, text in ((STAGING.rendered, "<<<<<<< HEAD\n"), (PRODUCTION.release, "spec: [")):
        (two.root / path).write_text(text)
    git.commit(two.root, "By hand", ".")
    fleets.pushed(two, PRODUCTION)
    capsys.readouterr()
    assert status.main([]) == 1
    out, err = capsys.readouterr()
    assert f"{STAGING.who}: unreadable" in out.splitlines()
    assert re.search(rf"^{PRODUCTION.who}: 1\.0\.0 \([0-9a-f]{{12}}\), healthy$", out, re.MULTILINE)
    names, broken = err.splitlines()
    assert names == (f"{STAGING.who}: {STAGING.rendered} names no delivery, expected a rendered file (make render)")
    assert broken.startswith(f"{PRODUCTION.release}: while parsing")


def test_of_many_each_is_a_line_and_one_is_told_whole(
    copied: Fleet, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a few pairs are a table, not compared where they are very many; MODEL= tells of one as of a few."""
    monkeypatch.setattr(status, "MOST", 2 * len(copied.models) - 1)
    lines = told(capsys).splitlines()
    assert len(lines) == 3 + 2 * len(copied.models)
    assert re.fullmatch(r"staging/model-0000 +1\.0\.0  [0-9a-f]{12}  2026-01-01 00:00 \+00:00  healthy", lines[1])
    assert lines[-1].startswith("none was compared with its base")
    assert record(capsys, Files("staging", "model-0003"))["behind_base"] is None
    blocks = told(capsys, "--model", "model-0003 model-0004").splitlines()
    assert [line.split(":")[0] for line in blocks[1:] if not line.startswith(" ")] == [
        f"{environment}/model-000{number}" for environment in ("staging", "production") for number in (3, 4)
    ]


def test_git_is_asked_as_often_for_many_as_for_few(copied: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty pairs are read by as many processes as one."""
    asked: list[list[str]] = []
    run: Callable[..., Any] = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **more: asked.append(command) or run(command, **more))
    counts = []
    every = [Files(environment, model) for environment in ("staging", "production") for model in copied.models]
    for pairs in (every[:1], every):
        asked.clear()
        found = annals.read(copied.root, pairs, "origin/main")
        counts.append(len(asked))
        assert [one.came for one in found] == [history.deliveries(copied.root, one, "origin/main") for one in pairs]
        assert [one.healthy for one in found] == [history.healthy(copied.root, one, "origin/main") for one in pairs]
    assert counts[0] == counts[1] <= 4


def test_the_page_names_every_key() -> None:
    """docs/delivery.md has each key of the document, and no other."""
    page = (ROOT / "docs/delivery.md").read_text()
    section = page[page.index("## What `make status JSON=1` prints") :].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE)
    keys = [*Standings.model_fields, *(f"pairs.{key}" for key in Standing.model_fields)]
    keys += [f"pairs.serving.{key}" for key in Serving.model_fields]
    assert set(Known.model_fields) < set(Serving.model_fields)
    assert sorted(named) == sorted(keys)
