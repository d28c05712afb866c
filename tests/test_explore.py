"""The verb `make explore`: whom it asks, that it asks what the gates do not, and what it says of a fault that it finds."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fledge.branch.affected import Change
from fledge.evidence import Verdict
from fledge.gates import process
from fledge.gates.pairs import pairs
from scripts import explore
from tests.conftest import Repository
from tests.tiny.offered import PRODUCTION, STAGING, Owner, an_owner
from tests.tiny.owner import rows

Said = pytest.CaptureFixture[str]
FEW = 50  # what the gates of the tiny model ask


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """The tiny model, never released."""
    pq.write_table(rows(), tmp_path / "rows")
    return an_owner(repository, tmp_path / "remote", tmp_path / "rows")


def test_where_nothing_serves_nothing_is_asked(owner: Owner, capsys: Said) -> None:
    """A repository before its first release says so, and that is no fault."""
    assert explore.main([]) == 0
    assert capsys.readouterr().out == "explore: nothing is healthy yet, nothing to ask\n"


def test_a_sound_model_answers(owner: Owner, zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    """What serves in two environments is asked once, as many questions as are wanted."""
    monkeypatch.setattr(explore, "EXAMPLES", FEW)
    released = owner.offer("1.0.0", zoo / "champion")
    owner.serve()
    owner.place(PRODUCTION, released)
    owner.serve(PRODUCTION)
    capsys.readouterr()
    assert explore.main([]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(r"staging/tiny: 1\.0\.0: edge_cases\.properties PASS: all answered as expected; .*\n", said.out)
    assert said.err.startswith(f"gates: {FEW} random rows to staging/tiny, 1 check\n")


def test_a_seldom_fault_is_found_that_the_gates_overlook(owner: Owner, zoo: Path, capsys: Said) -> None:
    """A fault in 1 row of 250 passes the few examples of the gates; thousands of random ones name a row that shows it."""
    owner.offer("1.0.0", zoo / "seldom_silent")
    owner.serve()
    [(_, released)] = explore.served(owner.root)
    [pair, *_] = pairs(owner.root, "HEAD", Change(STAGING, "candidate", released, None))
    assert process.explored(pair, 0).verdict is Verdict.PASS  # 0: as who judges asks
    assert explore.main([]) == 1
    assert re.fullmatch(
        r"staging/tiny: 1\.0\.0: probability is not finite in 1 of 1 rows for \{.*'load': 0\.45\d*.*\}, "
        r"expected an answer as promised \(mend the preprocessing in the graph, or narrow contract\.yaml: inputs\)",
        capsys.readouterr().err.splitlines()[-1],
    )


def test_what_is_nowhere_is_one_line(owner: Owner, zoo: Path, capsys: Said) -> None:
    """A release whose artifact the remote lost is told, not passed over."""
    released = owner.offer("1.0.0", zoo / "champion")
    owner.serve()
    capsys.readouterr()
    for file in (owner.remote / "files" / "md5").rglob("*"):
        if file.is_file():
            file.unlink()
    assert explore.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert released.artifact.md5 in line
