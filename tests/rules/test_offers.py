"""A release that is new to the target branch: each field follows from where it comes, and an edit by hand is named."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from fledge import git, release
from fledge.artifact import keys, signing
from fledge.differences import differences
from fledge.problems import Problem
from fledge.release import Files, Release, lineage, render
from fledge.rules import RULES
from fledge.rules.documents import Pair
from fledge.rules.offers import Offer
from scripts import auto_revert, check, healthy, promote, rollback
from tests.buckets import become
from tests.conftest import Repository
from tests.repository import a_release

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")
FILE = f"{STAGING.release}: spec."
VERB = "; make release MODEL=delays"
Said = pytest.CaptureFixture[str]


def serve(files: Files) -> None:
    """What main delivers there becomes healthy."""
    delivery, _ = render.delivered(files.rendered.read_text())
    arguments = ["--env", files.environment, "--model", files.model, "--delivery", delivery]
    assert healthy.main(arguments) == 0


@pytest.fixture
def repository(repository: Repository) -> Repository:
    """1.0.0 is healthy in staging, and a branch begins."""
    repository.place("1.0.0", "staging")
    serve(STAGING)
    git.git(repository.root, "switch", "--quiet", "--create", "work")
    return repository


def propose(repository: Repository, version: str = "1.0.1") -> Release:
    """A release on the branch that is checked out, as `make release` makes it."""
    wanted = repository.release(version)
    render.write(repository.root, STAGING, wanted)
    repository.commit(f"Release {version}")
    return wanted


def offered(repository: Repository) -> Offer | None:
    return Offer.of(Pair.read(repository.root, STAGING, "origin/main"))


def lines(repository: Repository, edited: Release | None = None) -> list[str]:
    """What is said of the release, or of it edited, by the rules that derive its fields."""
    if edited:
        (repository.root / STAGING.release).write_text(release.to_text("delays", edited))
    offer = offered(repository)
    assert offer
    found = []
    for rule in (one for one in RULES if one.scope == "offer" or one.name == "numbered"):
        try:
            found += list(rule.function(offer))
        except Problem as problem:
            found += problem.lines
    return list(dict.fromkeys(found))


def another(value: Any) -> Any:
    """A value of the same kind that is not the same."""
    match value:
        case None:
            return "0.9.0"
        case int() | float():
            return value + 1
        case str():
            return f"{'1' if value[0] == '0' else '0'}{value[1:]}"
    return [*value, value[0]]


def dotted(content: dict[str, Any], above: str = "") -> list[str]:
    """Every dotted key that has a value of its own."""
    found = []
    for key, value in content.items():
        found += dotted(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}"]
    return found


def edited(wanted: Release, key: str) -> Release:
    """The release with another value at a dotted key."""
    content = wanted.model_dump()
    *path, last = key.split(".")
    at = content
    for part in path:
        at = at[part]
    at[last] = another(at[last])
    return Release.model_validate(content)


def test_an_untouched_release_passes(repository: Repository) -> None:
    """What is proposed is derived again with all its fields, whatever else the target branch took meanwhile."""
    propose(repository)
    assert lines(repository) == []
    assert check.main([]) == 0
    git.git(repository.root, "switch", "--quiet", "main")
    (repository.root / "NOTES.md").write_text("somebody's\n")
    repository.commit("Notes")
    repository.push()
    git.git(repository.root, "merge", "--quiet", "--no-ff", "-m", "Merge work", "work")
    assert lines(repository) == []
    assert check.main([]) == 0


def test_each_field_edited_by_hand_is_named(repository: Repository) -> None:
    """Of each field there is, one edit is one line: what was found, what was expected, and where. The commit is any other's."""
    wanted = propose(repository)
    for key in dotted(wanted.model_dump()):
        other = edited(wanted, key)
        [found] = [after for name, _, after in differences(wanted.model_dump(), other.model_dump()) if name == key]
        said = [line for line in lines(repository, other) if "number is" not in line or key == "number"]
        assert len(said) == 1, (key, said)
        assert said[0].startswith(f"staging/delays: {key} {'' if key == 'training.commit' else 'is '}{found}"), key
        assert ", expected " in said[0]
        assert f"{FILE}{key}" in said[0]


