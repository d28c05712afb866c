"""What may be asked of Prometheus is what the server prints."""

import re

import pytest

from fledge import series
from fledge.rules import promql
from fledge.serving import metrics

COUNT, LATENCY = series.REQUEST_COUNT, series.REQUEST_LATENCY


def test_the_series_are_those_that_the_server_prints() -> None:
    """Names and labels of the table are, one by one, those of the stand-in's page."""
    server = metrics.Metrics()
    for name, labels in promql.EXPORTED.items():
        act = server.count if name == COUNT else lambda *given, **named: server.observe(given[0], 1.0, **named)
        act(name, **dict.fromkeys(labels, "x"))
    printed: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([^#\s{]+)\{(.*)\} ", server.text(), re.MULTILINE):
        printed.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    assert printed == promql.SERIES
    limits = set(re.findall(r'le="([^"]+)"', server.text()))
    assert limits == promql.BOUNDARIES


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f'sum by (pod) (rate({COUNT}{{status!="OK"}}[2m]))', []),
        (f'{LATENCY}_bucket{{le="37481.3"}}', []),
        (f'{LATENCY}_bucket{{le="50000"}}', ["the bucket le=50000"]),
        (f"rate({LATENCY}[2m])", [f"metric {LATENCY}"]),
        ("up", ["metric up"]),
        (f'{COUNT}{{version="1"}}', [f"label version of {COUNT}"]),
        (f"sum by (version) ({COUNT})", ["label version"]),
        (f"{COUNT} / on (pod) other_total", ["metric other_total"]),
    ],
)
def test_what_nobody_exports_is_found(query: str, found: list[str]) -> None:
    """A metric, label or bucket limit that the server does not have is named, wherever in the query it stands."""
    assert [one for one, _ in promql.unknown(query)] == found


@pytest.mark.parametrize("query", ["sum(", "rate(foo)", "a{b=c}", ""])
def test_what_is_no_promql_is_told(query: str) -> None:
    """A query that Prometheus would refuse has a reason, one that it takes has none."""
    assert promql.syntax(query)
    assert promql.syntax("sum(rate(foo[2m]))") is None
