"""What `make bench` says of times; none of these is measured."""

import re
import sys
from pathlib import Path

import pytest

from fledge.evidence import Check, Evidence, Verdict
from fledge.gates.process import GATES, Pair
from fledge.problems import Problem
from scripts import bench
from scripts.bench import ALL, FLOOR, SCORED, Taken, Times
from tests.conftest import ROOT

TIMES: Times = {
    FLOOR: [Taken(4, 2), Taken(2, 2), Taken(3, 2)],
    SCORED: [Taken(6, 3), Taken(5, 3), Taken(4.5, 3)],
    ALL: [Taken(60, 30)],
}


def test_every_turn_has_its_own_floor() -> None:
    """A slow turn is slow for both: 6 over 4, 5 over 2 and 4.5 over 3; what was done once is beside the median of 3."""
    assert bench.floors(TIMES, SCORED, "wall") == [1.5, 2.5, 1.5]
    assert bench.floors(TIMES, FLOOR, "wall") == [1, 1, 1]
    assert bench.floors(TIMES, ALL, "wall") == [20]


def test_the_report_holds_median_least_most_and_goal() -> None:
    """Each line has seconds and floors by the clock and by the CPU; below it stands where the time went, longest first."""
    checks = [Check("latency", "ratio", Verdict.PASS, "")]
    whole = Evidence(
        "delays", {"name": "new", "md5": "a.dir"}, None, {}, checks, timings={"latency": 3.2, "resources": 40.0}
    )
    said = bench.report(TIMES, whole)
    lines = [re.split(r"  +", line) for line in said.splitlines()]
    assert lines[3][:4] == ["scoring gates", "5.00 (4.50 … 6.00)", "1.50 (1.50 … 2.50)", "3.00 (3.00 … 3.00)"]
    assert lines[3][4:] == ["1.50 (1.50 … 1.50)", "at most 2 floors"]
    assert lines[4] == ["all gates", "60.00", "20.00", "30.00", "15.00", "at most 120 s"]
    assert "all gates: PASS, 1 checks. Seconds by gate: resources 40.0, latency 3.2" in said


def test_the_scoring_gates_are_gates(tmp_path: Path) -> None:
    """The timed process runs the files of those gates, and no other, on the pair that the floor scores."""
    pair = Pair(ROOT / "models" / "delays", tmp_path / "new", tmp_path / "old", (tmp_path / "2013-07.parquet",))
    floor, scored = (bench.command(name, pair, tmp_path / "out.json") for name in (FLOOR, SCORED))
    files = [part for part in scored if part.endswith(".py")]
    assert files == [str(GATES / f"test_{gate}.py") for gate in bench.SCORING]
    assert all(Path(file).is_file() for file in files)
    for part in (str(tmp_path / "new"), str(tmp_path / "old"), str(tmp_path / "2013-07.parquet")):
        assert part in floor
        assert part in scored


def test_a_process_that_fails_is_no_measurement() -> None:
    """What ends early is not fast: the bench stops with its last words."""
    assert bench.timed(len, [1, 2])[1] == 2
    with pytest.raises(
        Problem, match=r"^bench: fledge.measuring.floor ended with 1 and said .*nowhere.*, expected a pass$"
    ):
        bench.run([sys.executable, "-m", "fledge.measuring.floor", "nowhere", "nowhere", "nowhere"])


def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is timed where there is nothing to time, or no turn to time it in."""
    monkeypatch.chdir(tmp_path)
    assert bench.main(["--model", "nowhere"]) == 1
    assert "no saved_model.pb in models/nowhere/saved_model" in capsys.readouterr().err
    assert bench.main([]) == 1
    assert capsys.readouterr().err.startswith("project.yaml: no such file, expected one")
    assert bench.main(["--model", "nowhere", "--repeat", "0"]) == 1
    assert capsys.readouterr().err == "bench: found 0 repetitions, expected at least one (--repeat)\n"
