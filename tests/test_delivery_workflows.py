"""promote.yml, auto-revert.yml and healthy.yml: their verbs as the files name them, on real git and a local GitHub."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fledge import git, release
from fledge.client import golden
from fledge.problems import Problem
from fledge.project import read_yaml
from fledge.release import Denial, Files, history, render
from scripts import check, healthy, land
from tests.actions import Actions, equipped, made
from tests.conftest import Repository
from tests.hub import TOKEN, Hub, serving
from tests.test_workflows import offer
from tests.tiny.offered import FOLDER, PRODUCTION, STAGING, Owner, an_owner

Play = Callable[..., tuple[dict[str, str], list[str]]]
KEYS = {"vars": {"FLEDGE_CLIENT_ID": "id"}, "secrets": {"FLEDGE_PRIVATE_KEY": "key"}}
# What a cluster might say, or somebody in its name.
REASON = 'judge: e_worse 120"; touch shell; $(touch shell) $(shell touch make) `touch tick` ```\n@everybody'


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """1.0.0 and then 1.1.0 served in staging, in a clone with the template's verbs."""
    (tmp_path / "rows").write_text("July")
    owner = an_owner(repository, tmp_path / "remote", tmp_path / "rows")
    for version in ("1.0.0", "1.1.0"):
        offer(owner, tmp_path / version)
        owner.serve()
    equipped(owner.root)
    return owner


@pytest.fixture
def hub(tmp_path: Path, owner: Owner) -> Iterator[Hub]:
    """GitHub with the owner's repository."""
    with serving(Hub(grants={}, origin=tmp_path / "origin.git")) as made:
        yield made


@pytest.fixture
def play(owner: Owner, hub: Hub, tmp_path: Path) -> Play:
    """Run a workflow for an event, as GitHub does; each job's result, and what was heard."""

    def run(name: str, github: dict[str, Any], **contexts: Any) -> tuple[dict[str, str], list[str]]:
        heard: list[str] = []
        act = made(owner.root, heard)
        event = tmp_path / "event.json"
        event.write_text(json.dumps(github.get("event", {})))
        given = {"GITHUB_API_URL": hub.url, "GITHUB_REPOSITORY": "owner/models", "GITHUB_EVENT_PATH": str(event)}
        given["GITHUB_SERVER_URL"] = "https://github.com"

        def granted(command: str, env: Any) -> int:
            hub.grants = actions.granted
            return act(command, given | dict(env))

        actions = Actions(owner.root, tmp_path, granted, TOKEN)
        empty = {"inputs": dict.fromkeys(("env", "model", "delivery", "reason"))}
        done = actions.workflow(name, github=github, **(empty | KEYS | contexts))
        git.git(owner.root, "switch", "--quiet", "main")
        git.git(owner.root, "fetch", "--quiet", "--prune", "--tags", "origin")
        git.git(owner.root, "reset", "--quiet", "--hard", "origin/main")
        return {job: said["result"] for job, said in done.items()}, heard

    return run


def tags(owner: Owner, files: Files) -> list[str]:
    """The healthy tags of one (environment, model), by age."""
    return [history.tag_name(files, one.version, one.delivery) for one in history.healthy(owner.root, files, "main")][
        ::-1
    ]


def push_event(tag: str) -> dict[str, Any]:
    """A tag was pushed."""
    return {"event_name": "push", "ref_name": tag, "event": {"repository": {"default_branch": "main"}}}


def propose(play: Play, tag: str) -> list[str]:
    """promote.yml for a tag; what its verb said."""
    done, heard = play("promote.yml", push_event(tag))
    assert done == {"promote": "success"}, heard
    assert heard[0] == "make propose"
    return [line.strip() for line in heard[1:]]


def at(owner: Owner, revision: str, files: Files) -> str:
    """The version that a revision delivers."""
    text = git.show(owner.root, revision, files.rendered)
    assert text
    return render.delivered(text)[1]


BRANCH = "origin/fledge/promote/production/tiny"


