"""What the judge remembers of each canary: its steps, and the counters that they began with. Pure.

Counters belong to Services and are older than any canary, so a canary's counts are differences:

- A canary is its environment, model, stable hash and canary hash, looked at without a break of more than `FORGET`
  seconds and with weights that never fall; after either it is a new run, judged afresh.
- It begins where the canary's Service was last known to be at weight 0. At weight 0 a Service counts nothing, but in
  slow traffic it counts nothing for a while at any weight: how long says little, how much the stable's Service answered
  meanwhile says all. So it begins at the end of the newest stretch of the judge's samples (one each `PERIOD` seconds,
  since anybody last looked at that Service) in which the canary's Service stood still while stable answered `STILL`
  requests, or in which it had never counted anything. Requests between `setWeight` and the first look are counted,
  those of an earlier canary are not, even what it answered after its last look. Without such a stretch (the judge has
  just started, or the canary before has just left) it begins at the first look: to miss the little that came before
  is safe, to take an earlier canary's good requests for this one's is not.
- A step begins at the first look with its weight. What ended before that, since the canary began or since the last look
  at another weight, has an unknown share: it counts for E_clean, and for neither of the E-values of shares.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fledge.judge.counts import Totals, monotone
from fledge.judge.evalues import Counts, Judgement, Step, judge

PERIOD = 1.0  # s
FORGET = 600.0  # s
SAMPLES = 600  # 10 min: time for stable to answer STILL requests at 0.5 a second
STILL = 300  # a canary with 5 % of the requests gets none of 300 with probability 0.95^300 = 2e-7, with 2 % 0.002


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
        self._samples: deque[tuple[int, Totals]] = deque(maxlen=SAMPLES)  # numbered from 1
        self._sampled = 0
        self._looked: dict[str, int] = {}  # how many samples there were when a canary's Service was last looked at
        self._runs: dict[Canary, _Run] = {}

    def notice(self, now: Totals) -> None:
        """Take notice of Envoy's counters before a look."""
        self._totals = monotone(self._totals, self._seen, now)
        self._seen = now

    def sample(self, now: Totals) -> None:
        """Take notice and remember, once each PERIOD."""
        self.notice(now)
        self._sampled += 1
        self._samples.append((self._sampled, self._totals))

    def look(self, who: Canary, weight: int, error_ratio: float, at: float) -> Judgement:
        """Judge by the last sample. `weight` in percent, `at` in seconds of any clock that does not go back."""
        self._runs = {key: run for key, run in self._runs.items() if at - run.looked <= FORGET}
        run = self._runs.get(who)
        if run is None or weight < run.segments[-1].weight:
            looked = self._looked.get(who.service("canary"), 0)
            still = _at_weight_0([totals for number, totals in self._samples if number > looked], who)
            begin = self._totals if still is None else still
            run = self._runs[who] = _Run(begin, at, [_Segment(weight, self._totals, self._totals)])
        run.looked = at
        self._looked[who.service("canary")] = self._sampled
        if run.segments[-1].weight != weight:
            run.segments.append(_Segment(weight, self._totals, self._totals))
        run.segments[-1].end = self._totals
        steps = [_step(who, segment) for segment in run.segments]
        return judge(steps, error_ratio, _difference(self._totals, run.begin, who.service("canary")))


def _at_weight_0(samples: Sequence[Totals], who: Canary) -> Totals | None:
    """The newest sample in which the canary's Service surely was at weight 0."""
    end: Totals | None = None
    for sample in reversed(samples):
        if end is None or _requests(sample, who, "canary") != _requests(end, who, "canary"):
            end = sample
        never = not _requests(end, who, "canary")
        if never or _requests(end, who, "stable") - _requests(sample, who, "stable") >= STILL:
            return end
    return None


def _requests(totals: Totals, who: Canary, role: str) -> int:
    return totals.get(who.service(role), Counts()).requests


def _difference(end: Mapping[str, Counts], begin: Mapping[str, Counts], service: str) -> Counts:
    return end.get(service, Counts()) - begin.get(service, Counts())


def _step(who: Canary, segment: _Segment) -> Step:
    canary, stable = (_difference(segment.end, segment.begin, who.service(role)) for role in ("canary", "stable"))
    return Step(segment.weight / 100, canary, stable)
