"""What is said of CPU time, memory, bytes and starts: each verdict, by its reason; and the gate on tiny models."""

import re
from pathlib import Path

import numpy as np
import pytest

from fledge.checks import resources
from fledge.checks.resources import Cost, LoadTime, Memory, Size
from fledge.evidence import Evidence, Verdict
from fledge.gates.process import Pair
from fledge.stats import Array
from tests.checks.test_latency import FILE, rounds, spread
from tests.tiny.judging import judge, one
from tests.tiny.owner import CONTRACT, limits, rows, write_model, write_rows

COST = Cost(batch=32, at_most=1.25, inconclusive="warn")
MEMORY = Memory(batch=256, at_most=1.1, cap_mb=100)
SIZE = Size(at_most=1.2, cap_mb=1)
START = LoadTime(at_most=1.25, ready_ms=1000, first_ms=100, least_ms=10, inconclusive="warn")
STEADY = np.array([100.0, 102, 98, 101, 99])  # five starts, ms


def test_cost_is_in_cpu_seconds_per_million_rows() -> None:
    """32 rows that take 64,000 ns of CPU are 2 s per million; 1.5 times the champion's is refused, 1.2 times is not."""
    theirs = np.full(100, 64_000.0)
    dear = resources.cost([rounds(1.5 * theirs, theirs)], COST, FILE)
    assert dear.verdict is Verdict.BLOCK
    assert dear.reason == (
        "3.00 CPU-seconds per million rows, 1.500 times the champion's 2.00, between 1.500 and 1.500, "
        "expected at most 1.25"
    )
    assert dear.remedy == "make the model cheaper, or move params.yaml: gates.resources.cost.at_most"
    assert dear.details["cpu_seconds"] == {"candidate": 3.0, "champion": 2.0}
    assert resources.cost([rounds(1.2 * theirs, theirs)], COST, FILE).verdict is Verdict.PASS
    unclear = resources.cost([rounds(spread(1.25, 0.5, 1000), np.ones(1000))], COST, FILE)
    assert (unclear.verdict, unclear.remedy) == (Verdict.INCONCLUSIVE, "measure again on a quieter machine")


@pytest.mark.parametrize(
    ("ours", "theirs", "allowed", "key"),
    [
        (33.1, 30.0, "33.00", "at_most"),  # times the champion's
        (100.1, 95.0, "100.00", "cap_mb"),  # champion or not
        (100.1, None, "100.00", "cap_mb"),  # a first release
    ],
)
def test_memory_above_what_is_allowed_is_refused(ours: float, theirs: float | None, allowed: str, key: str) -> None:
    """The median of five processes is compared with the cap and with the champion's: just above blocks, just below passes."""
    champion = None if theirs is None else np.full(5, theirs)
    found = resources.memory(np.array([ours, ours, ours, 0, 500]), champion, MEMORY, FILE)
    assert (found.verdict, found.inconclusive) == (Verdict.BLOCK, "block")
    assert re.match(f"{ours:.2f} MB.*, expected at most {allowed} MB$", found.reason), found.reason
    assert found.remedy == f"make the artifact smaller, or move params.yaml: gates.resources.memory.{key}"
    assert (found.interval, found.n) == ((0, 500), 5)
    assert resources.memory(np.full(5, ours - 0.2), champion, MEMORY, FILE).verdict is Verdict.PASS


def test_size_is_exact() -> None:
    """One byte more than the champion's times the limit is refused, and so is one byte above the cap."""
    assert resources.size(1200, 1000, SIZE, FILE).verdict is Verdict.PASS
    found = resources.size(1201, 1000, SIZE, FILE)
    assert (found.verdict, found.estimate) == (Verdict.BLOCK, 1201 / 2**20)
    assert found.reason == "0.00 MB, 1.201 times the champion's 0.00 MB, expected at most 0.00 MB"
    assert [resources.size(n, None, SIZE, FILE).verdict for n in (2**20, 2**20 + 1)] == [Verdict.PASS, Verdict.BLOCK]


