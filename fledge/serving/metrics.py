"""Counters and histograms in Prometheus' text format, with the names that TensorFlow Serving gives them."""

import bisect
import threading
from collections.abc import Iterator
from itertools import accumulate

from fledge.series import LIMITS

_Labels = tuple[tuple[str, str], ...]


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(LIMITS) + 1)
        self.sum = 0.0


class Metrics:
    """All series of one server. Every method may be called by many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, dict[_Labels, int]] = {}
        self._histograms: dict[str, dict[_Labels, _Histogram]] = {}

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""
        with self._lock:
            series = self._counters.setdefault(name, {})
            key = tuple(labels.items())
            series[key] = series.get(key, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one value, in microseconds, to a histogram. A limit belongs to its bucket (Prometheus' `le`)."""
        with self._lock:
            histogram = self._histograms.setdefault(name, {}).setdefault(tuple(labels.items()), _Histogram())
            histogram.counts[bisect.bisect_left(LIMITS, value)] += 1
            histogram.sum += value

    def text(self) -> str:
        """Return the page that Prometheus scrapes: `# TYPE` lines and samples, no HELP."""
        with self._lock:
            return "".join(line + "\n" for line in (*self._counter_lines(), *self._histogram_lines()))

    def _counter_lines(self) -> Iterator[str]:
        for name, series in self._counters.items():
            yield f"# TYPE {name} counter"
            for labels, value in series.items():
                yield f"{name}{_braces(labels)} {value}"

    def _histogram_lines(self) -> Iterator[str]:
        limits = [*(f"{limit:.6g}" for limit in LIMITS), "+Inf"]
        for name, series in self._histograms.items():
            yield f"# TYPE {name} histogram"
            for labels, histogram in series.items():
                for limit, count in zip(limits, accumulate(histogram.counts), strict=True):
                    yield f"{name}_bucket{_braces((*labels, ('le', limit)))} {count}"
                yield f"{name}_sum{_braces(labels)} {histogram.sum}"
                yield f"{name}_count{_braces(labels)} {sum(histogram.counts)}"


def _braces(labels: _Labels) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