@pytest.mark.parametrize("field", ["artifact.md5", "contract", "training.time", "parent", "parameters.epochs"])
def test_a_release_of_the_target_branch_is_edited_in_vain(repository: Repository, capsys: Said, field: str) -> None:
    """A version is one release for ever: of one that is on main each field is still what it was derived from."""
    propose(repository)
    git.git(repository.root, "push", "--quiet", "origin", "HEAD:main")
    serve(STAGING)
    other = edited(a_release("1.0.1"), field)
    [line] = lines(repository, other)
    capsys.readouterr()
    assert check.main([]) == 1
    belongs = f"staging/delays: {STAGING.release} does not belong to {STAGING.rendered}, expected that of 1.0.1"
    assert sorted(capsys.readouterr().err.splitlines()) == sorted([line, belongs])


def test_the_whole_line_says_what_to_change(repository: Repository) -> None:
    """Found, expected, file and key."""
    wanted = propose(repository)
    [line] = lines(repository, edited(wanted, "artifact.size"))
    size = wanted.artifact.size
    assert line == f"staging/delays: artifact.size is {size + 1}, expected {size} ({FILE}artifact.size)"
    parameters = {**wanted.parameters, "dropout": 0.5}
    [line] = lines(repository, wanted.model_copy(update={"parameters": parameters}))
    assert line == f"staging/delays: parameters.dropout is 0.5, expected nothing ({FILE}parameters.dropout)"
    [line] = lines(repository, wanted.model_copy(update={"parent": None}))
    where = f"(git fetch --tags; {FILE}parent{VERB})"
    assert line == f"staging/delays: parent is nothing, expected 1.0.0, last healthy in staging {where}"


def test_all_edits_are_told_at_once(repository: Repository) -> None:
    """Another artifact in every word of it is a line for its hash, one for its sha256 and one for its size."""
    wanted = propose(repository)
    other = repository.train("delays", "patch", "another and longer")
    said = lines(repository, wanted.model_copy(update={"artifact": other}))
    assert [line.split()[1] for line in said] == ["artifact.md5", "artifact.sha256", "artifact.size"]


def test_an_artifact_is_signed_by_a_key_of_the_repository(repository: Repository, tmp_path: Path) -> None:
    """Where there are public keys an artifact without a signature is one line, a stranger's another; its own passes."""
    md5, where = propose(repository).artifact.md5, str(repository.remote)
    own, _ = keys.pair(repository.root)
    [line] = lines(repository)
    assert line.startswith(f"signing: no signature found of {md5}, expected one (make release signs) ({where}/")
    folder = lineage.fetched(repository.root, md5)
    keys._made(tmp_path / "stranger.pem")
    signing.sign(folder, where, md5, tmp_path / "stranger.pem")
    [line] = lines(repository)
    assert "signed by" in line, line
    signing.sign(folder, where, md5, own)
    assert lines(repository) == []


def test_another_commit_is_no_training(repository: Repository) -> None:
    """A commit that changed nothing of the training is told which did; one of a longer name, a branch or an option is none."""
    wanted = propose(repository)
    head = git.git(repository.root, "rev-parse", "HEAD")
    training = wanted.training
    for commit, line in {
        head: f"training.commit is {head}, expected {training.commit} ({FILE}training.commit)",
        training.commit[:10]: f"training.commit is {training.commit[:10]}, expected {training.commit}",
        "work": "training.commit work is not in HEAD's history",
        "--output=/dev/null": "training.commit --output=/dev/null is not in HEAD's history",
    }.items():
        other = wanted.model_copy(update={"training": training.model_copy(update={"commit": commit})})
        [said] = lines(repository, other)
        assert said.startswith(f"staging/delays: {line}")


def test_an_instant_has_several_spellings(repository: Repository) -> None:
    """Git of another version, or of another place, may write the same time in other words; what is no time is refused."""
    wanted = propose(repository)
    moment = datetime.fromisoformat(wanted.training.time)
    elsewhere = moment.astimezone(timezone(timedelta(hours=5))).isoformat()
    for time in (moment.astimezone(UTC).isoformat().replace("+00:00", "Z"), elsewhere):
        assert lines(repository, with_time(wanted, time)) == []
    [line] = lines(repository, with_time(wanted, "yesterday"))
    assert line == f"staging/delays: training.time is yesterday, expected {wanted.training.time} ({FILE}training.time)"


