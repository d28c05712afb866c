"""A folder of gates with one small gate in it, so that what runs the gates is tested in seconds."""

from pathlib import Path

from fledge.gates import process

SMALL = '''
"""One limit, three checks."""

from fledge.evidence import Check, Verdict
from fledge.gates.limits import Limit


class Bias(Limit):
    at_most: float


def test_bias(ours, rows, limits, record):
    """The mean answer is near the mean label."""
    limit, found = limits.of("small", "bias", Bias).at_most, abs(float(ours.mean(axis=0).flat[0] - rows.label.mean()))
    verdict = Verdict.PASS if found <= limit else Verdict.BLOCK
    reason = f"off by {found:.3f}, expected at most {limit} ({limits.file})"
    record(Check("small", "bias", verdict, reason, "train again", found, None, limit, len(rows)))


def test_champion(theirs, record):
    """There is a champion that answers."""
    record(Check("small", "champion", Verdict.PASS, "it answers", n=len(theirs)))


def test_anchor(anchored, record):
    """There is an anchor that answers."""
    record(Check("small", "anchor", Verdict.PASS, "it answers", n=len(anchored)))
'''


def write_gate(folder: Path, text: str = SMALL) -> Path:
    """The folder, with what the real gates share and the small gate."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (process.ROOT / "tests" / "gates").glob("*.py"):
        if not file.name.startswith("test_"):
            (folder / file.name).write_text(file.read_text())
    (folder / "test_small.py").write_text(text)
    return folder
