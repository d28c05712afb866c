"""PromQL, and what TensorFlow Serving exports: names with colons, no version, and histograms with known limits.

Source of names and labels: TensorFlow Serving's servables/tensorflow/util.cc; its exporter writes a colon for a slash.
tests/rules/test_promql.py holds them to what the stand-in prints.
"""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
from promql_parser import AggregateExpr, VectorSelector

from fledge.series import LIMITS, REQUEST_COUNT, REQUEST_LATENCY, RUNTIME_LATENCY

POD_HASH = "rollouts_pod_template_hash"  # the pod's label, as Prometheus writes it (manifests/platform)
TARGET = {POD_HASH, "namespace", "pod", "job", "instance"}  # labels of the scraped pod, not of the server
EXPORTED: dict[str, set[str]] = {
    REQUEST_COUNT: {"model_name", "status"},
    REQUEST_LATENCY: {"model_name", "API", "entrypoint"},
    RUNTIME_LATENCY: {"model_name", "API", "runtime"},
}
SERIES = {REQUEST_COUNT: EXPORTED[REQUEST_COUNT]} | {
    f"{name}{end}": labels | ({"le"} if end == "_bucket" else set())
    for name, labels in EXPORTED.items()
    if name != REQUEST_COUNT  # the others are histograms
    for end in ("_bucket", "_sum", "_count")
}
BOUNDARIES = {f"{limit:.6g}" for limit in LIMITS} | {"+Inf"}
ARGUMENT = re.compile(r"{{ *args\.[\w-]+ *}}")


def filled(query: str) -> str:
    """A query with a value for each `{{args.x}}`: those stand inside of quotes."""
    return ARGUMENT.sub("x", query)


def syntax(query: str) -> str | None:
    """What is wrong with a query, None for PromQL."""
    try:
        promql_parser.parse(query)
    except ValueError as error:
        return str(error).strip().splitlines()[-1]
    return None


def parts(query: str) -> list[Any]:
    """Every expression within a query that parses, from the outside in."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(query), found.append)
    return found


def selectors(query: str) -> list[VectorSelector]:
    """Every vector selector of a query that parses."""
    return [part for part in parts(query) if isinstance(part, VectorSelector)]


def unknown(query: str) -> Iterator[tuple[str, str]]:
    """What a query asks for and nobody exports, as (found, expected)."""
    for part in parts(query):
        if isinstance(part, VectorSelector):
            yield from _unknown(part)
        elif isinstance(part, AggregateExpr) and part.modifier:
            for label in sorted(set(part.modifier.labels) - TARGET.union(*SERIES.values())):
                yield f"label {label}", "one that a server or its pod has"


def _unknown(selector: VectorSelector) -> Iterator[tuple[str, str]]:
    labels = SERIES.get(selector.name or "")
    if labels is None:
        yield f"metric {selector.name}", f"one of {', '.join(sorted(SERIES))}"
        return
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels | TARGET:
            yield f"label {matcher.name} of {selector.name}", f"one of {', '.join(sorted(labels | TARGET))}"
        if matcher.name == "le" and matcher.value not in BOUNDARIES:
            yield f"the bucket le={matcher.value}", "a limit of TensorFlow Serving's, 10 × 1.8ⁿ µs"