STARTS: dict[str, tuple[Array, Array, bool, str, str]] = {
    # ready and first of the candidate, beside a champion or not, the verdict, and why
    "equal": (
        STEADY,
        STEADY / 10,
        True,
        "PASS",
        "first answer after 100.0 ms, 1.00 times the champion's, between 0.96 ",
    ),
    "slow-load": (
        10 * STEADY / 2,
        STEADY / 10,
        True,
        "BLOCK",
        "5.00 times the champion's, .*, expected at most 1.25 of",
    ),
    "no-warm-up": (
        STEADY,
        STEADY / 2,
        True,
        "BLOCK",
        "that answer alone 50.0 ms, 5.00 times .*, expected at most 1.25 of",
    ),
    "noisy": (
        STEADY * [1, 1, 1.4, 1.4, 1.4],
        STEADY / 10,
        True,
        "INCONCLUSIVE",
        "1.37 times .* expected at most 1.25 of",
    ),
    "over-budget": (STEADY * 11, STEADY / 10, False, "BLOCK", "after 1100.0 ms; .*, expected at most 1000 ms$"),
    "first-over-budget": (STEADY, STEADY * 2, False, "BLOCK", "alone 200.0 ms, expected at most 100 ms$"),
    "around-the-budget": (
        STEADY * [11, 11, 11, 9, 9],
        STEADY / 10,
        False,
        "INCONCLUSIVE",
        ", expected at most 1000 ms$",
    ),
    "first-release": (STEADY, STEADY / 10, False, "PASS", "^first answer after 100.0 ms; that answer alone 10.0 ms$"),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_start_is_held_against_budget_and_champion(name: str) -> None:
    """Both times count, and what blocks is shown by all five starts, not by the middle one alone."""
    ready, first, beside, verdict, reason = STARTS[name]
    theirs = {"ready_ms": STEADY, "first_ms": STEADY / 10} if beside else None
    found = resources.load_time({"ready_ms": ready, "first_ms": first}, theirs, START, FILE)
    assert found.verdict == verdict
    assert re.search(reason, found.reason), found.reason
    assert found.blocks == (verdict == "BLOCK")
    assert (found.remedy == "") == (verdict == "PASS")


def test_a_start_within_its_share_of_the_champions_still_has_a_budget() -> None:
    """A champion that is slow itself does not excuse the candidate."""
    times = {"ready_ms": STEADY * 20, "first_ms": STEADY / 10}
    found = resources.load_time(times, times, START, FILE)
    assert (found.verdict, found.unit) == (Verdict.BLOCK, "ms")
    assert found.reason.endswith("expected at most 1000 ms")


def test_what_takes_no_time_to_speak_of_is_not_compared() -> None:
    """First answers in 8 ms beside 1 ms are as good, in 80 ms they are not: less than 10 ms counts as 10."""
    theirs = {"ready_ms": STEADY, "first_ms": STEADY / 100}
    for first, verdict in [(STEADY * 0.08, Verdict.PASS), (STEADY * 0.8, Verdict.BLOCK)]:
        ours = {"ready_ms": STEADY, "first_ms": first}
        assert resources.load_time(ours, theirs, START, FILE).verdict is verdict


@pytest.fixture(scope="module")
def judged(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evidence]:
    """The evidence of the gate on a slow model, and on a first release."""
    root = tmp_path_factory.mktemp("resources")
    file, model = write_rows(root, "tiny", rows()), write_model(root, "tiny", CONTRACT, limits())
    tight = limits()
    tight["resources"]["size"]["cap_mb"] = tight["resources"]["memory"]["cap_mb"] = 1e-3
    cases = {
        "slow": Pair(model, zoo / "slow", zoo / "champion", (file,)),
        "first": Pair(write_model(root, "tight", CONTRACT, tight), zoo / "good", None, (file,)),
    }
    return dict(zip(cases, judge([("resources", pair) for pair in cases.values()], root), strict=True))


def test_the_gate_refuses_a_slow_model(judged: dict[str, Evidence]) -> None:
    """A model that wastes a matrix product on every call blocks by rows a second, CPU time and threads at once."""
    for name, reason in [
        ("throughput", "^0\\.\\d+ times the champion's rows a second in batches of 256, .*, expected at least 0.9$"),
        ("cost", "CPU-seconds per million rows, .* times the champion's .*, expected at most 1.25$"),
        ("concurrency", "^0\\.\\d+ times the champion's answers a second to 4 threads at once, .* at least 0.8$"),
    ]:
        assert re.search(reason, one(judged["slow"], f"resources.{name}").reason)
        assert one(judged["slow"], f"resources.{name}").blocks
    assert one(judged["slow"], "resources.size").verdict is Verdict.PASS
    assert one(judged["slow"], "resources.load").details["requests"] > 0


def test_a_first_release_is_held_against_its_own_limits(judged: dict[str, Evidence]) -> None:
    """Without a champion nothing is compared; caps, budgets and the peak are judged."""
    found = judged["first"]
    assert [check.name for check in found.checks] == ["memory", "load_time", "size", "load"]
    assert {"memory", "size"} <= {check.name for check in found.blocking}
    assert one(found, "resources.memory").reason.endswith("MB, expected at most 0.00 MB")
