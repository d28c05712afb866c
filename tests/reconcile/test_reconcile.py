"""The reconciler on the wire: a cluster's API with the shipped rights, a GitHub that runs the shipped scripts."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fledge import git, release
from fledge.reconcile.__main__ import main
from fledge.release import Denial, Files, history
from tests import hub
from tests.conftest import Repository
from tests.platform.objects import named
from tests.reconcile.fakes import TOKEN, Cluster, Github, granted, rollout

Said = pytest.CaptureFixture[str]
STAGING = Files("staging", "delays")
LONG_AGO = [{"reason": "InconclusiveAnalysisRun", "startTime": "2026-01-01T00:00:00Z"}]


@pytest.fixture
def github(repository: Repository) -> Iterator[Github]:
    """GitHub with the repository; the token may read it and run its workflows, nothing else."""
    made = Github(grants={"contents": "read", "actions": "write"}, origin=repository.root.parent / "origin.git")
    with hub.serving(made):
        yield made


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """The API of a cluster, with the namespace of staging."""
    with hub.serving(Cluster("staging")) as made:  # type: ignore[arg-type]
        yield made  # type: ignore[misc]


@pytest.fixture
def reconcile(github: Github, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """One run as the shipped CronJob starts it: its own arguments, but for where the two APIs are."""
    [container] = named("CronJob", "reconcile-staging", "fledge")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["command"] == ["python", "-m", "fledge.reconcile"]
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(f"{TOKEN}\n")
    [variable] = container["env"]
    monkeypatch.setenv(variable["name"], hub.TOKEN)
    api = f"--api={github.url}/repos/{hub.REPOSITORY}"
    words = [api if word.startswith("--api=") else word for word in container["args"]]
    return lambda *more: main([*words, f"--kubernetes={cluster.url}", f"--account={account}", *more])


def healthy(repository: Repository) -> set[str]:
    """The deliveries that the remote's tags call healthy."""
    tags = git.git(repository.root, "ls-remote", "origin", "refs/tags/healthy/*").splitlines()
    return {tag.rpartition("-")[2] for tag in tags}


def denied(repository: Repository) -> dict[str, str]:
    """The denied deliveries of the target branch, and why."""
    git.git(repository.root, "fetch", "--quiet", "origin")
    return {one.delivery: one.cause for one in history.denied_at(repository.root, STAGING, "origin/main")}


def test_lost_events_are_made_good(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """A completion and an abort that nobody heard of become a tag, a denial and a revert; the next looks do nothing."""
    good = repository.place("1.0.0", "staging")
    cluster.rollouts = [rollout("delays", good)]
    assert reconcile() == 0
    assert healthy(repository) == {good}
    bad = repository.place("1.0.1", "staging")
    cluster.rollouts = [rollout("delays", bad, abort=True, phase="Degraded", stableRS=good, message="it failed")]
    assert reconcile() == 0
    assert denied(repository) == {bad: "it failed"}
    assert repository.serves("staging") == "1.0.0"
    assert github.ran == [f"healthy.yml {good}: 0", f"auto-revert.yml {bad}: 0"]
    assert reconcile() == 0
    cluster.rollouts = [rollout("delays", good)]
    assert reconcile() == 0
    assert len(github.ran) == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("staging/delays: git", "rec"))]
    assert lines == [
        f"staging/delays: git does not say yet what became of {good}, healthy.yml asked for",
        "reconcile: 1 Rollouts of staging looked at",
        f"staging/delays: git does not say yet what became of {bad}, auto-revert.yml asked for",
        *["reconcile: 1 Rollouts of staging looked at"] * 3,
    ]


