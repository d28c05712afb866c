"""Evidence as all gates leave it: what the views are tested with, and looked at."""

from dataclasses import replace
from math import sqrt
from typing import Any

from fledge.evidence import Check, Evidence, Verdict

ROWS, FILE = 32_159, "models/tiny/params.yaml"
WORSE = "retrain the candidate, or show why the loss is worth it and move "

# What has no numbers: it holds or it does not.
FACTS = {
    "structural": ["signature", "vocabulary", "variables", "ops", "files", "tensorflow", "served"],
    "edge_cases": ["requests", "sizes", "missing", "unknown", "monotone", "properties", "special"],
    "determinism": ["repeat", "order", "split"],
    "leakage": ["known_at", "time"],
}


REPORT = Check(
    "regression",
    "report",
    Verdict.PASS,
    "reported, not judged: precision 0.61, recall 0.32, f1 0.42",
    n=ROWS,
    details={
        "threshold": 0.5,
        "scores": {
            "candidate": {"precision": 0.6104, "recall": 0.3217, "f1": 0.4213, "accuracy": 0.7981},
            "champion": {"precision": 0.6061, "recall": 0.3302, "f1": None, "accuracy": 0.7977},
        },
    },
)


def difference(name: str, estimate: float, error: float, margin: float, unit: str) -> Check:
    """A check of regression, judged as non-inferiority is."""
    low, high, higher = estimate - 1.66 * error, estimate + 1.66 * error, margin < 0
    good = low >= margin if higher else high <= margin
    curve = [{"rows": round(ROWS * x), "detectable": 2.95 * error / sqrt(x)} for x in (0.125, 0.25, 0.5, 1, 2, 4)]
    reason = f"candidate - champion is {estimate:+.4f} {unit}, at worst {low if higher else high:+.4f}, expected " + (
        f"{'above' if higher else 'below'} {margin:+.4f}"
    )
    return Check(
        "regression",
        name,
        Verdict.PASS if good else Verdict.BLOCK,
        reason,
        "" if good else f"{WORSE}{FILE}: gates.regression.{name}.margin",
        estimate,
        (low, high),
        margin,
        ROWS,
        2.95 * error,
        unit,
        details={"higher_is_better": higher, "power": curve},
    )


def segments() -> Check:
    """The check of the segments: two dozen are judged, one is harmed, three are too small."""
    judged = [_segment(number, name, metric) for number, name in enumerate("ABCDEFGHIJKL") for metric in MARGINS]
    small = [
        dict.fromkeys(("metric", "estimate", "low", "high", "margin", "p"))
        | {"column": "carrier", "segment": name, "n": 40, "judged": False, "why": "12 positives, 28 negatives"}
        for name in ("X1", "X2", "X3")
    ]
    return Check(
        "segments",
        "harm",
        Verdict.BLOCK,
        "carrier C: auc -0.0410, expected above -0.02, p 0.00011; not judged: carrier X1 (12 positives, 28 negatives)",
        f"{WORSE}{FILE}: gates.segments.harm.margins",
        -0.041,
        (-0.0532, -0.0288),
        -0.02,
        ROWS,
        0.0371,
        "AUC",
        details={"against": "champion", "segments": [*judged, *small]},
    )


MARGINS = {"auc": -0.02, "log_loss": 0.02}


def _segment(number: int, name: str, metric: str) -> dict[str, Any]:
    margin, harmed = MARGINS[metric], name == "C"
    estimate = margin * (2.05 if harmed else ((number * 37) % 23 - 12) / 20)
    width = 0.004 + 0.0012 * ((number * 7) % 11)
    return {
        "column": "origin" if number < 3 and not harmed else "carrier",
        "segment": name,
        "metric": metric,
        "estimate": estimate,
        "low": estimate - width,
        "high": estimate + width,
        "margin": margin,
        "n": 9000 - 700 * number,
        "judged": True,
        "why": "",
        "harmed": harmed,
        "detectable": abs(margin) + 1.4 * width,
        "p": 0.00001 if harmed else 0.8,
    }


def reliability(shift: float) -> list[dict[str, Any]]:
    """Ten bins of a curve that is `shift` off the diagonal."""
    bins = []
    for number in range(10):
        predicted = 0.03 + 0.075 * number
        observed, width = predicted + shift * predicted * (1 - predicted) * 4, 0.006 + 0.004 * number
        low, high = observed - width, observed + width
        bins.append({"predicted": predicted, "observed": observed, "low": low, "high": high, "n": 3216})
    return bins


def ratio(gate: str, name: str, estimate: float, margin: float, verdict: Verdict = Verdict.PASS) -> Check:
    """A check of a time beside the champion's, from interleaved blocks."""
    blocks = [estimate * (1 + 0.03 * (((number * 7919) % 101) / 50 - 1) ** 3) for number in range(60)]
    low, high = estimate * 0.985, estimate * 1.02
    return Check(
        gate,
        name,
        verdict,
        f"{estimate:.3f} times the champion's, between {low:.3f} and {high:.3f}",
        "" if verdict is Verdict.PASS else "measure again on a quieter machine",
        estimate,
        (low, high),
        margin,
        1500,
        0.031,
        "of champion's",
        "warn",
        {"blocks": blocks},
    )


