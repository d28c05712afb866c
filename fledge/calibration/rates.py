"""How often something happened, with the interval that so many tries allow."""

from collections.abc import Iterable
from dataclasses import dataclass

from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """`count` of `tries`."""

    count: int
    tries: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; not a number where nothing was tried."""
        return self.count / self.tries if self.tries else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The two-sided 95 % interval of Clopper & Pearson 1934, which is never shorter than it says; (0, 1) of no tries."""
        if not self.tries:
            return 0.0, 1.0
        found = stats.binomtest(self.count, self.tries).proportion_ci(CONFIDENCE, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = (f"{100 * bound:.1f}" for bound in self.interval)
        return f"{100 * self.value:.1f} % [{low}, {high}] ({self.count} of {self.tries})" if self.tries else "–"


def rate(happened: Iterable[bool]) -> Rate:
    """How many of `happened` are true."""
    found = list(happened)
    return Rate(sum(found), len(found))