def test_a_denial_that_a_newer_delivery_overtook_is_asked_for_again(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """Its pull request had not landed when the next merge took its place in the Rollout: its branch tells of it."""
    good = repository.place("1.0.0", "staging")
    cluster.rollouts = [rollout("delays", good)]
    assert reconcile() == 0
    bad = repository.place("1.0.1", "staging")
    denial = Denial(delivery=bad, version="1.0.1", cause="judge: e_worse 120", time="2026-01-02")
    proposed(repository, bad, release.denied_to_text("delays", [denial]))
    cluster.rollouts = [rollout("delays", bad, phase="Progressing", stableRS=good)]
    assert reconcile() == 0
    assert denied(repository) == {}
    newer = repository.place("1.0.2", "staging")
    cluster.rollouts = [rollout("delays", newer, phase="Progressing", stableRS=good)]
    assert reconcile() == 0
    assert denied(repository) == {bad: "judge: e_worse 120"}
    assert repository.serves("staging") == "1.0.2"
    assert f"staging/delays: {bad} left and is not denied yet, auto-revert.yml asked for" in capsys.readouterr().out
    assert reconcile() == 0
    assert github.ran[1:] == [f"auto-revert.yml {bad}: 0"]


def proposed(repository: Repository, delivery: str, text: str) -> None:
    """The branch of auto-revert's pull request lies there, with this deny list."""
    git.git(repository.root, "switch", "--quiet", "--create", f"fledge/revert/{STAGING.who}/{delivery}")
    (repository.root / STAGING.denied).write_text(text)
    repository.commit("Deny")
    git.git(repository.root, "push", "--quiet", "origin", "HEAD")
    git.git(repository.root, "switch", "--quiet", "main")


def test_a_branch_that_nobody_can_read_keeps_no_other_waiting(
    repository: Repository, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """A deny list of such a branch that is none is one line with the branch; the Rollout's tag is made all the same."""
    good = repository.place("1.0.0", "staging")
    proposed(repository, "b" * 12, "denied: [")
    cluster.rollouts = [rollout("delays", good)]
    assert reconcile() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fledge/revert/{STAGING.who}/{'b' * 12}:{STAGING.denied}: ")
    assert healthy(repository) == {good}


def test_a_canary_that_waits_too_long_is_aborted_and_then_reverted(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """What an undecided canary waits for is the policy's time, then its status gets `abort`; the next look reverts it."""
    good = repository.place("1.0.0", "staging")
    cluster.rollouts = [rollout("delays", good)]
    assert reconcile() == 0
    new = repository.place("1.0.1", "staging")
    cluster.rollouts = [rollout("delays", new, phase="Paused", stableRS=good, pauseConditions=LONG_AGO)]
    assert reconcile("--inconclusive=hold") == 0
    assert "abort" not in cluster.rollouts[0]["status"]
    capsys.readouterr()
    assert reconcile() == 0
    assert cluster.rollouts[0]["status"]["abort"] is True
    assert f"staging/delays: {new} waits for a verdict since 2026-01-01" in capsys.readouterr().out
    assert denied(repository) == {}
    assert reconcile() == 0
    assert set(denied(repository)) == {new}
    assert repository.serves("staging") == "1.0.0"


def test_the_shipped_rights_are_those_that_it_uses(
    repository: Repository, cluster: Cluster, reconcile: Callable[..., int]
) -> None:
    """The Role in every environment grants what a run calls, and nothing beside it."""
    delivery = repository.place("1.0.0", "staging")
    cluster.rollouts = [rollout("delays", delivery, phase="Paused", stableRS="x", pauseConditions=LONG_AGO)]
    assert reconcile() == 0
    assert cluster.used == granted("staging") == granted("production")


def test_every_page_is_read(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int]
) -> None:
    """Neither the third Rollout nor the third healthy tag is overlooked, though either API gives two at a time."""
    deliveries = [repository.place(f"1.0.{patch}", "staging") for patch in range(3)]
    for delivery in deliveries:
        cluster.rollouts = [rollout("delays", delivery)]
        assert reconcile() == 0
    assert healthy(repository) == set(deliveries)
    cluster.rollouts = [rollout("delays", delivery) for delivery in deliveries]
    assert reconcile() == 0
    assert len(github.ran) == 3
    last = repository.place("1.0.3", "staging")
    cluster.rollouts += [rollout("delays", last)]
    assert reconcile() == 0
    assert github.ran[3:] == [f"healthy.yml {last}: 0"]


def test_an_object_that_changed_meanwhile_is_not_aborted(
    repository: Repository,
    cluster: Cluster,
    reconcile: Callable[..., int],
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An abort is of the object as it was seen: one that a revert or a person changed since is left alone, and told."""
    delivery = repository.place("1.0.0", "staging")
    cluster.rollouts = [rollout("delays", delivery, phase="Paused", stableRS="x", pauseConditions=LONG_AGO)]
    page = Cluster._page

    def then_changed(self: Cluster, query: str) -> tuple[int, object]:
        answer = page(self, query)
        self.rollouts = [rollout("delays", delivery, phase="Paused", stableRS="x", pauseConditions=LONG_AGO)]
        self.rollouts[0]["metadata"]["resourceVersion"] = "78"
        return answer

    monkeypatch.setattr(Cluster, "_page", then_changed)
    assert reconcile() == 1
    assert "abort" not in cluster.rollouts[0]["status"]
    assert "rollouts/delays-model/status answered 409" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("grants", "line"),
    [
        ({"actions": "write"}, r"GET git/matching-refs/tags/healthy/staging/ answered 404"),
        ({"contents": "read"}, r"POST actions/workflows/healthy\.yml/dispatches answered 404"),
    ],
)
def test_a_token_without_a_right_is_one_line(
    repository: Repository,
    github: Github,
    cluster: Cluster,
    reconcile: Callable[..., int],
    capsys: Said,
    grants: dict[str, str],
    line: str,
) -> None:
    """A token that may not read, or not run workflows, is one line that says which right is missing and where."""
    github.grants = grants
    cluster.rollouts = [rollout("delays", repository.place("1.0.0", "staging"))]
    assert reconcile() == 1
    [said] = capsys.readouterr().err.splitlines()
    assert re.search(rf"{line} .*\(the Secret dispatch in namespace fledge: Contents read, Actions write\)", said)


def test_a_canary_is_aborted_also_while_github_is_away(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """Users are spared an undecided canary without a word of git; that GitHub did not answer is told."""
    github.grants = {}
    cluster.rollouts = [rollout("delays", "b" * 12, phase="Paused", stableRS="x", pauseConditions=LONG_AGO)]
    assert reconcile() == 1
    assert cluster.rollouts[0]["status"]["abort"] is True
    assert "git/matching-refs" in capsys.readouterr().err


def test_what_a_person_must_mend_keeps_nothing_else_waiting(
    repository: Repository, github: Github, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """A denied delivery that serves is one line and exit code 1, and the other model's tag is made all the same."""
    good = repository.place("1.0.0", "staging")
    bad = repository.place("1.0.1", "staging")
    cluster.rollouts = [rollout("delays", bad, abort=True, stableRS=good)]
    assert reconcile() == 0
    cluster.rollouts = [rollout("delays", bad), rollout("delays", good)]
    capsys.readouterr()
    assert reconcile() == 1
    assert capsys.readouterr().err.splitlines() == [
        f"staging/delays: delivery {bad} is denied and serves all users, expected another (an incident: a person decides)"
    ]
    assert healthy(repository) == {good}


def test_a_file_that_names_no_delivery_is_named(
    repository: Repository, cluster: Cluster, reconcile: Callable[..., int], capsys: Said
) -> None:
    """What somebody broke by hand on the target branch is one line with the file, and nothing is asked for."""
    delivery = repository.place("1.0.0", "staging")
    file = repository.root / STAGING.rendered
    file.write_text(file.read_text().replace("fledge.dev/delivery", "delivery"))
    repository.commit("By hand")
    repository.push()
    cluster.rollouts = [rollout("delays", delivery, abort=True, stableRS="x")]
    capsys.readouterr()
    assert reconcile() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"render: no fledge.dev/delivery .* expected both as labels \({STAGING.rendered}\)", line)


@pytest.mark.parametrize(
    ("lacking", "line"),
    [
        ("GITHUB_TOKEN", "reconcile: no GITHUB_TOKEN, expected it from the Secret dispatch (namespace fledge)"),
        ("token", "reconcile: No such file or directory, expected the account's token"),
    ],
)
def test_outside_a_pod_it_says_what_it_lacks(
    reconcile: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    lacking: str,
    line: str,
) -> None:
    """Without the owner's token, or the account's, one line says where it is expected."""
    if lacking == "token":
        (tmp_path / "account" / "token").unlink()
    else:
        monkeypatch.delenv(lacking)
    assert reconcile() == 1
    assert capsys.readouterr().err.startswith(line)
