"""What stays in the remote and what goes: no artifact that a rollback needs is ever garbage."""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from fledge import fetch, git, remote, retention
from fledge.artifact import keys, signing
from fledge.problems import Problem
from fledge.release import Files, Release
from fledge.remote.listing import contents
from fledge.retention import garbage
from fledge.retention.garbage import GRACE
from scripts import gc, rollback
from tests import trained
from tests.buckets import BUCKET, OWNER, become, serving
from tests.conftest import Repository
from tests.test_delivery import fail, make_healthy, serve

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")


def aged(repository: Repository) -> None:
    """Make everything in the remote older than what is left for its youth."""
    then = time.time() - 2 * GRACE.total_seconds()
    for path in repository.remote.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def stage(repository: Repository, version: str) -> Release:
    """Release a version to staging, signed and with evidence, and find it healthy there."""
    make_healthy(repository, STAGING, repository.place(version, "staging"))
    return beside(repository, version)


def beside(repository: Repository, version: str) -> Release:
    """Sign the artifact of a version and store evidence of it, as a release and the gates do; its release."""
    one, where = repository.release(version), repository.remote
    private_key, written = keys.pair(repository.root)
    if written:
        repository.commit("Sign", *written)
        repository.push()
    fetched = fetch.fetch(str(where), one.artifact.md5, repository.root / ".fledge" / "artifacts" / version)
    signing.sign(fetched, str(where), one.artifact.md5, private_key)
    evidence = where / "evidence" / one.artifact.md5 / "none-staging.json"
    evidence.parent.mkdir(parents=True)
    evidence.write_text("{}")
    return one


