"""What `make zoo FULL=1` found, kept as matrix.json, and README.md as a view of it: `python -m tests.zoo.report`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.zoo import score
from tests.zoo.record import Mutant
from tests.zoo.register import everything
from tests.zoo.score import Judged

HERE = Path(__file__).parent
MATRIX, FLIPS, README = HERE / "matrix.json", HERE / "flips.txt", HERE / "README.md"

INTRODUCTION = """# The zoo

Broken models, each with the check that must refuse it and the reason; the gates' own test. Most are made by surgery on the
exported model of `models/delays`, some by training again. The controls are good models that nothing may refuse.

```
make zoo          # what surgery makes, each against its named check and the cheap ones; in CI
make zoo FULL=1   # all of it against all gates; writes matrix.json and this page; Ctrl-C and again goes on
.venv/bin/python -m tests.zoo.flips   # one candidate 1,000 times: does the same commit get the same verdict?
```

A mutant is a record in a file of `families/`: number, name, check, a pattern of the reason, and how it is made. The numbers
are those of the list that the gates were designed with; letters are variants, and from 60 on they are our own.
"""

KEY = """*effect*: what the named check measured, in units of its margin. *alone*: no other gate refuses it, so without that
gate it would survive; but for those that time (latency, resources), which see that operations put into a graph by surgery
take a tenth of its time, and not what is wrong with it. Not counted: what is nearer to harmless than 1.5 times the margin.
"""


def matrix(found: Sequence[Judged], machine: str) -> dict[str, Any]:
    """What was found of each mutant: the checks that refused it, why the named one did, and how large the effect is."""
    return {
        "machine": machine,
        "mutants": {
            one.mutant.id: {
                "refusals": {
                    check: reason
                    if check == one.mutant.check
                    else score.shortened(reason)  # its pattern is looked for again
                    for check, reason in one.refusals.items()
                },
                "effect": one.effect,
                "unclear": one.unclear,
            }
            for one in found
        },
    }


def judged(content: dict[str, Any], mutants: Sequence[Mutant]) -> list[Judged]:
    """What a kept matrix says of these mutants. Raises KeyError for one that it lacks."""
    kept = content["mutants"]
    return [Judged(one, **kept[one.id]) for one in mutants]


def page(found: Sequence[Judged], machine: str, flips: str) -> str:
    """README.md."""
    alone = score.sole(found)
    header = ["", "mutant", "must be refused by", "found", "effect", "alone", "also refused by"]
    rows = [_row(one, alone) for one in found]
    table = tabulate(rows, header, "github", disable_numparse=True)
    needed = "\n".join(f"- {gate}: {', '.join(ids)}" for gate, ids in sorted(alone.items()))
    parts = [INTRODUCTION, f"## Score\n\n{score.summary(found)}\n\n{machine}\n"]
    parts += [f"## The same verdict again\n\n{flips}"]
    parts += [f"## What only one gate refuses\n\n{needed}\n", f"## Mutants and controls\n\n{KEY}\n{table}\n"]
    return "\n".join(parts)


def _row(one: Judged, alone: dict[str, list[str]]) -> list[str]:
    mutant = one.mutant
    found = {
        "named": "yes",
        "other": "by another",
        "missed": "no",
        "untold": "not told",
        "passed": "passes",
        "refused": "REFUSED",
    }[one.fate]
    note = "" if mutant.counted else " (not counted)"
    effect = "" if one.effect is None else f"{one.effect:.1f}"
    only = "yes" if mutant.id in alone.get(mutant.gate, []) else ""
    others = ", ".join(sorted(one.gates - {mutant.gate}))
    return [mutant.id, mutant.name, mutant.check, found + note, effect, only, others]


def main() -> int:
    """Write README.md again from matrix.json."""
    content = json.loads(MATRIX.read_text())
    README.write_text(page(judged(content, everything()), content["machine"], FLIPS.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
