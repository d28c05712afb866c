"""How far the gates are: what the plugin writes is what the reader tells, and what a person sees."""

import os

import pytest
from rich.progress import Progress

from fledge.gates import progress, telling
from fledge.gates.progress import Step, Writer

LINES = [
    "left tests/gates/test_segments.py::test_harm",
    "total 3",
    "start tests/gates/test_regression.py::test_metric[auc]",
    "end tests/gates/test_regression.py::test_metric[auc]",
    "start tests/gates/test_regression.py::test_floor",
    "end tests/gates/test_regression.py::test_floor",
    "start tests/gates/test_structural.py::test_ops",
    "end tests/gates/test_structural.py::test_ops",
]


def heard(lines: list[str]) -> list[Step]:
    """The steps that a listener hears."""
    steps: list[Step] = []
    progress.read(lines, steps.append)
    return steps


def test_each_test_is_two_steps() -> None:
    """A check is told when it begins and when it is made, by gate and name or case, with how many are made of all."""
    steps = heard(LINES)
    assert [(step.gate, step.check, step.made, step.ended) for step in steps] == [
        ("regression", "auc", 0, False),
        ("regression", "auc", 1, True),
        ("regression", "floor", 1, False),
        ("regression", "floor", 2, True),
        ("structural", "ops", 2, False),
        ("structural", "ops", 3, True),
    ]
    assert {step.total for step in steps} == {3}
    assert sorted(steps, key=lambda step: step.seconds) == steps


def test_what_is_left_out_is_known() -> None:
    """The checks that were left out are named, without a listener too."""
    assert progress.read(LINES).left == {"segments.harm"}


def test_a_process_that_a_gate_starts_does_not_hold_the_pipe() -> None:
    """The plugin's end of the pipe is not inherited: a server that outlives pytest keeps no reader waiting."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    writer = Writer(writing)
    assert not os.get_inheritable(writing)
    writer.pytest_runtest_logstart("test_a.py::test_b")
    writer.stream.close()
    with os.fdopen(reading) as lines:
        assert lines.read() == "start test_a.py::test_b\n"


def test_without_a_terminal_each_gate_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """First what is judged, then a line for each gate when its last check is made; nothing before the first step."""
    with telling.told("tiny by params.yaml") as tell:
        assert capsys.readouterr().err == ""
        for number, step in enumerate(heard(LINES)):
            tell(Step(step.gate, step.check, step.made, step.total, float(number), step.ended))
    assert capsys.readouterr().err.splitlines() == [
        "gates: tiny by params.yaml, 3 checks",
        "  regression: 2 checks, 3.0 s (2 of 3)",
        "  structural: 1 check, 1.0 s (3 of 3)",
    ]


def test_on_a_terminal_a_bar_names_the_check() -> None:
    """The bar stands at what is made, of all, and says which check is being made."""
    with Progress(disable=True) as bar:
        tell = telling.Moving(bar, "tiny")
        for step in heard(LINES)[:3]:
            tell(step)
        [task] = bar.tasks
    assert (task.description, task.completed, task.total) == ("tiny: regression.floor", 1, 3)
