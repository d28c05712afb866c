"""What an artifact costs a fresh process, and what is said where that process fails."""

import re
from pathlib import Path

import numpy as np
import pytest

from fledge.measuring import crowd, footprint
from fledge.problems import Problem

INPUTS = {
    "origin": np.array(["JFK", "", "Zürich"], object),
    "temp": np.array([70, np.nan, -0.0], np.float32),
    "load": np.array([0.1, 1, 0], np.float32),
}


def test_a_request_crosses_processes_unchanged() -> None:
    """Strings, NaN and the sign of zero are the same, in the same dtype, on the other side of JSON."""
    there = footprint.arrays(footprint.request("any", INPUTS))
    assert {name: values.dtype for name, values in there.items()} == {n: v.dtype for n, v in INPUTS.items()}
    for name, values in INPUTS.items():
        assert np.array_equal(there[name], values, equal_nan=name != "origin")
    assert np.signbit(there["temp"][2])


def test_memory_counts_what_loading_and_answering_took(zoo: Path) -> None:
    """Two fresh processes of one artifact agree within 1 MB, and both took time."""
    once, again = (footprint.taken(zoo / "champion", "serving_default", INPUTS) for _ in range(2))
    assert once.memory_mb == pytest.approx(again.memory_mb, abs=1)
    assert once.memory_mb > 1
    assert once.ready_ms > once.first_ms > 0


def test_an_artifact_that_no_process_can_load_is_a_problem(tmp_path: Path) -> None:
    """The line names the artifact and holds TensorFlow's own words."""
    for ask in (
        lambda: footprint.taken(tmp_path, "serving_default", INPUTS),
        lambda: crowd.asked([tmp_path], [footprint.request("serving_default", INPUTS)], 2),
    ):
        with pytest.raises(Problem) as problem:
            ask()
        (line,) = problem.value.lines
        assert re.match(f"{tmp_path.name}: a fresh process ended with 1 and said '.*Could not find SavedModel", line)
        assert line.endswith(", expected answers")


def test_a_process_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that never answers does not keep the gates waiting for ever."""
    monkeypatch.setattr(footprint, "LONGEST_S", 0.01)
    with pytest.raises(Problem, match=r"^new: a fresh process ran for 0.01 s, expected answers$"):
        footprint.asked("fledge.measuring.footprint", [Path("new")], {})