def test_a_healthy_tag_opens_the_next_environments_pull_request(owner: Owner, hub: Hub, play: Play) -> None:
    """Its branch holds the promotion and nothing else, passes the check, and the words say what it is and who gets it."""
    tag = tags(owner, STAGING)[-1]
    assert propose(play, tag) == ["production/tiny: 1.1.0 is pull request 1"]
    [pull] = hub.pulls
    assert pull["title"] == "Promote tiny 1.1.0 to production"
    assert f"- tiny 1.1.0 is healthy in staging: `{tag}`\n" in pull["body"]
    assert "- **all users of production get it at once**: a first delivery has no canary\n" in pull["body"]
    assert git.differing(owner.root, "origin/main", BRANCH) == sorted(
        map(str, (PRODUCTION.release, PRODUCTION.rendered))
    )
    assert git.show(owner.root, BRANCH, PRODUCTION.release) == git.show(owner.root, "main", STAGING.release)
    git.git(owner.root, "switch", "--quiet", "--detach", BRANCH)
    assert check.main([]) == 0


def test_the_same_tag_twice_is_one_pull_request(owner: Owner, hub: Hub, play: Play) -> None:
    """A second run pushes nothing, so gates that run go on, and opens nothing."""
    propose(play, tags(owner, STAGING)[-1])
    before = git.git(owner.root, "rev-parse", BRANCH)
    assert propose(play, tags(owner, STAGING)[-1]) == ["production/tiny: 1.1.0 is pull request 1"]
    assert (git.git(owner.root, "rev-parse", BRANCH), len(hub.pulls)) == (before, 1)


def test_a_newer_release_takes_the_place_of_an_older_one(owner: Owner, hub: Hub, play: Play, tmp_path: Path) -> None:
    """The open pull request gets the newer release, and an older tag takes nothing back."""
    older = tags(owner, STAGING)[-1]
    propose(play, older)
    offer(owner, tmp_path / "1.1.1")
    owner.serve()
    newer = tags(owner, STAGING)[-1]
    assert propose(play, newer) == ["production/tiny: 1.1.1 is pull request 1"]
    [pull] = hub.pulls
    assert (pull["title"], at(owner, BRANCH, PRODUCTION)) == ("Promote tiny 1.1.1 to production", "1.1.1")
    [line] = propose(play, older)
    assert line.startswith(f"propose: staging/tiny is last healthy with 1.1.1, not with {older}, so there is nothing")
    assert at(owner, BRANCH, PRODUCTION) == "1.1.1"


def test_what_is_promoted_asks_for_nothing(owner: Owner, hub: Hub, play: Play) -> None:
    """No pull request for what the next environment holds, nor beyond the last environment."""
    tag = tags(owner, STAGING)[-1]
    propose(play, tag)
    git.git(owner.root, "merge", "--quiet", "--ff-only", BRANCH)
    git.git(owner.root, "push", "--quiet", "origin", "main")
    assert propose(play, tag) == ["propose: production/tiny holds 1.1.0 already, so there is nothing to propose"]
    owner.serve(PRODUCTION)
    [line] = propose(play, tags(owner, PRODUCTION)[-1])
    assert line == "propose: production is the last environment, so there is nothing to propose"
    assert len(hub.pulls) == 1


def test_a_tag_that_is_none_is_one_line(owner: Owner, hub: Hub, play: Play) -> None:
    """Whoever pushes another tag with that beginning gets no pull request."""
    done, heard = play("promote.yml", push_event("healthy/staging/tiny"))
    assert done == {"promote": "failure"}
    assert any(
        "propose: found the tag 'healthy/staging/tiny', expected healthy/<environment>" in line for line in heard
    )
    assert hub.pulls == []


@pytest.fixture
def bad(owner: Owner, tmp_path: Path) -> str:
    """1.1.1 was merged to staging and its canary was aborted; its delivery."""
    offer(owner, tmp_path / "1.1.1")
    git.git(owner.root, "push", "--quiet", "origin", "main")
    return render.delivered((owner.root / STAGING.rendered).read_text())[0]


def abort(play: Play, delivery: str, model: str = "tiny") -> tuple[dict[str, str], list[str]]:
    """The cluster asks for auto-revert.yml."""
    inputs = {"env": "staging", "model": model, "delivery": delivery, "reason": REASON}
    return play("auto-revert.yml", {"event_name": "workflow_dispatch"}, inputs=inputs)


def ended(owner: Owner, branch: str, conclusion: str = "success", **change: Any) -> dict[str, Any]:
    """The gates of a branch ended."""
    run = {
        "path": ".github/workflows/gates.yml",
        "html_url": "https://github.com/owner/models/actions/runs/5",
        "head_sha": git.git(owner.root, "rev-parse", f"origin/{branch}"),
        "head_branch": branch,
        "conclusion": conclusion,
        "head_repository": {"full_name": "owner/models", "owner": {"login": "owner"}},
    }
    return {"event_name": "workflow_run", "event": {"workflow_run": run | change}}