def there(repository: Repository, one: Release, folder: Path) -> bool:
    """Whether a pod could fetch the release: its artifact, signed."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        fetch.fetch(str(repository.remote), one.artifact.md5, folder, keys=keys.public(repository.root))
    except Problem:
        return False
    return True


def files(repository: Repository) -> set[str]:
    return {path.relative_to(repository.remote).as_posix() for path in repository.remote.rglob("*") if path.is_file()}


def collected(repository: Repository) -> int:
    """Run the verb for good."""
    return gc.main(["--apply"])


def test_the_last_three_healthy_deliveries_stay(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of five healthy patches the last three and the oldest, which the gates anchor to, stay; the second goes whole.

    It is shown before anything is removed, with the release that it was; its signature and its evidence go with it, and
    the file that it shares with the others stays.
    """
    releases = [stage(repository, f"1.0.{patch}") for patch in range(5)]
    aged(repository)
    before = files(repository)
    capsys.readouterr()
    assert gc.main([]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert files(repository) == before
    assert shown[0].startswith("gc: would remove (APPLY=1 removes) 4 objects of 1 folders")
    assert shown[1] == f"  {releases[1].artifact.md5}  staging/delays 1.0.1"
    assert collected(repository) == 0
    assert [there(repository, one, tmp_path / "pod") for one in releases] == [True, False, True, True, True]
    gone = before - files(repository)
    md5 = releases[1].artifact.md5
    assert {remote.address(md5), remote.signature(md5), f"evidence/{md5}/none-staging.json"} < gone
    assert len(gone) == 4, "and the one file that only it had"
    assert collected(repository) == 0
    assert files(repository) == before - gone, "a second run finds nothing"


def test_every_environment_keeps_its_own_three(repository: Repository, tmp_path: Path) -> None:
    """What production may roll back to stays, however many came to staging since."""
    serve(repository, "1.0.0")
    serve(repository, "1.0.1")
    releases = [beside(repository, version) for version in ("1.0.0", "1.0.1")]
    releases += [stage(repository, f"1.0.{patch}") for patch in range(2, 6)]
    aged(repository)
    assert collected(repository) == 0
    assert [there(repository, one, tmp_path / "pod") for one in releases] == [True, True, False, True, True, True]
    assert rollback.main(["--model", "delays", "--env", "production"]) == 0


def test_what_was_rolled_back_to_counts_as_served_last(repository: Repository, tmp_path: Path) -> None:
    """After a rollback past three others the delivery that serves again stays, and two more to roll back to."""
    releases = [stage(repository, f"{major}.0.0") for major in range(1, 6)]
    assert rollback.main(["--model", "delays", "--env", "staging", "--to", "2.0.0"]) == 0
    repository.push()
    promised = retention.promised(repository.root, "origin/main")
    assert {one.artifact.md5 for one in releases if one.version in ("2.0.0", "5.0.0", "4.0.0")} <= promised.keys()


def test_a_denied_release_goes_once_nothing_serves_it(repository: Repository, tmp_path: Path) -> None:
    """What was denied never returns: its artifact is garbage as soon as no branch names it."""
    serve(repository, "1.0.0")
    keeper = beside(repository, "1.0.0")
    bad = repository.place("1.0.1", "staging")
    refused = beside(repository, "1.0.1")
    assert fail(repository, bad, "staging") == 0
    assert collected(repository) == 0
    assert there(repository, refused, tmp_path / "pod"), "the branch's dvc.lock still names it"
    repository.train("delays", "patch", "another training")
    repository.push()
    for branch in git.git(repository.root, "branch", "--format=%(refname:short)").split():
        if branch != "main":
            git.git(repository.root, "branch", "-D", branch)
            git.git(repository.root, "push", "--quiet", "origin", "--delete", branch)
    aged(repository)
    assert collected(repository) == 0
    assert not there(repository, refused, tmp_path / "pod")
    assert there(repository, keeper, tmp_path / "pod")


@pytest.mark.parametrize("where", ["origin", "here", "tree"])
def test_what_an_open_branch_trained_stays(repository: Repository, tmp_path: Path, where: str) -> None:
    """An artifact that only a colleague's branch, a branch here or this working tree names is no garbage."""
    stage(repository, "1.0.0")
    git.git(repository.root, "switch", "--quiet", "-c", "idea")
    artifact = repository.train("delays", "patch", "an idea")
    if where == "origin":
        git.git(repository.root, "push", "--quiet", "origin", "idea")
    lock = (repository.root / "dvc.lock").read_text()
    git.git(repository.root, "switch", "--quiet", "main")
    if where != "here":
        git.git(repository.root, "branch", "-D", "idea")
    if where == "origin":
        git.git(repository.root, "update-ref", "-d", "refs/remotes/origin/idea")
    if where == "tree":
        (repository.root / "dvc.lock").write_text(lock)
    aged(repository)
    assert collected(repository) == 0
    assert fetch.fetch(str(repository.remote), artifact.md5, tmp_path / "pod").is_dir()


def test_what_was_pushed_a_moment_ago_stays(repository: Repository, tmp_path: Path) -> None:
    """Work that is in the remote and not yet in git is left for two weeks, with files that are as old as others."""
    stage(repository, "1.0.0")
    stage(repository, "1.0.1")
    aged(repository)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "new").write_text("new")
    shutil.copy(repository.root / ".fledge/artifacts/1.0.0/saved_model.pb", tmp_path / "work")
    md5 = trained.push(repository.remote, tmp_path / "work")
    for name, seconds in (("saved_model.pb", 2 * GRACE.total_seconds()), ("new", 0)):
        entry = contents(str(repository.remote), md5)[name]
        then = time.time() - seconds
        os.utime(repository.remote / remote.address(entry), (then, then))
    assert collected(repository) == 0
    assert fetch.fetch(str(repository.remote), md5, tmp_path / "pod").is_dir()
    found = garbage.found(str(repository.remote), {}, set(), datetime.now(UTC) + 3 * GRACE)
    assert remote.address(md5) in found.names, "later it is garbage like any other"


def test_the_rows_of_a_kept_delivery_stay(repository: Repository, tmp_path: Path) -> None:
    """The replay of an environment without users sends them: after a rollback too."""
    one = stage(repository, "1.0.0")
    (repository.root / "data" / "delays" / "2013-08.parquet").write_text("August")
    for patch in range(1, 4):
        stage(repository, f"1.0.{patch}")
    assert repository.release("1.0.3").data != one.data
    aged(repository)
    assert collected(repository) == 0
    assert fetch.fetch(str(repository.remote), one.data.md5, tmp_path / "rows").is_dir()


def test_what_is_not_ours_in_the_remote_is_left_alone(repository: Repository) -> None:
    """A bucket may hold more: what has another name than DVC's objects and what lies beside them stays."""
    stage(repository, "1.0.0")
    others = ["README", "files/md5/ab/readme", "runs/ab/cd", "evidence/README", "signatures/ab/x.json"]
    for name in others:
        (repository.remote / name).parent.mkdir(parents=True, exist_ok=True)
        (repository.remote / name).write_text("")
    aged(repository)
    assert collected(repository) == 0
    assert set(others) <= files(repository)