def with_time(wanted: Release, time: str) -> Release:
    """The same release, trained at another time."""
    return wanted.model_copy(update={"training": wanted.training.model_copy(update={"time": time})})


def numbered(wanted: Release, version: str) -> Release:
    """The same release under another version."""
    return wanted.model_copy(update={"version": version, "number": release.number(version)})


def test_a_version_reaches_as_far_as_the_contract_asks(repository: Repository) -> None:
    """A break under a patch's or a minor's number is refused; a higher version than is asked for is the owner's to choose."""
    wanted = propose(repository, "2.0.0")
    for version in ("1.0.1", "1.9.0"):
        [line] = lines(repository, numbered(wanted, version))
        said = f"version is {version}, expected at least 2.0.0: major: the signature is another"
        assert line == f"staging/delays: {said} ({FILE}version{VERB})"
    for version in ("2.0.0", "2.1.0", "7.0.0"):
        assert lines(repository, numbered(wanted, version)) == []


def test_a_recipe_asks_for_a_minor_version(repository: Repository) -> None:
    """Other training parameters are more than a patch; another seed is not."""
    wanted = propose(repository, "1.1.0")
    [line] = lines(repository, numbered(wanted, "1.0.1"))
    assert "version is 1.0.1, expected at least 1.1.0: minor: another parameter (train.epochs)" in line


def test_a_number_never_means_another_artifact(repository: Repository) -> None:
    """A version that another artifact had on the target branch is taken, although it was denied and is gone."""
    wanted = propose(repository)
    git.git(repository.root, "push", "--quiet", "origin", "HEAD:main")
    delivery, _ = render.delivered((repository.root / STAGING.rendered).read_text())
    assert auto_revert.main(["--env", "staging", "--model", "delays", "--delivery", delivery, "--reason", "bad"]) == 0
    git.git(repository.root, "switch", "--quiet", "--create", "again", "origin/main")
    other = propose(repository, "1.0.2")
    assert lines(repository) == []
    [line] = lines(repository, numbered(other, "1.0.1"))
    assert (
        line
        == f"staging/delays: version is 1.0.1, expected at least 1.0.2: patch: the same contract and recipe ({FILE}version{VERB})"
    )
    assert lines(repository, wanted.model_copy(update={"parent": "0.9.0"})) == [  # its own
        f"staging/delays: parent is 0.9.0, expected 1.0.0 ({FILE}parent)"
    ]


def test_a_champion_that_came_later_is_named(repository: Repository) -> None:
    """The gates compare with the champion of now: what was proposed before it was healthy says so by a new release."""
    propose(repository)
    git.git(repository.root, "push", "--quiet", "origin", "HEAD:main")
    git.git(repository.root, "switch", "--quiet", "--create", "next")
    propose(repository, "1.0.2")
    assert lines(repository) == []
    git.git(repository.root, "fetch", "--quiet")
    delivery, _ = render.delivered(git.show(repository.root, "origin/main", STAGING.rendered) or "")
    assert healthy.main(["--env", "staging", "--model", "delays", "--delivery", delivery]) == 0
    [line] = lines(repository)
    where = f"(git fetch --tags; {FILE}parent{VERB})"
    assert line == f"staging/delays: parent is 1.0.0, expected 1.0.1, last healthy in staging {where}"


def squashed(root: Path) -> None:
    git.git(root, "switch", "--quiet", "--create", "squashed", "origin/main")
    git.git(root, "merge", "--quiet", "--squash", "work")
    git.git(root, "commit", "--quiet", "-m", "One commit")


def rebased(root: Path) -> None:
    git.git(root, "rebase", "--quiet", "--force-rebase", "--committer-date-is-author-date", "origin/main")
    git.git(root, "commit", "--quiet", "--amend", "-m", "Another")
    git.git(root, "reset", "--quiet", "--soft", "origin/main")
    git.git(root, "commit", "--quiet", "-m", "Anew")


