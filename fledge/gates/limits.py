"""The limits of a model's gates: `gates:` in its params.yaml, one section per check."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, create_model

from fledge.problems import Problem
from fledge.project import Strict, read_yaml, validated

Task = Literal["binary", "multiclass", "regression"]
# At 0 everybody is a yes and above 1 nobody, whatever the model answers; so is nobody at NaN.
Chance = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]

# What non-inferiority can be shown in; the first of `metrics` is the primary one.
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("auc", "log_loss", "brier", "accuracy"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("squared_error", "absolute_error"),
}


# Keys of `gates:` that are no gate's section.
DECLARED = ("task", "metrics", "label", "cluster", "time", "threshold", "rows", "holdout")


class Limit(Strict):
    """What every check's section may hold; a check adds its own numbers. NaN is no limit: nothing is above it."""

    model_config = ConfigDict(allow_inf_nan=False)
    inconclusive: Literal["block", "warn"] = "block"


Section = TypeVar("Section", bound=Limit)


@dataclass(frozen=True)
class Limits:
    """`label`, `cluster`, `time`, and all in `segments` and `groups` (gates.segments.columns, gates.fairness.columns) are
    columns of the rows.

    `metrics` are what the candidate must not be worse in, the primary one first; `threshold` is the chance from which
    a binary answer counts as a yes. `rows` are months held out whole; of the months in `holdout` only the rows marked
    in their column `holdout` are. `training` are the months that the candidate was trained on, none for an artifact
    that has no training stage here.
    """

    file: str
    task: Task
    metrics: tuple[str, ...]
    label: str
    cluster: str
    time: str
    segments: tuple[str, ...]
    groups: tuple[str, ...]
    threshold: float
    rows: tuple[str, ...]
    holdout: tuple[str, ...]
    training: tuple[str, ...]
    content: Mapping[str, Any]

    @property
    def months(self) -> tuple[str, ...]:
        """Every month that the gates score, in whole or in part."""
        return self.rows + self.holdout

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns beside inputs and label that some check looks at, each once."""
        return tuple(dict.fromkeys((self.cluster, self.time, *self.segments, *self.groups)))

    def of(self, gate: str, check: str, kind: type[Section]) -> Section:
        """The section `gates.<gate>.<check>`. Raises Problem naming file and key of what is missing or misspelt."""
        found: Section = _at(self.content, ("gates", gate, check), kind, self.file)
        return found


def load(path: Path, name: str | None = None) -> Limits:
    """Read `gates:` of the params.yaml at `path`, which messages call `name`.

    Raises Problem naming file and key, also of rows that prove nothing and of metrics that are not the task's.
    """
    content, file = read_yaml(path), name or str(path)
    given = _at(content, ("gates",), dict[str, Any], file)

    def at(key: str, kind: Any, default: Any = None) -> Any:
        return default if default is not None and key not in given else _at(content, ("gates", key), kind, file)

    def columns(gate: str) -> Any:
        section = given.get(gate) or {}
        absent = isinstance(section, Mapping) and "columns" not in section
        return () if absent else _at(content, ("gates", gate, "columns"), tuple[str, ...], file)

    task, metrics = at("task", Task), at("metrics", tuple[str, ...])
    cluster = at("cluster", str)
    months, names = ("rows", "holdout"), tuple[str, ...]
    rows, holdout = at(months[0], names), at(months[1], names, ())
    trained = _at(content, ("train",), dict[str, Any], file) if content.get("train") else {}
    seen = _at(content, ("train", "months"), tuple[Any, ...], file) if "months" in trained else ()
    training = tuple(str(month) for month in seen)
    faults = [
        *_unknown(given, file),
        *_foreign(metrics, task, file),
        *_trained_on(training, rows, file),
        *_repeated(rows + holdout, file),
    ]
    if faults:
        raise Problem(*faults)
    return Limits(
        file,
        task,
        metrics,
        at("label", str),
        cluster,
        at("time", str, cluster),
        columns("segments"),
        columns("fairness"),
        at("threshold", Chance, 0.5),
        rows,
        holdout,
        training,
        content,
    )


def _unknown(given: Mapping[str, Any], file: str) -> list[str]:
    return [
        f"gates: unknown key, expected one of {', '.join(DECLARED)}, or a gate's section ({file}: gates.{key})"
        for key, value in given.items()
        if key not in DECLARED and value is not None and not isinstance(value, Mapping)
    ]


def _foreign(metrics: tuple[str, ...], task: Task, file: str) -> list[str]:
    known, where = METRICS[task], f"({file}: gates.metrics)"
    found = [f"gates: found metric {name}, expected one of {', '.join(known)} {where}" for name in metrics]
    wrong = [line for name, line in zip(metrics, found, strict=True) if name not in known]
    return wrong if metrics else [f"gates: found no metric, expected at least one of {', '.join(known)} {where}"]


def _trained_on(training: tuple[str, ...], rows: tuple[str, ...], file: str) -> list[str]:
    return [
        f"gates: found {month} among train.months, expected a month that training never saw "
        f"({file}: gates.rows; gates.holdout takes the marked rows of such a month)"
        for month in rows
        if month in training
    ]


def _repeated(months: tuple[str, ...], file: str) -> list[str]:
    return [
        f"gates: found {month} {times} times, expected it once ({file}: gates.rows, gates.holdout)"
        for month, times in Counter(months).items()
        if times > 1
    ]


def _at(content: Any, keys: tuple[str, ...], kind: Any, file: str) -> Any:
    # Records around the one that is wanted, so that an error names the whole key.
    for key in reversed(keys):
        fields: Any = {key: (kind, ...)}
        kind = create_model("Section", **fields)
    return reduce(getattr, keys, validated(kind, content, file))