def number(gate: str, name: str, estimate: float, margin: float, n: int, unit: str) -> Check:
    """A check of one number that passes."""
    reason = f"{estimate:.4g} {unit}, expected at most {margin:.4g}"
    return Check(
        gate, name, Verdict.PASS, reason, "", estimate, (estimate * 0.9, estimate * 1.12), margin, n, unit=unit
    )


def checks() -> list[Check]:
    """What every gate says of a candidate: two block, one warns."""
    facts = [Check(gate, name, Verdict.PASS, "as expected") for gate, names in FACTS.items() for name in names]
    large = replace(
        number("calibration", "in_the_large", 0.0061, 0.02, ROWS, "share"),
        details={"reliability": reliability(0.02), "champion": reliability(-0.012)},
    )
    return [
        *facts,
        number("parity", "golden", 2.4e-07, 1e-05, 256, "largest difference"),
        number("parity", "rest", 5.9e-08, 1e-05, 10_000, "largest difference"),
        number("parity", "grpc", 0.0, 1e-05, 10_000, "largest difference"),
        difference("auc", -0.0012, 0.0019, -0.01, "AUC"),
        difference("log_loss", 0.0181, 0.0035, 0.015, "of champion's"),
        difference("anchor", 0.0034, 0.0021, -0.02, "AUC"),
        REPORT,
        segments(),
        large,
        number("calibration", "slope", 0.973, 1.25, ROWS, "of logit"),
        number("fairness", "absolute", 0.91, 0.8, ROWS, "selection_ratio"),
        number("fairness", "relative", 0.004, 0.02, ROWS, "selection_ratio"),
        ratio("latency", "ratio", 1.072, 1.05, Verdict.INCONCLUSIVE),
        number("latency", "budget", 2.31, 10.0, 1500, "ms"),
        number("latency", "tail", 0.0021, 0.01, 1500, "of calls"),
        ratio("resources", "throughput", 0.97, 0.9),
        ratio("resources", "concurrency", 0.99, 0.9),
        ratio("resources", "cost", 1.031, 1.25),
        number("resources", "memory", 23.3, 64.0, 5, "MB"),
        number("resources", "size", 1.42, 1.66, 1, "MB"),
        number("resources", "load_time", 148.2, 2000.0, 5, "ms"),
        replace(
            number("resources", "load", 0.0, 0.0, 1800, "of requests"),
            details={"requests": 1800, "failed": 0, "p50_ms": 3.1, "p99_ms": 11.4, "rate": 60.0},
        ),
        number("data", "quality", 0.0012, 0.01, ROWS, "of visib missing"),
        number("data", "training", 0.0009, 0.01, 143_281, "of visib missing"),
        number("data", "count", 32_159.0, 20_000.0, ROWS, "rows"),
        number("leakage", "overlap", 0.00003, 0.0004, ROWS, "of rows"),
        number("leakage", "single_feature", 0.631, 0.8, ROWS, "AUC"),
        number("leakage", "too_good", 0.0012, 0.05, ROWS, "AUC"),
        number("leakage", "gap", 0.0043, 0.02, 175_440, "of champion's"),
    ]


def judged(*made: Check) -> Evidence:
    """Evidence with these checks, else with those of all gates."""
    return Evidence(
        model="tiny",
        candidate={"name": "1.3.0", "md5": "1" * 32 + ".dir", "sha256": "a" * 64},
        champion={"name": "1.2.0", "md5": "2" * 32 + ".dir", "sha256": "b" * 64},
        rows={
            "files": ["2013-07.parquet", "2013-01.parquet"],
            "sha256": "c" * 64,
            "holdout": ["2013-01"],
            "training": ["2013-01.parquet"],
            "training_sha256": "d" * 64,
        },
        checks=list(made) or checks(),
        versions={"python": "3.11.7", "tensorflow": "2.20.0", "numpy": "2.3.1", "scipy": "1.17.1"},
        timings={"load": 1.31, "regression": 4.2, "edge_cases": 17.1, "latency": 21.8, "resources": 33.4},
        anchor={"name": "1.0.0", "md5": "3" * 32 + ".dir", "sha256": "e" * 64},
        hardware={"cpu": "A processor @ 2.50 GHz", "cores": 2, "memory_bytes": 8 * 2**30, "kernel": "Linux 6.1.0"},
        notes=["The limits of main judge: models/tiny/params.yaml at 1f2e3d4."],
    )


def passing() -> Evidence:
    """The same, had nothing blocked and nothing warned."""
    good = [replace(check, verdict=Verdict.PASS, remedy="") for check in checks()]
    return judged(*good)
