"""`gates:` of params.yaml: what an owner declares, and what is refused by file and key."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fledge.gates import limits
from fledge.gates.limits import Limit
from fledge.problems import Problem
from tests.tiny.owner import limits as limits_of


def written(folder: Path, content: Any) -> Path:
    """`content` as a params.yaml."""
    YAML().dump(content, folder / "params.yaml")
    return folder / "params.yaml"


def test_rows_that_training_saw_prove_nothing(tmp_path: Path) -> None:
    """A month of gates.rows that is also trained on, or is named twice, is refused by file and key."""
    file = written(tmp_path, {"train": {"months": ["2013-06", "2013-07"]}, "gates": limits_of(holdout=["2013-07"])})
    with pytest.raises(Problem) as problem:
        limits.load(file)
    trained, twice = problem.value.lines
    assert trained.startswith("gates: found 2013-07 among train.months, expected a month that training never saw (")
    assert f"{file}: gates.rows" in trained
    assert twice == f"gates: found 2013-07 2 times, expected it once ({file}: gates.rows, gates.holdout)"


def test_an_artifact_without_a_training_stage_has_no_training_months(tmp_path: Path) -> None:
    """`train:` may be absent; where it is there, its months are those that the gates must not score."""
    assert limits.load(written(tmp_path, {"gates": limits_of()})).training == ()
    found = limits.load(written(tmp_path, {"train": {"months": ["2013-06"]}, "gates": limits_of()}))
    assert (found.training, found.months) == (("2013-06",), ("2013-07",))


def test_what_an_owner_leaves_out_has_a_plain_meaning(tmp_path: Path) -> None:
    """Without segments and groups none is declared, and rows are dated by their cluster."""
    content = limits_of()
    for key in ("segments", "fairness", "time", "threshold", "holdout"):
        content.pop(key)
    found = limits.load(written(tmp_path, {"gates": content}))
    assert (found.segments, found.groups, found.time, found.threshold) == ((), (), "date", 0.5)
    assert found.columns == ("date",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": ["accurracy"]}, "gates: found metric accurracy, expected one of auc, log_loss, brier, accuracy ("),
        ({"metrics": []}, "gates: found no metric, expected at least one of auc, log_loss, brier, accuracy ("),
        ({"task": "regression"}, "gates: found metric auc, expected one of squared_error, absolute_error ("),
        ({"task": "ranking"}, "gates.task: found 'ranking'"),
    ],
    ids=["misspelt", "none", "of-another-task", "unknown-task"],
)
def test_a_metric_must_be_the_tasks(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The task decides which metrics there are; another one is refused by file and key."""
    file = written(tmp_path, {"gates": limits_of(**change)})
    with pytest.raises(Problem) as problem:
        limits.load(file)
    line = problem.value.lines[0]
    assert said.partition(":")[2].strip(" (") in line, line
    assert f"{file}: gates." in line


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (50, "found 50, expected less than 1"),
        (1, "found 1, expected less than 1"),
        (0, "found 0, expected greater than 0"),
        (float("nan"), "found nan, expected a finite number"),
        (float("inf"), "found inf, expected a finite number"),
    ],
)
def test_a_threshold_is_a_chance_that_an_answer_can_miss(tmp_path: Path, threshold: float, said: str) -> None:
    """At 50, or at NaN, nobody would get a yes and at 0 everybody, whatever the model: refused by file and key."""
    file = written(tmp_path, {"gates": limits_of(threshold=threshold)})
    with pytest.raises(Problem) as problem:
        limits.load(file, "params.yaml")
    assert problem.value.lines == [f"params.yaml: {said} (params.yaml: gates.threshold)"]


def test_messages_name_the_file_that_a_person_knows(tmp_path: Path) -> None:
    """Limits that were taken out of another branch are named by that branch, not by the copy that is read."""
    file = written(tmp_path, {"gates": limits_of(task="ranking")})
    with pytest.raises(Problem, match=r"\(origin/main:models/tiny/params.yaml: gates.task\)"):
        limits.load(file, "origin/main:models/tiny/params.yaml")


def test_a_section_is_read_by_its_check(tmp_path: Path) -> None:
    """A check's section is validated when it is asked for; a missing one is named by its whole key."""

    class Margin(Limit):
        margin: float

    file = written(tmp_path, {"gates": limits_of(some={"check": {"margin": 0.5, "inconclusive": "warn"}})})
    found = limits.load(file)
    assert found.of("some", "check", Margin) == Margin(margin=0.5, inconclusive="warn")
    with pytest.raises(Problem, match=rf"key is missing.*\({file}: gates.some.other\)"):
        found.of("some", "other", Margin)


@pytest.mark.parametrize("key", ["treshold", "tme", "holdouts"])
def test_a_misspelt_key_of_the_gates_is_refused(tmp_path: Path, key: str) -> None:
    """What is neither a declared key nor a gate's section is no limit that anybody reads: it is named."""
    file = written(tmp_path, {"gates": limits_of(**{key: "date"})})
    with pytest.raises(Problem, match=rf"gates: unknown key, expected one of task, .* \({file}: gates.{key}\)"):
        limits.load(file)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"gates": ["auc"]}, "gates"),
        ({"gates": limits_of(), "train": [1]}, "train"),
        ({"gates": limits_of(), "train": {"months": 5}}, "train.months"),
        ([1], "(whole file)"),
    ],
    ids=["list-of-gates", "list-of-training", "number-of-months", "no-mapping"],
)
def test_what_is_no_params_yaml_is_named(tmp_path: Path, content: Any, key: str) -> None:
    """A list or a number where keys are expected is one line with file and key."""
    file = written(tmp_path, content)
    with pytest.raises(Problem, match=re.escape(f"({file}: {key})")):
        limits.load(file)
