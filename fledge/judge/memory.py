"""What the judge remembers of each canary: its steps, and the counters that they began with. Pure.

Counters belong to Services and are older than any canary, so a canary's counts are differences:

- A canary is its environment, model, stable hash and canary hash, looked at without a break of more than `FORGET`
  seconds and with weights that never fall; after either it is a new run, judged afresh.
- It begins at the last of the judge's own samples (one each `PERIOD` seconds) in which the canary's Service stood
  still, so that requests between `setWeight` and the first look are counted, and those of an earlier canary are not.
  With no sample yet (the judge has just started) it begins at the first look.
- A step begins at the first look with its weight. What ended between the last look at one weight and the first at the
  next has an unknown share: it counts for E_clean, and for neither of the E-values of shares.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fledge.judge.counts import Totals, monotone
from fledge.judge.evalues import Counts, Judgement, Step, judge

PERIOD = 1.0  # s
FORGET = 600.0  # s
SAMPLES = 120  # enough for the time from `setWeight` to the first look


@dataclass(frozen=True)
class Canary:
    """Who is judged. The Services are `<environment>_<model>-canary` and `-stable`."""

    environment: str
    model: str
    stable: str
    canary: str

    def service(self, role: str) -> str:
        """The backend whose counters are those of `role`."""
        return f"{self.environment}_{self.model}-{role}"


@dataclass
class _Segment:
    weight: int
    begin: Totals
    end: Totals


@dataclass
class _Run:
    begin: Totals
    looked: float
    segments: list[_Segment]


class Memory:
    """The counters as they went on, and the runs of all canaries that somebody looks at."""

    def __init__(self) -> None:
        self._seen: Totals = {}  # as Envoy said last
        self._totals: Totals = {}  # never falling
        self._samples: deque[Totals] = deque(maxlen=SAMPLES)
        self._runs: dict[Canary, _Run] = {}

    def notice(self, now: Totals) -> None:
        """Take notice of Envoy's counters before a look."""
        self._totals = monotone(self._totals, self._seen, now)
        self._seen = now

    def sample(self, now: Totals) -> None:
        """Take notice and remember, once each PERIOD."""
        self.notice(now)
        self._samples.append(self._totals)

    def look(self, who: Canary, weight: int, error_ratio: float, at: float) -> Judgement:
        """Judge by the last sample. `weight` in percent, `at` in seconds of any clock that does not go back."""
        self._runs = {key: run for key, run in self._runs.items() if at - run.looked <= FORGET}
        run = self._runs.get(who)
        if run is None or weight < run.segments[-1].weight:
            quiet = _quiet(self._samples, who.service("canary"))
            begin = self._totals if quiet is None else quiet
            run = self._runs[who] = _Run(begin, at, [_Segment(weight, begin, self._totals)])
        run.looked = at
        if run.segments[-1].weight != weight:
            run.segments.append(_Segment(weight, self._totals, self._totals))
        run.segments[-1].end = self._totals
        steps = [_step(who, segment) for segment in run.segments]
        return judge(steps, error_ratio, _difference(self._totals, run.begin, who.service("canary")))


def _quiet(samples: Sequence[Totals], service: str) -> Totals | None:
    """The newest sample in which the Service had counted nothing since the sample before."""
    pairs = list(pairwise(samples))
    return next((new for old, new in reversed(pairs) if old.get(service) == new.get(service)), None)


def _difference(end: Mapping[str, Counts], begin: Mapping[str, Counts], service: str) -> Counts:
    return end.get(service, Counts()) - begin.get(service, Counts())


def _step(who: Canary, segment: _Segment) -> Step:
    canary, stable = (_difference(segment.end, segment.begin, who.service(role)) for role in ("canary", "stable"))
    return Step(segment.weight / 100, canary, stable)
