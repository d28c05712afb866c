"""Evidence in the remote, beside the artifact that it is about."""

from pathlib import Path

import fsspec
import pytest

from fledge.evidence import Check, Evidence, Verdict, stored
from fledge.problems import Problem

NEW, OLD = "1" * 32 + ".dir", "2" * 32 + ".dir"


def found(champion: str | None = OLD, verdict: Verdict = Verdict.PASS) -> Evidence:
    """Evidence of one pair."""
    other = None if champion is None else {"name": "old", "md5": champion}
    return Evidence("tiny", {"name": "new", "md5": NEW}, other, {}, [Check("one", "check", verdict, "as is")])


@pytest.fixture(params=["disk", "memory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty remote: a folder, or an object store."""
    return str(tmp_path / "remote") if request.param == "disk" else f"memory://{tmp_path.name}/{request.param}"


def test_what_is_stored_is_recalled(remote: str) -> None:
    """Evidence lies where its candidate's, its champion's hash and its environment say, its page beside it."""
    where = stored.store(remote, found(), "staging", "<p>page</p>")
    assert where == f"{remote}/evidence/{NEW}/{OLD}-staging.json"
    assert stored.recall(remote, NEW, OLD, "staging") == found()
    with fsspec.open(where.replace(".json", ".html"), "r") as page:
        assert page.read() == "<p>page</p>"


def test_pairs_and_environments_are_kept_apart(remote: str) -> None:
    """The same candidate against another champion, against none, or in another environment is other evidence."""
    stored.store(remote, found(), "staging", "")
    stored.store(remote, found(None, Verdict.BLOCK), "staging", "")
    stored.store(remote, found(OLD, Verdict.BLOCK), "production", "")
    assert stored.recall(remote, NEW, OLD, "staging") == found()
    assert stored.recall(remote, NEW, None, "staging") == found(None, Verdict.BLOCK)
    assert stored.recall(remote, NEW, OLD, "production") == found(OLD, Verdict.BLOCK)


def test_the_newest_evidence_of_a_pair_counts(remote: str) -> None:
    """Storing again replaces."""
    stored.store(remote, found(), "staging", "")
    stored.store(remote, found(verdict=Verdict.BLOCK), "staging", "")
    assert stored.recall(remote, NEW, OLD, "staging").verdict is Verdict.BLOCK


def test_a_disk_keeps_nothing_half_written(tmp_path: Path) -> None:
    """On a disk the file is written aside and renamed: afterwards only the two files are there."""
    where = Path(stored.store(str(tmp_path), found(), "staging", "page"))
    assert sorted(path.name for path in where.parent.iterdir()) == [f"{OLD}-staging.html", f"{OLD}-staging.json"]


def test_evidence_that_was_never_stored_is_one_line(remote: str) -> None:
    """Nothing there is a Problem that names the place and the verb, not a PASS."""
    with pytest.raises(
        Problem, match=rf"none found, expected it stored with `make gates STORE=1` .*{NEW}/none-staging"
    ):
        stored.recall(remote, NEW, None, "staging")


def test_stored_evidence_that_was_damaged_is_one_line(remote: str) -> None:
    """A file that somebody edited is refused with its address and key."""
    where = stored.store(remote, found(verdict=Verdict.BLOCK), "staging", "")
    with fsspec.open(where, "rb") as file:
        text = file.read()
    with fsspec.open(where, "wb") as file:
        file.write(text.replace(b'"verdict": "BLOCK"', b'"verdict": "PASS"', 1))
    with pytest.raises(Problem, match=r"evidence: .*staging.json: verdict\)"):
        stored.recall(remote, NEW, OLD, "staging")


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        ("/proc/version/remote", r"NotADirectoryError: .*, expected an address that may be written \(/proc/version"),
        ("nowhere://bucket", r"Protocol not known: nowhere.*, expected an address that may be written \(nowhere:"),
        ("http://127.0.0.1:9", r"expected an address that may be written \(http:"),
    ],
    ids=["read-only", "no such protocol", "unreachable"],
)
def test_a_remote_that_cannot_be_written_is_one_line(remote: str, reason: str) -> None:
    """Read-only, unknown or unreachable: a Problem of one line that names the place."""
    with pytest.raises(Problem, match=reason) as problem:
        stored.store(remote, found(), "staging", "")
    assert len(str(problem.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("candidate", "champion", "environment", "reason"),
    [
        ("../../etc", None, "staging", r"found '../../etc', expected DVC's md5 of an artifact \(candidate.md5\)"),
        (NEW, "old", "staging", r"found 'old', expected DVC's md5 of an artifact \(champion.md5\)"),
        (NEW, None, "../up", r"found '../up', expected an environment \(project.yaml: environments\)"),
    ],
)
def test_an_address_stays_below_the_remote(candidate: str, champion: str | None, environment: str, reason: str) -> None:
    """What is no hash and no environment's name cannot lead elsewhere."""
    with pytest.raises(Problem, match=reason):
        stored.address("/remote", candidate, champion, environment)
