"""Prometheus' text format."""

import threading

from fledge.serving.metrics import Metrics


def test_counters_add_up() -> None:
    """A counter has one line for each set of labels, under one TYPE line and no HELP."""
    metrics = Metrics()
    metrics.count(":a", model_name="m", status="OK")
    metrics.count(":a", 2, model_name="m", status="OK")
    metrics.count(":a", model_name="m", status="NOT_FOUND")
    assert metrics.text() == (
        "# TYPE :a counter\n"
        ':a{model_name="m",status="OK"} 3\n'
        ':a{model_name="m",status="NOT_FOUND"} 1\n'
    )  # fmt: skip


def test_histograms_are_cumulative() -> None:
    """A value counts in its bucket and in all above; a limit itself counts in its own."""
    metrics = Metrics()
    for value in (10, 10.5, 1e12):
        metrics.observe(":h", value, model_name="m")
    lines = metrics.text().splitlines()
    assert lines[0] == "# TYPE :h histogram"
    assert lines[1:3] == [':h_bucket{model_name="m",le="10"} 1', ':h_bucket{model_name="m",le="18"} 2']
    assert lines[33:] == [
        ':h_bucket{model_name="m",le="1.47476e+09"} 2',
        ':h_bucket{model_name="m",le="+Inf"} 3',
        ':h_sum{model_name="m"} 1000000000020.5',
        ':h_count{model_name="m"} 3',
    ]


def test_limits_grow_by_1_8() -> None:
    """The limits are 33, from 10 µs, printed to six digits."""
    metrics = Metrics()
    metrics.observe(":h", 1)
    limits = [line.split('"')[1] for line in metrics.text().splitlines() if "_bucket" in line]
    assert limits[:5] == ["10", "18", "32.4", "58.32", "104.976"]
    assert limits[-3:] == ["8.19309e+08", "1.47476e+09", "+Inf"]
    assert len(limits) == 34


def test_labels_are_escaped() -> None:
    """A name with quotes, backslashes or a new line stays one line."""
    metrics = Metrics()
    metrics.count(":a", model_name='m"\\\n')
    assert metrics.text().splitlines()[1] == ':a{model_name="m\\"\\\\\\n"} 1'


def test_threads_lose_nothing() -> None:
    """Counts from many threads add up."""
    metrics = Metrics()
    threads = [threading.Thread(target=lambda: [metrics.count(":a") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ":a{} 2000" in metrics.text()