@pytest.mark.parametrize("act", [squashed, rebased])
def test_a_training_that_vanished_is_one_line(
    repository: Repository, capsys: Said, act: Callable[[Path], None]
) -> None:
    """After a squash or a rebase nobody can derive the release: it is made anew, from the commit that is there."""
    wanted = propose(repository)
    act(repository.root)
    capsys.readouterr()
    assert check.main([]) == 1
    found = f"training.commit {wanted.training.commit} is not in HEAD's history"
    expected = "one that neither squash nor rebase took away"
    said = capsys.readouterr().err
    assert said == f"staging/delays: {found}, expected {expected} ({FILE}training.commit{VERB})\n"


def test_a_shallow_clone_is_one_line(
    repository: Repository, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the history nothing can be derived, and the line says how to get it."""
    propose(repository)
    git.git(repository.root, "push", "--quiet", "origin", "work")
    url = f"file://{tmp_path / 'origin.git'}"
    command = [
        "git",
        "clone",
        "--quiet",
        "--depth",
        "2",
        "--no-single-branch",
        "--branch",
        "work",
        url,
        tmp_path / "shallow",
    ]
    subprocess.run(command, check=True)
    monkeypatch.chdir(tmp_path / "shallow")
    assert check.main([]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "staging/delays: this clone is shallow, expected all of the history (git fetch --unshallow)" in said
    assert not [line for line in said if "release.yaml: spec" in line]


def test_a_remote_that_is_away_is_one_line(repository: Repository) -> None:
    """Whether it lacks the artifact or does not answer, what else is wrong is told beside it."""
    wanted = propose(repository)
    shutil.rmtree(repository.remote)
    md5 = wanted.artifact.md5
    assert lines(repository) == [f"fetch: no {md5} found, expected it pushed with `dvc push` ({repository.remote})"]
    away = "http://127.0.0.1:9/models"
    repository.fetched_from(away)
    parent, remote = sorted(lines(repository, wanted.model_copy(update={"parent": "0.9.0"})), reverse=True)
    assert parent.startswith("staging/delays: parent is 0.9.0")
    assert remote.startswith(f"fetch: {md5}: ")
    assert remote.endswith(f", expected a remote that answers ({away})")


def test_a_bucket_without_credentials_is_one_line(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fork's pull request gets: the remote does not answer it, and nothing is guessed."""
    wanted = propose(repository)
    repository.fetched_from("s3://nowhere/models")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    given = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    given |= dict.fromkeys(("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"), "/dev/null")
    become(given, monkeypatch)
    [line] = lines(repository)
    said = "NoCredentialsError: Unable to locate credentials, expected a remote that answers (s3://nowhere/models)"
    assert line == f"fetch: {wanted.artifact.md5}: {said}"


def unchanged(repository: Repository) -> None:
    """Something else is edited."""
    (repository.root / "NOTES.md").write_text("mine\n")


def rolled_back(repository: Repository) -> None:
    assert rollback.main(["--model", "delays", "--env", "staging", "--to", "1.0.0"]) == 0


def another_stack(repository: Repository) -> None:
    base = repository.root / "manifests/base/rollout.yaml"
    base.write_text(base.read_text().replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 31"))
    render.write(repository.root, STAGING, a_release("1.0.1"))


@pytest.mark.parametrize("act", [unchanged, rolled_back, another_stack])
def test_what_the_target_branch_had_is_not_judged_anew(
    repository: Repository, act: Callable[[Repository], None]
) -> None:
    """A rollback, another stack and what nobody touched need neither the remote nor the commit of the training."""
    propose(repository)
    git.git(repository.root, "push", "--quiet", "origin", "HEAD:main")
    serve(STAGING)
    shutil.rmtree(repository.remote)
    act(repository)
    assert offered(repository) is None
    assert check.main([]) == 0


def test_a_later_environment_has_the_same_release(repository: Repository, capsys: Said) -> None:
    """Of a promotion every field is that of the environment below, and the one that is not is named."""
    assert promote.main(["--model", "delays", "--to", "production"]) == 0
    assert check.main([]) == 0
    capsys.readouterr()
    (repository.root / PRODUCTION.release).write_text(
        release.to_text("delays", edited(a_release("1.0.0"), "training.time"))
    )
    time = a_release("1.0.0").training.time
    assert check.main([]) == 1
    line = f"production/delays: training.time is {another(time)}, expected {time} ({PRODUCTION.release}: spec.training.time)"
    assert capsys.readouterr().err == f"{line}\n"
