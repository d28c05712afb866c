"""Tests of pipelines.calibrate: a model of three classes is calibrated, and once more from what is kept."""

import runpy
from pathlib import Path

import pytest

from fledge.problems import Problem
from fledge.project import read_yaml
from pipelines import calibrate, retrain
from tests.workspace import an_owner_of_colours, run

PARAMS = """\
train: {seed: 1, months: [2020-01], evaluate: [2020-02], epochs: 1}
gates: # what it must show
  task: multiclass
  metrics: [log_loss]
  label: colour
  cluster: week
  rows: [2020-02]
  regression:
    log_loss:
      margin: 0.0001 # nobody could keep this
      alpha: 0.05
    floor: {min_improvement: 0.0, alpha: 0.05}
  segments:
    columns: [word]
    harm: {margins: {log_loss: 0.02}, alpha: 0.01, min_each: 5}
  calibration:
    in_the_large: {limit: 0.5, above_champion: 0.01}
  fairness:
    columns: []
    absolute: {measure: accuracy_gap, limit: 0.5, alpha: 0.05, min_each: 5}
    relative: {measure: accuracy_gap, margin: 0.5, alpha: 0.05, min_each: 5}
calibrate:
  seeds: 30
  benign: {longer: {epochs: 2}}
slo: {error_ratio: 0.01}
"""


def owner(root: Path) -> Path:
    """A repository whose model has data and was never trained; its params.yaml."""
    an_owner_of_colours(root)
    runpy.run_path(str(root / "models" / "colours" / "data.py"))["write"](root / "data" / "colours")
    file = root / "models" / "colours" / "params.yaml"
    file.write_text(PARAMS)
    return file


def line(report: str, start: str) -> str:
    """The one line of the report that starts so."""
    (found,) = [line for line in report.splitlines() if line.startswith(start)]
    return found


def test_a_model_is_calibrated_and_calibrated_again_from_what_is_kept(tmp_path: Path) -> None:
    """Four retrainings make two pairs; margin, derivation and report are written; the next run retrains nothing."""
    params = owner(tmp_path)
    folder = params.parent
    command = ("pipelines.calibrate", "--model", "colours", "--seeds", "4")
    first = run(tmp_path, *command)
    assert first.returncode == 0, first.stderr
    assert "colours: 0 retrainings are kept, 6 are to be made" in first.stdout
    report, written = (folder / "calibration.md").read_text(), params.read_text()
    section = read_yaml(params)["gates"]["regression"]["log_loss"]
    assert section["margin"] > 0.0001
    assert f"margin of log_loss is {section['margin']:g}, was 0.0001" in first.stdout
    assert f"{section['sigma_seed']:.3g} [" in line(report, "| log_loss |")
    assert "# what it must show" in written
    assert "# nobody could keep this" in written
    assert "SD over 4 seeds; least margin" in written
    assert line(report, "| same recipe, another seed |").count("of 2)") == 1
    assert line(report, "| longer |").startswith("| longer | 2 |")
    assert "| weights at 2 bits |" in report
    assert "`make calibrate MODEL=colours SEEDS=4`" in report

    again = run(tmp_path, *command)
    assert again.returncode == 0, again.stderr
    assert "colours: 6 retrainings are kept, 0 are to be made" in again.stdout
    assert (folder / "calibration.md").read_text() == report
    assert params.read_text() == written


def test_ctrl_c_says_that_what_is_there_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted, the verb says how to go on, with the exit code of an interrupt and no traceback."""
    owner(tmp_path)
    monkeypatch.chdir(tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retrain, "fitted", interrupted)
    assert calibrate.main(["--model", "colours", "--seeds", "4"]) == 130
    assert "colours: stopped; the retrainings that are there are kept" in capsys.readouterr().out
    assert not list((tmp_path / ".fledge").rglob("*.npz"))


@pytest.mark.parametrize(
    ("before", "after", "seeds", "expected"),
    [
        (
            "{epochs: 2}",
            "{epoch: 2}",
            None,
            "calibrate: found epoch, expected a key of train: ({file}: calibrate.benign.longer)",
        ),
        (
            "seeds: 30",
            "seeds: 3",
            None,
            "{file}: found 3, expected greater than or equal to 4 ({file}: calibrate.seeds)",
        ),
        (
            "seeds: 30",
            "sedes: 30",
            None,
            "{file}: unknown key, expected only the keys that the file's comments describe ({file}: calibrate.sedes)",
        ),
        ("seeds: 30", "seeds: 30", 3, "calibrate: found 3 seeds, expected at least 4 (SEEDS=)"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    tmp_path: Path, before: str, after: str, seeds: int | None, expected: str
) -> None:
    """Too few seeds, a misspelt key and a benign change of what the recipe lacks are named, with file and key."""
    file = tmp_path / "params.yaml"
    assert before in PARAMS
    file.write_text(PARAMS.replace(before, after))
    with pytest.raises(Problem) as problem:
        calibrate.plan(file, seeds)
    assert str(problem.value) == expected.format(file=file)


def test_a_model_without_a_plan_gets_the_default(tmp_path: Path) -> None:
    """An owner who says nothing retrains 30 times, and no benign change; SEEDS replaces the number."""
    file = tmp_path / "params.yaml"
    file.write_text(PARAMS[: PARAMS.index("calibrate:")])
    assert calibrate.plan(file, None) == calibrate.Plan(seeds=30, benign_seeds=10, benign={})
    assert calibrate.plan(file, 8).seeds == 8