def gates(owner: Owner, hub: Hub, branch: str, conclusion: str | None) -> None:
    """The gates of what a branch ends at now ran once more and ended so; None: they run."""
    hub.checks.append((git.git(owner.root, "rev-parse", f"origin/{branch}"), conclusion))


def test_an_abort_lands_by_itself_once_its_gates_passed(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """Both acts in one pull request, merged by the app: 1.1.1 is denied, 1.1.0 is back to the byte, nothing else moved."""
    before = git.git(owner.root, "rev-parse", "origin/main")
    done, heard = abort(play, bad)
    assert done == {"propose": "success", "land": "skipped"}, heard
    assert git.git(owner.root, "rev-parse", "origin/main") == before
    [pull] = hub.pulls
    branch = f"fledge/revert/staging/tiny/{bad}"
    assert (pull["head"]["ref"], pull["title"]) == (branch, f"Deny staging/tiny {bad}")
    gates(owner, hub, branch, "success")
    done, heard = play("auto-revert.yml", ended(owner, branch))
    assert done == {"propose": "skipped", "land": "success"}, heard
    assert git.differing(owner.root, before, "origin/main") == sorted(
        map(str, (STAGING.denied, STAGING.release, STAGING.rendered))
    )
    assert at(owner, "origin/main", STAGING) == "1.1.0"
    assert [one.delivery for one in history.denied_at(owner.root, STAGING, "origin/main")] == [bad]
    assert check.main(["--all"]) == 0
    done, heard = abort(play, bad)
    assert (done["propose"], len(hub.pulls)) == ("success", 1)
    assert any("is denied and gone already, nothing to do" in line for line in heard)


def test_what_the_cluster_says_is_data(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """A reason with the shell's and make's own words runs nothing, is kept to the letter, and calls for nobody."""
    abort(play, bad)
    made = {path.name for path in owner.root.iterdir()}
    assert not made & {"shell", "make", "tick"}
    [denial] = history.denied_at(owner.root, STAGING, f"origin/fledge/revert/staging/tiny/{bad}")
    assert denial.cause == REASON
    quoted = hub.pulls[0]["body"].split("```")
    assert len(quoted) == 3
    assert "@everybody" in quoted[1]


def test_an_abort_twice_is_one_pull_request(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """A duplicate event leaves the branch, so that its gates go on; after another merge the acts are made anew on it."""
    abort(play, bad)
    branch = f"origin/fledge/revert/staging/tiny/{bad}"
    first = git.git(owner.root, "rev-parse", branch)
    abort(play, bad)
    assert (git.git(owner.root, "rev-parse", branch), len(hub.pulls)) == (first, 1)
    (owner.root / "words").write_text("words")
    owner.repository.commit("Words")
    git.git(owner.root, "push", "--quiet", "origin", "main")
    abort(play, bad)
    assert git.fork(owner.root, branch, "origin/main") == git.git(owner.root, "rev-parse", "origin/main")
    assert len(hub.pulls) == 1


def test_what_passed_lands_though_the_word_of_it_got_lost(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """Where the job that merges never ran, the reconciler's next question merges what passed, and nothing before it did."""
    abort(play, bad)
    branch, before = f"fledge/revert/staging/tiny/{bad}", git.git(owner.root, "rev-parse", "origin/main")
    for running in (False, True):
        if running:
            gates(owner, hub, branch, None)
        done, heard = abort(play, bad)
        assert done["propose"] == "success", heard
        assert heard[1:] == ["  staging/tiny: pull request 1 waits for gates-pass"]
    assert git.git(owner.root, "rev-parse", "origin/main") == before
    assert not [one for one in hub.heard if one.startswith("PUT")]
    gates(owner, hub, branch, "success")
    done, heard = abort(play, bad)
    assert done["propose"] == "success", heard
    assert at(owner, "origin/main", STAGING) == "1.1.0"
    assert [one.delivery for one in history.denied_at(owner.root, STAGING, "origin/main")] == [bad]
    assert [pull["state"] for pull in hub.pulls] == ["closed"]


def test_gates_that_failed_are_told_at_every_question(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """Such a pull request would stay open for ever: the run fails and names it until its gates ran again and passed."""
    abort(play, bad)
    branch, before = f"fledge/revert/staging/tiny/{bad}", git.git(owner.root, "rev-parse", "origin/main")
    for conclusion in ("failure", "cancelled"):
        gates(owner, hub, branch, conclusion)
        done, heard = abort(play, bad)
        assert done["propose"] == "failure"
        found = f"staging/tiny: gates-pass of pull request 1 is {conclusion}, expected success"
        assert f"  {found} (its log says why; then run its gates again: {branch})" in heard
    assert git.git(owner.root, "rev-parse", "origin/main") == before
    gates(owner, hub, branch, "success")
    assert abort(play, bad)[0]["propose"] == "success"
    assert at(owner, "origin/main", STAGING) == "1.1.0"


def test_gates_that_never_began_are_told_after_an_hour(
    owner: Owner, hub: Hub, play: Play, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where GitHub lost the run of the gates itself no check ever comes: waiting for it longer fails the run."""
    abort(play, bad)
    branch = f"fledge/revert/staging/tiny/{bad}"
    with monkeypatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        old = git.git(owner.root, "commit-tree", f"origin/{branch}^{{tree}}", "-p", "main", "-m", "Long ago")
    git.git(owner.root, "push", "--quiet", "--force", "origin", f"{old}:refs/heads/{branch}")
    done, heard = abort(play, bad)
    assert done["propose"] == "failure"
    assert any("staging/tiny: gates-pass of pull request 1 never began, expected success" in line for line in heard)


def test_what_github_refuses_is_told(
    owner: Owner, hub: Hub, play: Play, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed and up to date, and refused all the same, such as where the app may not merge without a review: exit 1."""
    abort(play, bad)
    gates(owner, hub, f"fledge/revert/staging/tiny/{bad}", "success")
    monkeypatch.setattr(hub, "_merge", lambda *_: (405, {"message": "Repository rule violations found"}))
    done, heard = abort(play, bad)
    assert done["propose"] == "failure"
    assert any("auto_revert: PUT pulls/1/merge answered 405 " in line for line in heard), heard


def test_a_merge_that_comes_between_is_no_refusal(
    owner: Owner, hub: Hub, play: Play, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the target branch moves right before the app merges, the acts are made anew on it in the same run."""
    abort(play, bad)
    branch, merge = f"fledge/revert/staging/tiny/{bad}", hub._merge
    gates(owner, hub, branch, "success")

    def late(*given: Any) -> tuple[int, Any]:
        main = hub._git("rev-parse", "main")
        hub._git("update-ref", "refs/heads/main", hub._git("commit-tree", "main^{tree}", "-p", main, "-m", "Words"))
        return merge(*given)

    monkeypatch.setattr(hub, "_merge", late)
    done, heard = abort(play, bad)
    assert done["propose"] == "success", heard
    assert git.fork(owner.root, f"origin/{branch}", "origin/main") == git.git(owner.root, "rev-parse", "origin/main")
    assert git.git(owner.root, "log", "-1", "--format=%s", "origin/main") == "Words"


def test_a_revert_that_comes_long_after_its_denial_lands_too(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """While nothing is healthy the denial lands alone, and a person is told; once there is something, so does the revert."""
    names = {name: git.git(owner.root, "rev-parse", name) for name in tags(owner, STAGING)}
    git.git(owner.root, "push", "--quiet", "--delete", "origin", *names)
    git.git(owner.root, "tag", "--delete", *names)
    branch = f"fledge/revert/staging/tiny/{bad}"
    done, heard = abort(play, bad)
    assert done["propose"] == "failure"
    assert any("is denied and nothing was healthy before it, expected a healthy delivery" in line for line in heard)
    gates(owner, hub, branch, "success")
    done, heard = play("auto-revert.yml", ended(owner, branch))
    assert done["land"] == "success", heard
    assert at(owner, "origin/main", STAGING) == "1.1.1"
    denials = history.denied_at(owner.root, STAGING, "origin/main")
    assert [one.delivery for one in denials] == [bad]
    for name, commit in names.items():
        git.git(owner.root, "push", "--quiet", "origin", f"{commit}:refs/tags/{name}")
    done, heard = abort(play, bad)
    assert done["propose"] == "success", heard
    gates(owner, hub, branch, "success")
    done, heard = play("auto-revert.yml", ended(owner, branch))
    assert done["land"] == "success", heard
    assert at(owner, "origin/main", STAGING) == "1.1.0"
    assert history.denied_at(owner.root, STAGING, "origin/main") == denials
    assert [pull["state"] for pull in hub.pulls] == ["closed", "closed"]
    assert check.main(["--all"]) == 0


def test_a_denial_that_a_newer_delivery_overtook_lands_too(
    owner: Owner, hub: Hub, play: Play, bad: str, tmp_path: Path
) -> None:
    """1.1.2 is merged before the pull request landed: asked again it is the denial of 1.1.1 alone, and 1.1.2 stays."""
    abort(play, bad)
    branch = f"fledge/revert/staging/tiny/{bad}"
    offer(owner, tmp_path / "1.1.2")
    git.git(owner.root, "push", "--quiet", "origin", "main")
    gates(owner, hub, branch, "success")
    assert play("auto-revert.yml", ended(owner, branch))[0]["land"] == "failure"
    done, heard = abort(play, bad)
    assert done["propose"] == "success", heard
    assert git.differing(owner.root, "origin/main", f"origin/{branch}") == [str(STAGING.denied)]
    gates(owner, hub, branch, "success")
    done, heard = play("auto-revert.yml", ended(owner, branch))
    assert done["land"] == "success", heard
    assert at(owner, "origin/main", STAGING) == "1.1.2"
    assert [one.delivery for one in history.denied_at(owner.root, STAGING, "origin/main")] == [bad]
    assert len(hub.pulls) == 1


ONE, OTHER = (Denial(delivery=letter * 12, version="1.0.0", cause="no", time="2026-01-02") for letter in "ab")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([OTHER], [OTHER, ONE], None),
        ([OTHER, ONE], [OTHER, ONE], None),
        ([OTHER], [OTHER], "expected one more, of a{12}"),
        ([OTHER], [ONE], "expected one more, of a{12}"),
        ([], [ONE, ONE], "expected one more, of a{12}"),
        ([], [OTHER], "expected one more, of a{12}"),
        ([ONE], [ONE, ONE], "expected no more, for a{12} is denied"),
        ([ONE], [ONE, OTHER], "expected no more, for a{12} is denied"),
        ([OTHER, ONE], [ONE], "expected no more, for a{12} is denied"),
    ],
)
def test_which_denials_are_merged_unreviewed(before: list[Denial], after: list[Denial], reason: str | None) -> None:
    """That of the one delivery, once, and no other comes or goes."""
    if reason is None:
        land.require_denied(before, after, ONE.delivery, "denied.yaml")
    else:
        with pytest.raises(Problem, match=f"^land: found other denials, {reason} \\(denied.yaml\\)$"):
            land.require_denied(before, after, ONE.delivery, "denied.yaml")


def test_what_did_not_pass_is_not_merged(owner: Owner, hub: Hub, play: Play, bad: str) -> None:
    """Neither where the gates failed, nor on another's word, nor from a fork, nor without GitHub's own rule."""
    abort(play, bad)
    branch, before = f"fledge/revert/staging/tiny/{bad}", git.git(owner.root, "rev-parse", "origin/main")
    assert play("auto-revert.yml", ended(owner, branch, "failure"))[0]["land"] == "skipped"
    fork = {"full_name": "stranger/models", "owner": {"login": "stranger"}}
    for event, reason in [
        (ended(owner, branch, head_repository=fork), "land: found a run of stranger/models:fledge/revert/"),
        (ended(owner, branch, path=".github/workflows/other.yml"), "land: found a run of .github/workflows/other.yml"),
        (ended(owner, branch), "land: PUT pulls/1/merge answered 405 "),
    ]:
        done, heard = play("auto-revert.yml", event)
        assert done["land"] == "failure"
        assert any(reason in line for line in heard), heard
    assert git.git(owner.root, "rev-parse", "origin/main") == before


def other_file(owner: Owner) -> None:
    (owner.root / "project.yaml").write_text((owner.root / "project.yaml").read_text() + "# more\n")


def other_bytes(owner: Owner) -> None:
    file = owner.root / STAGING.rendered
    file.write_text(file.read_text().replace("periodSeconds: 10", "periodSeconds: 11"))


def no_denial(owner: Owner) -> None:
    (owner.root / STAGING.denied).unlink()


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (other_file, "land: found project.yaml changed, expected only the files of staging/tiny"),
        (other_bytes, "manifests/rendered/staging/tiny.yaml is not what 1.1.0 had, expected those bytes"),
        (no_denial, "land: found other denials, expected one more"),
    ],
)
def test_only_the_two_acts_are_merged_unreviewed(
    owner: Owner, hub: Hub, play: Play, bad: str, act: Callable[[Owner], None], reason: str
) -> None:
    """Whatever else somebody pushed to that branch is refused though its gates passed."""
    abort(play, bad)
    branch = f"fledge/revert/staging/tiny/{bad}"
    git.git(owner.root, "switch", "--quiet", "--detach", f"origin/{branch}")
    act(owner)
    git.git(owner.root, "add", "--all")
    git.git(owner.root, "commit", "--quiet", "-m", "More")
    git.git(owner.root, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    git.git(owner.root, "fetch", "--quiet")
    gates(owner, hub, branch, "success")
    before = git.git(owner.root, "rev-parse", "origin/main")
    done, heard = play("auto-revert.yml", ended(owner, branch))
    assert done["land"] == "failure"
    assert any(reason in line for line in heard), heard
    assert git.git(owner.root, "rev-parse", "origin/main") == before


def test_a_completed_delivery_is_tagged_once(owner: Owner, play: Play, bad: str) -> None:
    """The cluster asks for healthy.yml: the tag is on the commit that brought it, and asking twice changes nothing."""
    inputs = {"env": "staging", "model": "tiny", "delivery": bad}
    for _ in range(2):
        done, heard = play("healthy.yml", {"event_name": "workflow_dispatch"}, inputs=inputs)
        assert done == {"healthy": "success"}, heard
        name = f"healthy/staging/tiny/1.1.1-{bad}"
        assert tags(owner, STAGING)[-1] == name
        assert git.git(owner.root, "rev-parse", f"{name}^{{commit}}") == git.git(owner.root, "rev-parse", "origin/main")


def test_a_first_delivery_must_answer_its_golden_requests(owner: Owner, play: Play) -> None:
    """Where nothing was healthy before no canary was judged: without an answer at its own hostname there is no tag."""
    for tag in tags(owner, STAGING):
        git.git(owner.root, "push", "--quiet", "--delete", "origin", tag)
        git.git(owner.root, "tag", "--delete", tag)
    delivery = render.delivered((owner.root / STAGING.rendered).read_text())[0]
    inputs = {"env": "staging", "model": "tiny", "delivery": delivery}
    done, heard = play("healthy.yml", {"event_name": "workflow_dispatch"}, inputs=inputs)
    assert done == {"healthy": "failure"}
    assert any("tiny.staging.example.com:80" in line for line in heard), heard
    assert git.git(owner.root, "tag", "--list") == ""


def test_a_first_delivery_is_asked_what_belongs_to_its_own_contract(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Production's first delivery is 1.1.0 while the next release has another input: it is asked 1.1.0's requests."""
    owner.place(PRODUCTION, promoted(owner))
    requests = golden.read(owner.root / FOLDER / "requests.jsonl")
    contract = read_yaml(owner.root / FOLDER / "contract.yaml")
    owner.write("contract.yaml", contract | {"inputs": {"renamed": next(iter(contract["inputs"].values()))}})
    owner.write("requests.jsonl", json.dumps(requests[0] | {"inputs": {"renamed": [1]}}) + "\n")
    offer(owner, tmp_path / "2.0.0")
    asked: list[Any] = []
    monkeypatch.setattr(golden, "answers", lambda *given: asked.append(given) or [])
    owner.repository.push()
    delivery = render.delivered((owner.root / PRODUCTION.rendered).read_text())[0]
    words = ["--env", "production", "--model", "tiny", "--delivery", delivery, "--first", "--gateway", "localhost:1"]
    assert healthy.main(words) == 0
    [(_, rest, _, model, given)] = asked
    assert (rest, model, given) == ("tiny.example.com", "tiny", requests)
    assert tags(owner, PRODUCTION) == [f"healthy/production/tiny/1.1.0-{delivery}"]


def promoted(owner: Owner) -> release.Release:
    """What staging holds now."""
    found = history.release_at(owner.root, STAGING, "main")
    assert found
    return found
