"""Where a release comes from: the commit that completed its training, and the version that asks for."""

import hashlib
from pathlib import Path

import pytest

from fledge import git, project
from fledge.problems import Problem
from fledge.release import Files, Release, history, lineage
from tests.conftest import Repository

STAGING, HOME = Files("staging", "delays"), Path("models/delays")


def written(repository: Repository, path: Path | str, text: str) -> str:
    """A file of the clone, committed; the commit."""
    (repository.root / path).write_text(text)
    return repository.commit(f"Write {path}", path)


def test_the_commit_is_the_newest_that_changed_the_training(repository: Repository) -> None:
    """dvc.lock, data.dvc, contract and recipe are as they are since that commit; what else was committed is no matter."""
    repository.train("delays", "patch", "first")
    trained = git.git(repository.root, "rev-parse", "HEAD")
    written(repository, "NOTES.md", "mine\n")
    assert lineage.trained(repository.root, "delays", "HEAD").training.commit == trained
    contract = (repository.root / HOME / "contract.yaml").read_text().replace("\n", "\r\n")
    later = written(repository, HOME / "contract.yaml", contract)
    said = lineage.trained(repository.root, "delays", "HEAD")
    assert said.training.commit == later
    assert (
        said.fields["contract"] == hashlib.sha256((repository.root / HOME / "contract.yaml").read_bytes()).hexdigest()
    )


def test_a_merge_completes_what_both_sides_trained(repository: Repository) -> None:
    """Where one side has another recipe and the other another lock, only their merge holds both."""
    repository.train("delays", "patch", "first")
    git.git(repository.root, "switch", "--quiet", "--create", "side")
    params = (repository.root / HOME / "params.yaml").read_text()
    written(repository, HOME / "params.yaml", f"{params}# more\n")
    git.git(repository.root, "switch", "--quiet", "main")
    repository.train("delays", "patch", "second")
    git.git(repository.root, "merge", "--quiet", "--no-ff", "-m", "Merge side", "side")
    said = lineage.trained(repository.root, "delays", "HEAD")
    assert said.training.commit == git.git(repository.root, "rev-parse", "HEAD")
    assert said == lineage.trained(repository.root, "delays", said.training.commit)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("dvc.lock", r"^delays: no trained artifact found, expected one \(dvc\.lock: train@delays; make train\)$"),
        ("data.dvc", r"^delays: no data found at \w{10}, expected its hash \(data\.dvc: outs; make data\)$"),
        ("models/delays/contract.yaml", r"^delays: no contract found at \w{10}, expected one \(models/delays/contract\.yaml\)$"),
    ],
)  # fmt: skip
def test_what_git_does_not_say_is_one_line(repository: Repository, path: str, line: str) -> None:
    """Without the lock, the data's hash or the contract there is nothing to release."""
    repository.train("delays", "patch", "first")
    (repository.root / path).unlink()
    repository.commit("Gone")
    with pytest.raises(Problem, match=line):
        lineage.trained(repository.root, "delays", "HEAD")


def test_a_contract_that_is_none_is_one_line(repository: Repository) -> None:
    """What cannot be compared with the champion's contract has no version."""
    champion: Release = repository.release("1.0.0")
    written(repository, HOME / "contract.yaml", "just words\n")
    said = lineage.trained(repository.root, "delays", "HEAD")
    line = r"^delays: its contract or that of 1\.0\.0 has no inputs and outputs, expected both \(models/delays/contract\.yaml\)$"
    with pytest.raises(Problem, match=line):
        lineage.differences(repository.root, STAGING, "HEAD", champion, said)


def test_the_champions_contract_is_found_by_its_hash(repository: Repository) -> None:
    """The target branch may hold another one by now, of a release that came and went: a break after the champion is one."""
    champion = repository.release("1.0.0")
    repository.train("delays", "major", "2.0.0")
    said = lineage.trained(repository.root, "delays", "HEAD")
    owner = project.load(repository.root)
    assert history.versions(repository.root, "delays", ["staging"], "HEAD") == []
    found = lineage.differences(repository.root, STAGING, "HEAD", champion, said)
    version = lineage.version(repository.root, owner, STAGING, "HEAD", champion, found)
    assert version == ("1.0.0", "major: the signature is another")


def test_only_a_hash_names_a_commit(repository: Repository) -> None:
    """A branch, a tag, an option or nothing is in no history, nor is a commit of another branch."""
    head = git.git(repository.root, "rev-parse", "HEAD")
    git.git(repository.root, "switch", "--quiet", "--create", "other")
    other = written(repository, "NOTES.md", "theirs\n")
    git.git(repository.root, "switch", "--quiet", "main")
    for commit, there in {head: True, head[:10]: True, other: False, "main": False, "--all": False, "": False}.items():
        assert git.contains(repository.root, commit) == there, commit
