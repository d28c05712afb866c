"""Measure what the gates can tell: retrain with other seeds, write margins with their derivation, and a report.

Retrainings are kept under .fledge/calibration/ and not made twice: after Ctrl-C the next run goes on, and a change of
limits only scores again.
"""

import argparse
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from fledge import project
from fledge.atomic import write
from fledge.calibration import margins, noise, outcomes, picture, report
from fledge.calibration.noise import Noise
from fledge.calibration.outcomes import Outcome, Trial
from fledge.calibration.report import Findings
from fledge.checks.regression import Margin
from fledge.problems import Problem, reported
from fledge.project import Strict, read_yaml, validated
from pipelines import outcomes as judging
from pipelines import retrain, train, trials
from pipelines.progress import counted
from pipelines.trials import Retrainings

FEWEST = 4  # seeds: two pairs
AVERAGED = 3  # retrainings whose mean answer is a steadier model


class Plan(Strict):
    """`calibrate:` of params.yaml. `benign` names changes of `train:` that make a model no worse, and each is retrained
    with `benign_seeds` seeds, as far as there are champions for them."""

    seeds: Annotated[int, Field(ge=FEWEST)] = 30
    benign_seeds: Annotated[int, Field(ge=1)] = 10
    benign: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Params(BaseModel):
    calibrate: Plan = Plan()


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate the gates of `--model` with `--seeds` retrainings."""
    parser = argparse.ArgumentParser(prog="calibrate", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seeds", type=int, metavar="K", help="retrainings; else calibrate.seeds of params.yaml")
    options = parser.parse_args(argv)
    model = project.load(Path.cwd()).model(options.model)
    try:
        calibrate(model, plan(Path("models") / model / "params.yaml", options.seeds))
    except KeyboardInterrupt:
        print(f"\n{model}: stopped; the retrainings that are there are kept, and the next run goes on from them")
        return 130
    return 0


def plan(file: Path, seeds: int | None) -> Plan:
    """What to retrain. Raises Problem for a wrong key, too few seeds, and a benign change of what `train:` lacks."""
    found, recipe = validated(Params, read_yaml(file), str(file)).calibrate, train.recipe(file)
    faults = [
        f"calibrate: found {key}, expected a key of train: ({file}: calibrate.benign.{name})"
        for name, change in found.benign.items()
        for key in change
        if key not in recipe
    ]
    if seeds is not None and seeds < FEWEST:
        faults.append(f"calibrate: found {seeds} seeds, expected at least {FEWEST} (SEEDS=)")
    if faults:
        raise Problem(*faults)
    return found if seeds is None else found.model_copy(update={"seeds": seeds})


def calibrate(model: str, asked: Plan) -> None:
    """Retrain what is not kept, judge the pairs, write margins and report."""
    folder, recipe = Path("models") / model, retrain.setting(model)
    seeds = [recipe.params["seed"] + 1 + number for number in range(asked.seeds)]
    benign = {name: retrain.setting(model, change) for name, change in asked.benign.items()}
    made = Retrainings(recipe, seeds, benign, asked.benign_seeds)
    trials.make(made)

    alike = judged(model, trials.same(made), "same recipe")
    noises, checks = measured(made, alike), len(alike[0].made)
    if derive(folder / "params.yaml", noises, checks):
        alike = judged(model, trials.same(made), "same recipe, with the margins derived")
    others = judged(model, [*trials.benign(made), *trials.damaged(made)], "benign and damaged")
    say(
        folder,
        Findings(
            model=model,
            about=about(made, asked),
            noises=noises,
            averaged=averaged(made),
            margins=margins.read(read_yaml(folder / "params.yaml"), recipe.limits.metrics, recipe.limits.file),
            checks=checks,
            outcomes=[*alike, *others],
            picture="calibration.svg",
        ),
    )


def judged(model: str, asked: Sequence[Trial], what: str) -> list[Outcome]:
    """The outcomes of pairs, with progress."""
    with counted(f"{model}: pairs judged, {what}", len(asked)) as tell:
        return judging.run(model, asked, tell)


def measured(made: Retrainings, alike: Sequence[Outcome]) -> list[Noise]:
    """The noise of each of the model's metrics."""
    label, limits = made.same.rows.label, made.same.limits
    answers = [retrain.answer(made.same, seed) for seed in made.seeds]
    return [
        noise.noise(
            metric,
            [noise.value(metric, label, one, limits.threshold) for one in answers],
            [one.noise[metric] for one in alike],
            limits.of("regression", metric, Margin).alpha,
        )
        for metric in limits.metrics
    ]


def averaged(made: Retrainings) -> list[Noise]:
    """The noise of models that answer the mean of AVERAGED retrainings; nothing where there are not four of them."""
    label, cluster, limits = made.same.rows.label, made.same.rows.cluster, made.same.limits
    groups = list(zip(*[iter(made.seeds)] * AVERAGED, strict=False))
    if len(groups) < FEWEST:
        return []
    answers = [np.mean([retrain.answer(made.same, seed) for seed in group], axis=0) for group in groups]
    pairs = list(zip(answers[::2], answers[1::2], strict=False))
    return [
        noise.noise(
            metric,
            [noise.value(metric, label, one, limits.threshold) for one in answers],
            [noise.pairing(metric, label, one, other, cluster, limits.threshold) for one, other in pairs],
            limits.of("regression", metric, Margin).alpha,
        )
        for metric in limits.metrics
    ]


def derive(file: Path, noises: Sequence[Noise], checks: int) -> bool:
    """Write the margins' derivation into params.yaml; whether a margin had to be widened."""
    text, metrics = file.read_text(), [one.metric for one in noises]
    before = margins.read(read_yaml(file), metrics, str(file))
    write(file, margins.derived(text, noises, checks, str(file)))
    after = margins.read(read_yaml(file), metrics, str(file))
    for metric, margin in after.items():
        if margin != before[metric]:
            print(f"{file}: margin of {metric} is {margin:g}, was {before[metric]:g}: less cannot be told apart")
    return after != before


def about(made: Retrainings, asked: Plan) -> dict[str, str]:
    """What was run, for the report's reader."""
    rows = made.same.rows
    clusters = len(set(rows.cluster.tolist()))
    return {
        "command": f"`make calibrate MODEL={made.same.model} SEEDS={asked.seeds}`",
        "retrainings": f"{len(made.seeds)} of the recipe, seeds {made.seeds[0]} to {made.seeds[-1]}; "
        f"{len(made.files) - len(made.seeds)} of {len(made.benign)} benign changes",
        "rows": f"{len(rows):,} held-out rows in {clusters} clusters ({made.same.limits.cluster}), "
        f"trained on {len(made.same.training):,}",
        "key": f"`{made.same.key}`, the hash of recipe, data, contract, code and libraries",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in retrain.LIBRARIES)]
        ),
    }


def say(folder: Path, found: Findings) -> None:
    """Write the report and its picture."""
    write(folder / found.picture, picture.svg(outcomes.damages(found.outcomes)))
    write(folder / "calibration.md", report.markdown(found))
    print(f"{found.model}: {folder / 'calibration.md'} says what was measured")


if __name__ == "__main__":
    raise SystemExit(main())
