"""AnalysisRuns with Argo Rollouts' meaning of limits (its documentation, "Analysis & Progressive Delivery")."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from fledge.problems import Problem
from fledge.rehearsal.malformed import MALFORMED
from fledge.rollout.durations import seconds
from fledge.rollout.records import Outcome

ERROR_RETRY = 10.0  # seconds; Argo Rollouts' pause after an error of a metric without an interval


@dataclass(frozen=True)
class Measurement:
    """One look of one metric: how it ended, what was seen, and why."""

    outcome: Outcome
    value: Any = None
    message: str = ""


Measure = Callable[[Mapping[str, Any]], Awaitable[Measurement]]
Report = Callable[[str, Measurement], None]


@dataclass(frozen=True)
class Tally:
    """The counts of a metric so far."""

    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    successes_in_a_row: int = 0
    errors_in_a_row: int = 0

    def after(self, outcome: Outcome) -> "Tally":
        return replace(
            self,
            successful=self.successful + (outcome == "Successful"),
            failed=self.failed + (outcome == "Failed"),
            inconclusive=self.inconclusive + (outcome == "Inconclusive"),
            successes_in_a_row=self.successes_in_a_row + 1 if outcome == "Successful" else 0,
            errors_in_a_row=self.errors_in_a_row + 1 if outcome == "Error" else 0,
        )


def assessed(metric: Mapping[str, Any], tally: Tally) -> tuple[Outcome, str] | None:
    """Return how a metric ended and why, None while it goes on. Errors do not count towards `count`."""
    limits: list[tuple[Outcome, str, int, str, int]] = [
        ("Failed", "failed", tally.failed, "failureLimit", 0),
        ("Inconclusive", "inconclusive", tally.inconclusive, "inconclusiveLimit", 0),
        ("Error", "consecutiveErrors", tally.errors_in_a_row, "consecutiveErrorLimit", 4),
    ]
    for outcome, what, found, key, default in limits:
        limit = int(metric.get(key, default))
        if found > limit:
            return outcome, f"{what} ({found}) > {key} ({limit})"
    wanted = int(metric.get("consecutiveSuccessLimit", 0))
    if 0 < wanted <= tally.successes_in_a_row:
        return "Successful", f"consecutiveSuccessLimit ({wanted}) reached"
    count = metric.get("count", None if "interval" in metric else 1)
    if count is not None and tally.successful + tally.failed + tally.inconclusive >= int(count):
        return ("Inconclusive" if wanted else "Successful"), f"count ({count}) reached"
    return None


def metrics(name: str, template: Mapping[str, Any] | None, args: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a template's metrics with `{{args.x}}` filled in. Raises Problem for an argument without a value."""
    if template is None:
        raise Problem(f"{name}: found no such AnalysisTemplate, expected one (Rollout: steps.analysis.templates)")
    known = {arg["name"]: args.get(arg["name"], arg.get("value")) for arg in template["spec"].get("args", ())}

    def value(match: re.Match[str]) -> str:
        if known.get(match[1]) is None:
            raise Problem(f"{name}: argument {match[1]} has no value, expected one (AnalysisTemplate: spec.args)")
        return json.dumps(str(known[match[1]]))[1:-1]

    text = json.dumps(template["spec"]["metrics"])
    return cast("list[dict[str, Any]]", json.loads(re.sub(r"\{\{\s*args\.([\w-]+)\s*\}\}", value, text)))


async def run(
    templates: Mapping[str, Mapping[str, Any] | None], args: Mapping[str, str], measure: Measure, report: Report
) -> tuple[Outcome, str]:
    """Run all metrics of the templates side by side; return the outcome and why.

    The first metric that is not Successful ends the run at once with its outcome. A template that is missing (None)
    or that cannot be evaluated is an Error. `report` gets a metric's name and measurement each time.
    """
    tasks = []
    try:
        found = [metric for name, template in templates.items() for metric in metrics(name, template, args)]
        tasks = [asyncio.create_task(_follow(metric, measure, report)) for metric in found]
        for finished in asyncio.as_completed(tasks):
            outcome, message = await finished
            if outcome != "Successful":
                return outcome, message
        return "Successful", ""
    except Problem as problem:
        return "Error", str(problem)
    except MALFORMED as error:  # else the rollout would wait for ever
        return "Error", f"analysis: found {error!r}, expected what Argo Rollouts can evaluate (AnalysisTemplate)"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(metric: Mapping[str, Any], measure: Measure, report: Report) -> tuple[Outcome, str]:
    """Measure again and again until the metric is assessed."""
    interval, delay = (
        seconds(metric[key], "analysis", f"AnalysisTemplate: {key}") if key in metric else default
        for key, default in (("interval", ERROR_RETRY), ("initialDelay", 0.0))
    )
    await asyncio.sleep(delay)
    tally = Tally()
    while True:
        measurement = await measure(metric)
        report(metric["name"], measurement)
        tally = tally.after(measurement.outcome)
        ended = assessed(metric, tally)
        if ended:
            because = f": {measurement.message}" if measurement.message else ""
            return ended[0], f'Metric "{metric["name"]}" assessed {ended[0]} due to {ended[1]}{because}'
        await asyncio.sleep(interval)
