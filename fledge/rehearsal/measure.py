"""One measurement of a metric: a web page's answer, or a Job's exit code."""

import asyncio
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from fledge.problems import Problem
from fledge.rehearsal.analysis import Measurement
from fledge.rehearsal.node import Node
from fledge.rehearsal.rewrite import Place, address

CONDITION = re.compile(r'^result\.([\w-]+) == "([^"]*)"$')
_numbers = itertools.count(1)


def holds(condition: str, result: Mapping[str, Any]) -> bool:
    """Say whether `result.<key> == "<value>"` is true. Raises Problem for a condition of another form."""
    match = CONDITION.match(condition)
    if not match:
        raise Problem(
            f'analysis: found condition {condition}, expected result.<key> == "<value>" '
            "(the rehearsal evaluates no other; AnalysisTemplate: successCondition, failureCondition)"
        )
    return str(result.get(match[1])) == match[2]


def judged(metric: Mapping[str, Any], result: Mapping[str, Any]) -> Measurement:
    """Apply success and failure condition, as Argo Rollouts does: where both are set and neither is true, Inconclusive."""
    message = str(result.get("reason", ""))
    success, failure = metric.get("successCondition"), metric.get("failureCondition")
    failed = failure is not None and holds(failure, result)
    succeeded = success is not None and holds(success, result)
    if failed or (success and not failure and not succeeded):
        return Measurement("Failed", result, message)
    if succeeded or not success:
        return Measurement("Successful", result, message)
    return Measurement("Inconclusive", result, message)


async def measured(metric: Mapping[str, Any], namespace: str, node: Node) -> Measurement:
    """Measure once, as the metric's provider says. Raises Problem for a provider other than web and job."""
    if "web" in metric["provider"]:
        return await web(metric, node.names)
    if "job" in metric["provider"]:
        return await job(metric, namespace, node)
    found = ", ".join(metric["provider"])
    raise Problem(f"{metric['name']}: found provider {found}, expected web or job (AnalysisTemplate)")


async def web(metric: Mapping[str, Any], names: Mapping[str, str]) -> Measurement:
    """GET the metric's URL and judge its JSON answer; anything but 2xx with an object is an Error.

    Raises Problem for a jsonPath other than `{$}`.
    """
    provider = metric["provider"]["web"]
    if provider.get("jsonPath", "{$}") != "{$}":
        raise Problem(f"{metric['name']}: found jsonPath {provider['jsonPath']}, expected {{$}} (AnalysisTemplate)")
    try:
        async with (
            asyncio.timeout(float(provider.get("timeoutSeconds", 10))),
            aiohttp.ClientSession() as session,
            session.get(address(Place(names=names), provider["url"])) as response,
        ):
            if not 200 <= response.status < 300:
                return Measurement("Error", message=f"received non 2xx response code: {response.status}")
            result = json.loads(await response.read())
    except (OSError, TimeoutError, ValueError, aiohttp.ClientError) as error:
        return Measurement("Error", message=f"{type(error).__name__} {error}".strip())
    if not isinstance(result, dict):
        return Measurement("Error", result, f"found {type(result).__name__}, expected an object")
    return judged(metric, result)


async def job(metric: Mapping[str, Any], namespace: str, node: Node) -> Measurement:
    """Run the Job's pod to its end on `node`; exit code 0 is Successful. Cancelled, the pod is deleted."""
    template = metric["provider"]["job"]["spec"]["template"]
    metadata = {**template.get("metadata", {}), "name": f"{metric['name']}-{next(_numbers)}", "namespace": namespace}
    spec = {"restartPolicy": "Never", **template["spec"]}
    pod = node.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        await pod.completed.wait()
        if pod.phase == "Succeeded":
            return Measurement("Successful")
        return Measurement("Failed", message=pod.reason or f"the pod's logs: {pod.folder / 'logs'}")
    finally:
        node.delete(pod)
