"""fledge.rehearsal.analysis and measure: the meaning of limits, a web page that follows a script, and Jobs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fledge.problems import Problem
from fledge.rehearsal import measure, ports
from fledge.rehearsal.analysis import Measurement, Tally, assessed, metrics, run
from fledge.rehearsal.measure import judged
from fledge.rehearsal.node import Node

# As in manifests/base/judge.yaml, but for its numbers.
JUDGE = {
    "name": "verdict",
    "interval": "10ms",
    "count": 4,
    "consecutiveSuccessLimit": 1,
    "failureLimit": 0,
    "inconclusiveLimit": 3,
    "consecutiveErrorLimit": 2,
    "successCondition": 'result.verdict == "pass"',
    "failureCondition": 'result.verdict == "fail"',
    "provider": {"web": {"url": "http://judge.fledge.svc:8080/v1/verdict?model={{args.model}}", "jsonPath": "{$}"}},
}
P, F, I, E = "pass", "fail", "inconclusive", "error"


def job(code: int, **container: Any) -> dict[str, Any]:
    """A Job metric whose container exits with `code`."""
    command = {"command": ["python", "-c", f"raise SystemExit({code})"], **container}
    return {
        "name": "replay",
        "provider": {
            "job": {"spec": {"template": {"spec": {"containers": [{"name": "x", "image": "fledge", **command}]}}}}
        },
    }


def template(*metrics: dict[str, Any]) -> dict[str, Any]:
    """An AnalysisTemplate with an argument that has a value and one that has none."""
    args = [{"name": "model", "value": "delays"}, {"name": "weight"}]
    return {"metadata": {"name": "judge"}, "spec": {"args": args, "metrics": list(metrics)}}


def play(script: list[str], folder: Path, *templates: dict[str, Any]) -> tuple[str, str, list[str], list[str]]:
    """Run an analysis against a judge that answers as the script says, its last word for ever.

    Returns the outcome, why, the paths asked for, and the names of pods that were left.
    """
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        word = script[min(len(asked), len(script) - 1)]
        asked.append(request.path_qs)
        return web.json_response({"verdict": word, "reason": "so it says"}, status=503 if word == E else 200)

    async def scene() -> tuple[str, str, list[str], list[str]]:
        app = web.Application()
        app.router.add_get("/v1/verdict", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        port = ports.free()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        node = Node(folder, {"judge.fledge.svc:8080": f"127.0.0.1:{port}"}, lambda pod: None)
        try:
            named = {str(number): template for number, template in enumerate(templates)}
            look = run(named, {"weight": "5"}, lambda m: measure.measured(m, "test", node), lambda *_: None)
            outcome, message = await asyncio.wait_for(look, 20)
            left = [pod.name for pod in node.lives if not pod.deleted.is_set()]
            return outcome, message, asked, left
        finally:
            await node.close()
            await runner.cleanup()

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("script", "outcome", "looks", "why"),
    [
        ([P], "Successful", 1, ""),
        ([I, I, I, P], "Successful", 4, ""),
        ([I, F], "Failed", 2, "failed (1) > failureLimit (0): so it says"),
        ([I, I, I, I], "Inconclusive", 4, "inconclusive (4) > inconclusiveLimit (3)"),
        ([E, E, E], "Error", 3, "consecutiveErrors (3) > consecutiveErrorLimit (2): received non 2xx"),
        ([E, E, I, E, E, P], "Successful", 6, ""),
    ],
)
def test_the_judge_decides(tmp_path: Path, script: list[str], outcome: str, looks: int, why: str) -> None:
    """The first pass or fail ends the run; inconclusive to the limit and errors in a row have their own ends."""
    found, message, asked, _ = play(script, tmp_path, template(JUDGE))
    assert (found, len(asked)) == (outcome, looks)
    assert why in message
    assert set(asked) == {"/v1/verdict?model=delays"}


def test_unreachable_is_an_error(tmp_path: Path) -> None:
    """A judge that nobody can reach ends the run with Error, never with a verdict."""
    nowhere = {**JUDGE, "provider": {"web": {"url": f"http://127.0.0.1:{ports.free()}/"}}}
    outcome, message, asked, _ = play([P], tmp_path, template(nowhere))
    assert (outcome, asked) == ("Error", [])
    assert "consecutiveErrors (3)" in message


def test_job_decides_by_exit_code(tmp_path: Path) -> None:
    """A Job is Successful when its pod exits with 0 and Failed otherwise, and its pod does not stay."""
    assert play([P], tmp_path, template(job(0)))[::3] == ("Successful", [])
    outcome, message, _, left = play([P], tmp_path, template(job(3)))
    assert (outcome, left) == ("Failed", [])
    assert "failed (1) > failureLimit (0)" in message


def test_all_must_succeed(tmp_path: Path) -> None:
    """A run of two templates is Successful when both are, and fails with the one that fails."""
    assert play([P], tmp_path, template(job(0)), template(JUDGE))[0] == "Successful"
    assert play([F], tmp_path, template(job(0)), template(JUDGE))[0] == "Failed"


def test_failure_ends_the_others(tmp_path: Path) -> None:
    """When the judge fails, a Job that would still run is ended with the run."""
    endless = job(0, command=["python", "-c", "import time; time.sleep(60)"])
    outcome, _, _, left = play([I, F], tmp_path, template(endless, JUDGE))
    assert (outcome, left) == ("Failed", [])


@pytest.mark.parametrize(
    ("change", "reason"),
    {
        "success": (
            {"successCondition": "result[0] > 0.9"},
            "found condition result[0] > 0.9, expected result.<key> ==",
        ),
        "jsonPath": ({"provider": {"web": {"url": "http://x/", "jsonPath": "{$.a}"}}}, "found jsonPath {$.a}"),
        "provider": ({"provider": {"prometheus": {}}}, "found provider prometheus, expected web or job"),
        "interval": ({"interval": "soon"}, "found duration 'soon', expected one like 10s"),
        "argument": ({"name": "{{args.nobody}}"}, "argument nobody has no value"),
        "nothing": ({"provider": None}, "TypeError"),
        "url": ({"provider": {"web": {}}}, "KeyError('url'), expected what Argo Rollouts can evaluate"),
        "job": ({"provider": {"job": {"spec": {}}}}, "KeyError('template'), expected what Argo Rollouts can"),
        "limit": ({"failureLimit": "many"}, "ValueError"),
    }.values(),
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_evaluated_is_an_error(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """A template that the rehearsal cannot evaluate ends the run with Error and says what would do."""
    outcome, message, _, _ = play([P], tmp_path, template({**JUDGE, **change}))
    assert outcome == "Error"
    assert reason in message


@pytest.mark.parametrize(
    ("conditions", "verdict", "outcome"),
    [
        ({}, "fail", "Successful"),
        ({"successCondition": 'result.verdict == "pass"'}, "fail", "Failed"),
        ({"failureCondition": 'result.verdict == "fail"'}, "pass", "Successful"),
        ({"failureCondition": 'result.verdict == "fail"'}, "fail", "Failed"),
        (JUDGE, "inconclusive", "Inconclusive"),
        (JUDGE, "fail", "Failed"),
    ],
)
def test_conditions(conditions: dict[str, Any], verdict: str, outcome: str) -> None:
    """Only where both conditions are set and neither is true is a measurement Inconclusive."""
    assert judged(conditions, {"verdict": verdict}).outcome == outcome


@pytest.mark.parametrize(
    ("metric", "outcomes", "ended"),
    [
        ({}, ["Successful"], "Successful"),
        ({}, ["Error"], None),
        ({}, ["Error"] * 5, "Error"),
        ({"interval": "1s"}, ["Successful"] * 99, None),
        ({"interval": "1s", "count": 2}, ["Error", "Successful"], None),
        ({"interval": "1s", "count": 2, "failureLimit": 1}, ["Failed", "Successful"], "Successful"),
        ({"interval": "1s", "count": 2, "consecutiveSuccessLimit": 2, "failureLimit": 1}, ["Failed", "Successful"], "Inconclusive"),
        ({"interval": "1s", "count": 9, "consecutiveSuccessLimit": 2, "failureLimit": 1}, ["Successful"] * 2, "Successful"),
    ],
)  # fmt: skip
def test_limits(metric: dict[str, Any], outcomes: list[Any], ended: str | None) -> None:
    """Counts and limits end a metric as Argo Rollouts' do, with its defaults; errors do not count."""
    tally = Tally()
    for outcome in outcomes:
        tally = tally.after(outcome)
    found = assessed(metric, tally)
    assert (found and found[0]) == ended


def test_arguments_are_filled_in() -> None:
    """Arguments given win over a template's own values, wherever they stand in a metric and whatever they hold."""
    filled = metrics("judge", template({"a": "{{args.model}}/{{ args.weight }}"}), {"model": 'a"b', "weight": "5"})
    assert filled == [{"a": 'a"b/5'}]


def test_a_template_without_metrics_is_an_error() -> None:
    """A template that lacks its parts ends the analysis with Error, instead of leaving the rollout to wait for ever."""

    async def never(metric: object) -> Measurement:
        raise AssertionError

    outcome, message = asyncio.run(run({"judge": {"spec": {"args": [{}]}}}, {}, never, lambda *_: None))
    assert (outcome, message.startswith("analysis: found KeyError('name'), expected")) == ("Error", True)


def test_a_missing_template_is_an_error() -> None:
    """An analysis whose template nobody applied ends with Error and its name."""

    async def never(metric: object) -> Measurement:
        raise AssertionError

    report: Callable[..., None] = lambda *_: None
    outcome, message = asyncio.run(run({"judge": None}, {}, never, report))
    assert outcome == "Error"
    assert message.startswith("judge: found no such AnalysisTemplate")
    with pytest.raises(Problem):
        metrics("judge", None, {})
