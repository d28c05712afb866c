"""The limits of a model's gates: `gates:` in its params.yaml, one section per check."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, create_model

from fledge.problems import Problem
from fledge.project import Strict, read_yaml, validated


class Limit(Strict):
    """What every check's section may hold; a check adds its own numbers. NaN is no limit: nothing is above it."""

    model_config = ConfigDict(allow_inf_nan=False)
    inconclusive: Literal["block", "warn"] = "block"


Section = TypeVar("Section", bound=Limit)


@dataclass(frozen=True)
class Limits:
    """`task` names the metrics; `label` and `cluster` are columns of the rows.

    `rows` are months held out whole; of the months in `holdout` only the rows marked in their column `holdout` are.
    """

    file: str
    task: Literal["binary", "multiclass"]
    label: str
    cluster: str
    rows: tuple[str, ...]
    holdout: tuple[str, ...]
    content: Mapping[str, Any]

    @property
    def months(self) -> tuple[str, ...]:
        """Every month that the gates score, in whole or in part."""
        return self.rows + self.holdout

    def of(self, gate: str, check: str, kind: type[Section]) -> Section:
        """The section `gates.<gate>.<check>`. Raises Problem naming file and key of what is missing or misspelt."""
        found: Section = _at(self.content, ("gates", gate, check), kind, self.file)
        return found


def load(path: Path) -> Limits:
    """Read `gates:` of the params.yaml at `path`. Raises Problem naming file and key, also of rows that prove nothing."""
    content, file = read_yaml(path), str(path)
    task = _at(content, ("gates", "task"), Literal["binary", "multiclass"], file)
    label, cluster = (_at(content, ("gates", key), str, file) for key in ("label", "cluster"))
    rows = _at(content, ("gates", "rows"), tuple[str, ...], file)
    holdout = _at(content, ("gates", "holdout"), tuple[str, ...], file) if "holdout" in content["gates"] else ()
    if faults := [*_trained_on(content, rows, file), *_repeated(rows + holdout, file)]:
        raise Problem(*faults)
    return Limits(file, task, label, cluster, rows, holdout, content)


def _trained_on(content: Any, rows: tuple[str, ...], file: str) -> list[str]:
    months = {str(month) for month in (content.get("train") or {}).get("months") or []}
    return [
        f"gates: found {month} among train.months, expected a month that training never saw "
        f"({file}: gates.rows; gates.holdout takes the marked rows of such a month)"
        for month in rows
        if month in months
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
