"""Any task and any SavedModel: three classes and a regression, from no training stage here, meet every gate."""

import copy
from pathlib import Path
from typing import Any

import pytest

from fledge.evidence import Verdict
from fledge.gates import process
from fledge.gates.process import Pair
from tests.tiny.judging import judge
from tests.tiny.owner import CONTRACT, MINUTES, THREE, limits, rows, write_model, write_rows

A_ROW = {"origin": ["JFK"], "temp": [70.0], "load": [0.5]}
OUTPUT = {"three": ("probabilities", [0, 1]), "minutes": ("minutes", [-100, 100])}
KINDS: dict[str, dict[str, Any]] = {"three": THREE, "minutes": MINUTES}
# What only a training stage leaves, and what its owner must own up to.
FOREIGN = [("data", "training"), ("leakage", "overlap"), ("leakage", "time"), ("leakage", "gap")]


def pair(root: Path, zoo: Path, task: str, candidate: str, *, said: bool) -> Pair:
    """A model that was trained elsewhere, beside its champion; `said`: its owner says so in params.yaml."""
    kind, (output, between) = KINDS[task], OUTPUT[task]
    # `monotone` is about one chance, not about a class of three.
    contract = copy.deepcopy(CONTRACT | kind["contract"])
    if task == "three":
        contract["inputs"]["load"].pop("monotone")
    given = limits(**kind["limits"])
    given["leakage"]["single_feature"]["above_runner_up"] = 0.9  # by their formula it is the temperature that tells
    for gate, check in FOREIGN * said:
        given[gate][check]["inconclusive"] = "warn"
    request = {"name": "golden", "kind": "golden", "inputs": A_ROW, "expect": {"range": {output: between}}}
    folder = write_model(root, task, contract, given, [request])
    return Pair(folder, zoo / f"{task}_{candidate}", zoo / f"{task}_champion", (write_rows(root, task, rows()),))


@pytest.mark.parametrize("task", KINDS)
def test_a_good_model_of_any_task_passes_every_gate(tmp_path: Path, zoo: Path, task: str) -> None:
    """A SavedModel from elsewhere, its owner having said that no training stage made it here, passes all twelve gates."""
    found = process.judge(pair(tmp_path, zoo, task, "good", said=True))
    assert [check.line for check in found.blocking] == []
    made = {check.gate for check in found.checks}
    assert made == {file.stem.removeprefix("test_") for file in process.GATES.glob("test_*.py")}
    asked = {check.name for check in found.checks if check.gate == "regression"}
    assert set(KINDS[task]["limits"]["metrics"]) | {"floor", "report"} == asked


def test_a_constant_of_any_task_is_refused_by_every_metric(tmp_path: Path, zoo: Path) -> None:
    """A model that has learnt nothing blocks in each of its metrics and at the floor."""
    asked = [("regression", pair(tmp_path, zoo, task, "constant", said=True)) for task in KINDS]
    for task, found in zip(KINDS, judge(asked, tmp_path), strict=True):
        refused = {check.name for check in found.blocking}
        assert refused == {*KINDS[task]["limits"]["metrics"], "floor"}


def test_what_only_training_leaves_is_not_passed_over(tmp_path: Path, zoo: Path) -> None:
    """Without training rows a check about them is INCONCLUSIVE and blocks, until the owner says that it may not."""
    for said in (False, True):
        asked = pair(tmp_path, zoo, "minutes", "good", said=said)
        checks = [
            check
            for found in judge([(gate, asked) for gate in ("data", "leakage")], tmp_path)
            for check in found.checks
        ]
        unknown = {(check.gate, check.name): check.blocks for check in checks if check.verdict is Verdict.INCONCLUSIVE}
        assert unknown == dict.fromkeys(FOREIGN, not said)