def test_a_promised_artifact_that_is_lost_is_told(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a delivery's artifact is gone something else is wrong: the line says whose, and nothing is removed."""
    one = stage(repository, "1.0.0")
    (repository.remote / remote.address(one.artifact.md5)).unlink()
    aged(repository)
    before = files(repository)
    assert gc.main(["--apply"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"gc: no {one.artifact.md5} of staging/delays 1.0.0 found, expected it kept ({repository.remote})"
    assert files(repository) == before


def test_a_listing_that_was_tampered_with_removes_nothing(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """What names other files than were pushed is told; by it the files that are needed would look like garbage."""
    one = stage(repository, "1.0.0")
    listing = repository.remote / remote.address(one.artifact.md5)
    listing.write_text("[]")
    aged(repository)
    before = files(repository)
    capsys.readouterr()
    assert gc.main(["--apply"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fetch: {one.artifact.md5} has md5 ")
    assert line.endswith(f": truncated or changed ({repository.remote})")
    assert files(repository) == before


def test_a_release_that_was_broken_once_is_no_obstacle(repository: Repository) -> None:
    """A release.yaml that could not be read for one commit of the past names nothing, and stops nothing."""
    stage(repository, "1.0.0")
    text = (repository.root / STAGING.release).read_text()
    for content in ("spec: [", text):
        (repository.root / STAGING.release).write_text(content)
        repository.commit("By hand")
    repository.push()
    aged(repository)
    assert collected(repository) == 0


def test_what_rollbacks_lead_to_stays(repository: Repository) -> None:
    """Two rollbacks after the fifth of five, the one before the third stays beside the three that served last."""
    releases = [stage(repository, f"1.0.{patch}") for patch in range(5)]
    for _ in range(2):
        assert rollback.main(["--model", "delays", "--env", "staging"]) == 0
        repository.push()
    assert repository.serves("staging") == "1.0.2"
    promised = retention.promised(repository.root, "origin/main")
    assert {one.artifact.md5 for one in releases} <= promised.keys()


def test_a_shallow_clone_cannot_say_what_is_needed(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the history every healthy delivery but the last would look like garbage: refused."""
    stage(repository, "1.0.0")
    origin = git.git(repository.root, "remote", "get-url", "origin")
    git.git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    assert gc.main(["--apply"]) == 1
    assert capsys.readouterr().err.startswith("gc: this clone is shallow, expected all of the history")


def test_gits_own_remote_that_is_away_is_one_line(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Who cannot ask git which branches there are removes nothing."""
    stage(repository, "1.0.0")
    git.git(repository.root, "remote", "set-url", "origin", "/nowhere")
    before = files(repository)
    capsys.readouterr()
    assert gc.main(["--apply"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("git: ")
    assert files(repository) == before


def test_a_remote_that_is_away_is_one_line(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where DVC's remote does not answer the line names it."""
    become({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **OWNER}, monkeypatch)
    repository.fetched_from("s3://team/models")
    repository.commit("Another remote")
    repository.push()
    capsys.readouterr()
    assert gc.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("gc: ")
    assert line.endswith("expected a remote that answers (s3://team/models)")


def test_a_bucket_is_tidied_as_a_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real S3 what is needed stays, what is too young stays, and the rest goes."""
    with serving(tmp_path) as store:
        become(store.environment(OWNER), monkeypatch)
        folder, where = store.folder / BUCKET / "models", f"s3://{BUCKET}/models"
        pushed = []
        for content in ("kept", "gone"):
            work = tmp_path / content
            work.mkdir()
            (work / "graph").write_text(content)
            local = tmp_path / f"remote-{content}"
            pushed.append(trained.push(local, work))
            fsspec.filesystem("s3").put(f"{local}/", f"{where}/", recursive=True)
        kept, gone = pushed
        now = datetime.now(UTC)
        assert garbage.found(where, {kept: "a/b 1.0.0"}, set(), now).names == {}
        found = garbage.found(where, {kept: "a/b 1.0.0"}, set(), now + GRACE + timedelta(hours=1))
        assert found.folders == [remote.address(gone)]
        garbage.remove(where, found)
        left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert left == {remote.address(kept), *map(remote.address, contents(where, kept).values())}
