"""Golden vectors: what training leaves comes back as it was, and what is damaged is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from fledge.artifact import vectors
from fledge.artifact.contract import Contract, Input, Output
from fledge.problems import Problem

CONTRACT = Contract(
    signature="serving_default",
    inputs={
        "temp": Input(dtype="float32", missing="nan", means=55),
        "stops": Input(dtype="int64"),
        "origin": Input(dtype="string", missing=""),
    },
    outputs={"chances": Output(dtype="float32", shape=(2,))},
    classes=["on_time", "late"],
)
INPUTS = {
    "temp": np.array([0.1, np.nan, np.inf, -0.0], np.float32),
    "stops": np.array([2**53 + 1, -1, 0, 7]),
    "origin": np.array(["EWR", "", b"\xc3\x84", '"'], object),
}
OUTPUTS = {"chances": np.array([[1 / 3, 2 / 3], [1e-45, 1], [0, 1], [0.5, 0.5]], np.float32)}


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (255, 255), (256, 256), (28_293, 256)])
def test_rows_are_spread_over_all(count: int, kept: int) -> None:
    """At most 256 rows are chosen, from the first to the last, no two of them the same."""
    chosen = vectors.chosen(count)
    assert (len(set(chosen.tolist())), chosen[0], chosen[-1]) == (kept, 0, count - 1)


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    """Not a number, infinity, minus zero, the smallest and the largest numbers and any string survive the file."""
    file = tmp_path / "golden.json"
    file.write_text(vectors.dumps(INPUTS, OUTPUTS))
    read = vectors.read(file, CONTRACT)
    assert read is not None
    for name, values in {"temp": INPUTS["temp"], "stops": INPUTS["stops"]}.items():
        assert read[0][name].tobytes() == values.tobytes()
    assert read[0]["origin"].tolist() == ["EWR", "", "Ä", '"']
    assert read[1]["chances"].tobytes() == OUTPUTS["chances"].tobytes()
    assert file.read_text() == vectors.dumps(dict(reversed(INPUTS.items())), OUTPUTS), "no order of its own"


def test_an_artifact_may_have_none(tmp_path: Path) -> None:
    """A SavedModel from elsewhere has no golden vectors, which is no mistake."""
    assert vectors.read(tmp_path / "golden.json", CONTRACT) is None


GOOD = json.loads(vectors.dumps(INPUTS, OUTPUTS))
BAD = {
    "no-json": ("{", "JSONDecodeError"),
    "a-list": ("[]", "TypeError"),
    "no-outputs": (json.dumps(GOOD | {"outputs": {}}), "KeyError('chances')"),
    "no-input": (json.dumps(GOOD | {"inputs": {"temp": [1.0]}}), "KeyError('stops')"),
    "another-input": (json.dumps(GOOD | {"inputs": GOOD["inputs"] | {"more": []}}), "more beside the contract's"),
    "a-row-less": (json.dumps(GOOD | {"outputs": {"chances": [[0, 1]]}}), "arrays of [1, 4] rows"),
    "no-rows": (
        json.dumps({"inputs": {name: [] for name in GOOD["inputs"]}, "outputs": {"chances": []}}),
        "arrays of [0] rows",
    ),
}


@pytest.mark.parametrize(("text", "found"), BAD.values(), ids=BAD)
def test_damage_is_named(tmp_path: Path, text: str, found: str) -> None:
    """A file that is not what training left is one line that says what was found, and where."""
    file = tmp_path / "golden.json"
    file.write_text(text)
    with pytest.raises(Problem) as problem:
        vectors.read(file, CONTRACT)
    (line,) = problem.value.lines
    assert line.startswith(f"golden: found {found}")
    assert line.endswith(f"({file})")
