"""The one comment of a pull request: found, updated in place, and made of what a stranger left as of data."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fledge import evidence
from fledge.evidence import Check, Verdict
from fledge.gates.required import Left
from scripts import comment
from tests import findings
from tests.conftest import ROOT
from tests.hub import LONGEST, REPOSITORY, TOKEN, Hub, serving

Said = pytest.CaptureFixture[str]
SHA, OLDER = "a" * 40, "b" * 40
RUN = "https://github.com/owner/models/actions/runs/7"
CHANGES = [{"who": "staging/tiny", "says": "staging/tiny: candidate 1.1.1, champion 1.1.0", "evidence": "staging-0"}]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """GitHub, where the job's token may write comments and 7 is our pull request from the branch `work`."""
    with serving(Hub(grants={"pull-requests": "write"})) as made:
        made.opened(7, SHA)
        yield made


@pytest.fixture(autouse=True)
def actions(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What GitHub Actions gives the job: variables, the event of a run that passed, and what that run left."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "left").mkdir()
    given = {"GITHUB_API_URL": hub.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}
    given |= {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "LEFT": str(tmp_path / "left")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    ended(tmp_path)
    leave(tmp_path)
    return tmp_path


def ended(folder: Path, conclusion: str = "success", head: str = "owner/models", **change: Any) -> None:
    """Write the event: a run of a branch of the repository `head` ended."""
    home = {"full_name": head, "owner": {"login": head.partition("/")[0]}}
    run = {
        "path": ".github/workflows/gates.yml",
        "html_url": RUN,
        "conclusion": conclusion,
        "head_sha": SHA,
        "head_branch": "work",
        "head_repository": home,
    }
    (folder / "event.json").write_text(json.dumps({"workflow_run": run | change}))


def leave(folder: Path, *lines: str, **files: str) -> None:
    """Write what a run leaves: the word of gates-pass, and other files by their name without `.json`."""
    (folder / "left" / "left.json").write_text(Left(changes=CHANGES, faults=list(lines)).model_dump_json())  # type: ignore[arg-type]
    for name, text in ({"staging-0": evidence.to_json(findings.passing())} | files).items():
        (folder / "left" / f"{name}.json").write_text(text)


def bodies(hub: Hub) -> list[str]:
    """Every comment of the pull request."""
    return [one["body"] for one in hub.comments if one["issue"] == 7]


def test_the_first_run_makes_the_comment(hub: Hub, capsys: Said) -> None:
    """Marker, verdict, delivery, the table of its gates, and where the run is."""
    assert comment.main([]) == 0
    assert capsys.readouterr().out == f"comment: pull request 7 has the word of {RUN}\n"
    [body] = bodies(hub)
    assert body.startswith(
        f"{comment.MARKER}\n## gates-pass: PASS\n\n- staging/tiny: candidate 1.1.1, champion 1.1.0\n"
    )
    assert "### tiny: PASS" in body
    assert body.endswith(f"\n[The run]({RUN}) at {SHA}.\n")
    assert hub.heard == ["GET pulls", "GET issues/7/comments", "POST issues/7/comments"]


def test_the_next_run_updates_it(hub: Hub, actions: Path) -> None:
    """There is one comment however often the gates run, and it holds the last word."""
    assert comment.main([]) == 0
    ended(actions, "failure")
    leave(actions, "gates-pass: check is failure, expected success")
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert "## gates-pass: BLOCK\n" in body
    assert "- gates-pass: check is failure, expected success" in body
    assert hub.heard[-1] == "PATCH issues/comments/1000"


def test_it_is_found_behind_a_hundred_others(hub: Hub) -> None:
    """A long discussion does not make a second comment."""
    for number in range(250):
        hub.said(7, f"remark {number}", by="a-person")
    mine = hub.said(7, f"{comment.MARKER}\nolder")
    assert comment.main([]) == 0
    assert hub.heard[-1] == f"PATCH issues/comments/{mine}"
    assert hub.heard.count("GET issues/7/comments") == 3


def test_a_strangers_copy_of_the_marker_is_left_alone(hub: Hub) -> None:
    """Only the bot's own comment is edited, wherever else the marker stands."""
    theirs = hub.said(7, f"{comment.MARKER}\nall is well", by="a-stranger")
    hub.said(7, f"look: {comment.MARKER}")
    assert comment.main([]) == 0
    assert hub.comments[theirs - 1000]["body"].endswith("all is well")
    assert len(bodies(hub)) == 3


def test_a_forks_pull_request_is_found_by_github(hub: Hub, actions: Path) -> None:
    """Of two forks' branches of one name, and other pull requests, it is that of the run's own fork and commit."""
    hub.opened(8, SHA, head="stranger/models")
    hub.opened(9, OLDER, head="stranger/copy")
    ended(actions, head="stranger/models")
    assert comment.main([]) == 0
    assert [one["issue"] for one in hub.comments] == [8]


def test_a_run_of_another_workflow_is_refused(hub: Hub, actions: Path, capsys: Said) -> None:
    """Only the file of the gates speaks here: one that calls itself by their name gets no comment, and one line."""
    ended(actions, path=".github/workflows/other.yml")
    assert comment.main([]) == 1
    line = "comment: found a run of .github/workflows/other.yml, expected one of .github/workflows/gates.yml"
    assert capsys.readouterr().err == f"{line} (.github/workflows/comment.yml: on)\n"
    assert hub.heard == []
    ended(actions, path=".github/workflows/gates.yml@main")
    assert comment.main([]) == 0


@pytest.mark.parametrize("state", ["moved", "closed", "gone"])
def test_a_run_that_nobody_waits_for_says_nothing(state: str, actions: Path, capsys: Said) -> None:
    """A pull request that has moved on, is closed, or was never there gets no word of an older commit."""
    with serving(Hub(grants={"pull-requests": "write"})) as hub:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GITHUB_API_URL", hub.url)
            if state != "gone":
                hub.opened(7, OLDER if state == "moved" else SHA, state="closed" if state == "closed" else "open")
            assert comment.main([]) == 0
        assert hub.heard == ["GET pulls"]
    assert capsys.readouterr().out == f"comment: no open pull request ends at {SHA}, so nobody is told\n"


def test_a_strangers_text_stays_text(hub: Hub, actions: Path) -> None:
    """Evidence that quotes markup, calls people or hides a marker of its own is shown letter by letter."""
    evil = f"</details><img src=x> ![a](https://example.org/a.png) @everyone #1 `PASS` {comment.MARKER} | a | b |"
    bad = Check("structural", "ops", Verdict.BLOCK, evil, evil, unit=evil)
    found = replace(findings.judged(bad), notes=[evil], model=evil)
    leave(actions, evil, **{"staging-0": evidence.to_json(found)})
    ended(actions, "failure")
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert body.count(comment.MARKER) == body.count("<!--") == 1
    theirs = re.sub(r"</?details( open)?>|</?summary>", "", "\n".join(body.splitlines()[1:-1]))
    assert not re.search(r"(?<!\\)[<\[`]|@\w|#\d|://", theirs)


def test_a_stranger_cannot_say_that_a_run_passed(hub: Hub, actions: Path) -> None:
    """The verdict is GitHub's conclusion: what was left can only add to it."""
    ended(actions, "failure")
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert "## gates-pass: BLOCK\n" in body
    assert "- gates-pass: the run ended with failure, expected success" in body


BAD: dict[str, tuple[dict[str, str], str]] = {
    "damaged": ({"staging-0": "{"}, "evidence: damaged ("),
    "no-evidence": ({"staging-0": "[]"}, "evidence: damaged (list)"),
    "deep": ({"staging-0": "[" * 100_000}, "evidence: damaged ("),
    "large": (
        {"staging-0": " " * 2_000_001},
        "comment: found staging-0.json too large, expected at most 500 of 2,000,000 bytes",
    ),
    "many": ({f"staging-{number}": "{}" for number in range(501)}, "comment: found 502 files, expected at most 500"),
    "no-word": ({"left": "{}"}, "validation errors for Left"),
}


@pytest.mark.parametrize(("files", "reason"), BAD.values(), ids=BAD)
def test_what_is_no_evidence_is_told_in_one_line(hub: Hub, actions: Path, files: dict[str, str], reason: str) -> None:
    """Too much, too large, or damaged: the comment says which, blocks, and stays short."""
    leave(actions, **files)
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert "## gates-pass: BLOCK\n" in body
    assert reason in body.replace("\\", "")
    assert len(body) < 2000


def test_a_link_is_not_followed(hub: Hub, actions: Path) -> None:
    """A file of the artifact that points elsewhere is refused, not read."""
    secret = actions / "secret"
    secret.write_text("of the runner")
    (actions / "left" / "staging-1.json").symlink_to(secret)
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert "## gates-pass: BLOCK\n" in body
    assert "of the runner" not in body


def test_nothing_left_is_told(hub: Hub, actions: Path) -> None:
    """A run that broke before it could leave anything still gets its comment."""
    for file in (actions / "left").iterdir():
        file.unlink()
    (actions / "left").rmdir()
    assert comment.main([]) == 0
    assert "the run left nothing, expected its evidence" in bodies(hub)[0]


def test_any_number_of_tables_fits_one_comment(hub: Hub, actions: Path) -> None:
    """A hundred models that block are more than GitHub takes: the comment is cut, and says so."""
    leave(actions, **{f"staging-{number}": evidence.to_json(findings.judged()) for number in range(100)})
    assert comment.main([]) == 0
    [body] = bodies(hub)
    assert len(body) <= comment.LIMIT < LONGEST
    assert re.search(r"_Left out: \d+ more", body)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_EVENT_PATH", "LEFT"])
def test_outside_of_github_actions_it_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """Each variable that is missing is named."""
    monkeypatch.delenv(name)
    assert comment.main([]) == 1
    assert (
        capsys.readouterr().err
        == f"comment: no {name}, expected it from GitHub Actions (.github/workflows/comment.yml: env)\n"
    )


def test_another_event_is_one_line(actions: Path, capsys: Said) -> None:
    """What is no workflow_run is refused."""
    (actions / "event.json").write_text('{"pull_request": {}}')
    assert comment.main([]) == 1
    assert (
        capsys.readouterr().err.rstrip().endswith("expected the event workflow_run (.github/workflows/comment.yml: on)")
    )


@pytest.mark.parametrize(
    ("grants", "token", "reason"),
    [
        (
            {"pull-requests": "read"},
            TOKEN,
            "POST issues/7/comments answered 403 .*Resource not accessible.*expected 201",
        ),
        ({}, TOKEN, "GET pulls answered 403 .*expected 200"),
        ({"pull-requests": "write"}, "another", "GET pulls answered 401 .*Bad credentials"),
    ],
)
def test_a_token_that_may_not_is_one_line(grants: dict[str, str], token: str, reason: str, capsys: Said) -> None:
    """GitHub's refusal names the call and where the permission is given."""
    with serving(Hub(grants=grants)) as hub, pytest.MonkeyPatch.context() as patch:
        hub.opened(7, SHA)
        patch.setenv("GITHUB_API_URL", hub.url)
        patch.setenv("GITHUB_TOKEN", token)
        assert comment.main([]) == 1
    assert re.search(
        rf"^comment: {reason}.*\(\.github/workflows/comment\.yml: permissions\)$", capsys.readouterr().err.strip()
    )


def test_a_github_that_is_away_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """Nobody there: one line with the address."""
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    assert comment.main([]) == 1
    assert "expected GitHub to answer (http://127.0.0.1:9/repos/owner/models/pulls)" in capsys.readouterr().err


def test_the_fake_refuses_every_other_call(hub: Hub) -> None:
    """No call but ours, with our headers and our parameters, is answered: what the verb makes up does not pass here."""
    good = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    start = f"/repos/{REPOSITORY}"
    for method, address, headers, status in [
        ("GET", f"{start}/pulls/7", good, 404),
        ("DELETE", f"{start}/issues/comments/1000", good, 404),
        ("GET", "/repos/other/models/pulls", good, 404),
        ("GET", f"{start}/issues/7/comments?sort=created", good, 422),
        ("GET", f"{start}/issues/7/comments", good | {"Accept": "*/*"}, 400),
        ("GET", f"{start}/issues/7/comments", {}, 401),
        ("GET", f"{start}/issues/7/comments", good, 200),
    ]:
        assert hub.answer(method, address, headers, b"")[0] == status
