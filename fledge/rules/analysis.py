"""What an analysis may conclude, and from which metrics."""

from collections.abc import Iterator

from fledge.rules import promql
from fledge.rules.documents import Document, Pair, at

JUDGE, GUARDRAIL = "manifests/base/judge.yaml", "manifests/base/guardrail.yaml"
JOB = "manifests/components/replay/metric.yaml"
LIMITS = {"consecutiveSuccessLimit": 1, "failureLimit": 0}
ERRORS = 29  # asked again after 10 s each (argo-rollouts, DefaultErrorRetryInterval): five minutes


def both_conditions(pair: Pair) -> Iterator[str]:
    """A metric says when it succeeded and when it failed; in between it is inconclusive."""
    for metric in pair.metrics():
        if "job" not in metric["provider"]:
            for key in ("successCondition", "failureCondition"):
                if not metric.get(key):
                    yield pair.line(f"{metric['name']} has no {key}", "both conditions", "manifests/base: metrics")


def patient(pair: Pair) -> Iterator[str]:
    """The judge is asked until it passes or fails, from the first second, and its silence is counted apart."""
    for metric in judging(pair):
        who, count = f"the judge's {metric['name']}", metric.get("count", 1)
        for key, expected in (LIMITS | {"inconclusiveLimit": count - 1}).items():
            if metric.get(key) != expected:
                yield pair.line(f"{key} of {who} is {metric.get(key)}", str(expected), f"{JUDGE}: {key}")
        if (errors := metric.get("consecutiveErrorLimit", 4)) < ERRORS:
            expected = f"at least {ERRORS}: a judge that moves to another node is away for a minute"
            yield pair.line(f"consecutiveErrorLimit of {who} is {errors}", expected, f"{JUDGE}: consecutiveErrorLimit")
        if "initialDelay" in metric:
            yield pair.line(f"{who} waits {metric['initialDelay']}", "no initialDelay", f"{JUDGE}: initialDelay")


def ends(pair: Pair) -> Iterator[str]:
    """An analysis of a step comes to an end by itself, after more than one look."""
    for metric in judging(pair):
        if "interval" not in metric or metric.get("count", 1) < 2:
            found = f"the judge's {metric['name']} looks {metric.get('count', 'without count')}"
            yield pair.line(found, "an interval and a count above 1", f"{JUDGE}: count")


def judging(pair: Pair) -> list[Document]:
    """The judge's own metrics, without the Jobs that feed it."""
    judge = f"{pair.files.model}-judge"
    templates = [one for one in pair.kind("AnalysisTemplate") if one["metadata"]["name"] == judge]
    return [metric for one in templates for metric in one["spec"]["metrics"] if "job" not in metric["provider"]]


def empty_passes(pair: Pair) -> Iterator[str]:
    """Where Prometheus has no series yet, or divides nothing by nothing, the guardrail passes."""
    for metric in pair.metrics():
        if "prometheus" not in metric["provider"]:
            continue
        success, failure = metric.get("successCondition", ""), metric.get("failureCondition", "")
        if not success.startswith("len(result) == 0 || isNaN(result[0]) || "):
            expected = "len(result) == 0 || isNaN(result[0]) || …"
            yield pair.line(f"{metric['name']} succeeds when {success}", expected, f"{GUARDRAIL}: successCondition")
        if not failure.startswith("len(result) > 0 && "):
            found = f"{metric['name']} fails when {failure}"
            yield pair.line(found, "len(result) > 0 && …", f"{GUARDRAIL}: failureCondition")


def queries(pair: Pair) -> Iterator[tuple[Document, str]]:
    """Each metric that asks Prometheus, and its query with every argument filled in."""
    for metric in pair.metrics():
        if query := at(metric, "provider.prometheus.query"):
            yield metric, promql.filled(query)


def promql_parses(pair: Pair) -> Iterator[str]:
    """Every query is PromQL."""
    for metric, query in queries(pair):
        if error := promql.syntax(query):
            yield pair.line(f"{metric['name']} does not parse, {error}", "PromQL", f"{GUARDRAIL}: query")


def metrics_exist(pair: Pair) -> Iterator[str]:
    """Every query asks for metrics, labels and bucket limits that the server exports."""
    for metric, query in queries(pair):
        if not promql.syntax(query):
            for found, expected in promql.unknown(query):
                yield pair.line(f"{metric['name']} asks for {found}", expected, f"{GUARDRAIL}: query")


def one_canary(pair: Pair) -> Iterator[str]:
    """Every selector of a query is of one ReplicaSet, by its hash."""
    for metric, query in queries(pair):
        if not promql.syntax(query):
            for selector in promql.selectors(query):
                if promql.POD_HASH not in {one.name for one in selector.matchers.matchers}:
                    found = f"{metric['name']} asks for {selector}"
                    yield pair.line(found, f"{promql.POD_HASH}=…", f"{GUARDRAIL}: query")


def jobs_once(pair: Pair) -> Iterator[str]:
    """A Job of an analysis runs once, and is let in by the model's NetworkPolicy."""
    for metric in pair.metrics():
        spec = at(metric, "provider.job.spec")
        if spec is None:
            continue
        if spec.get("backoffLimit") != 0 or at(spec, "template.spec.restartPolicy") != "Never":
            yield pair.line(f"the Job {metric['name']} is tried again", "backoffLimit 0, restartPolicy Never", JOB)
        if "fledge.dev/job" not in (at(spec, "template.metadata.labels") or {}):
            yield pair.line(f"the Job {metric['name']} has no label fledge.dev/job", "it", JOB)


def jobs_excused(pair: Pair) -> Iterator[str]:
    """A Job's pod that is evicted, or cannot fetch its rows, is no word on the release: another one takes its place."""
    for metric in pair.metrics():
        spec = at(metric, "provider.job.spec")
        if spec is None:
            continue
        ignored = [one for one in at(spec, "podFailurePolicy.rules") or [] if one["action"] == "Ignore"]
        evicted = [what["type"] for one in ignored for what in one.get("onPodConditions", [])]
        failing = {at(one, "onExitCodes.containerName") for one in ignored}
        fetching = {one["name"] for one in at(spec, "template.spec.initContainers") or []}
        if "DisruptionTarget" not in evicted:
            yield pair.line(f"the Job {metric['name']} fails where its pod is evicted", "DisruptionTarget ignored", JOB)
        for name in sorted(fetching - failing):
            yield pair.line(f"the Job {metric['name']} fails where {name} does", "its exit codes ignored", JOB)
