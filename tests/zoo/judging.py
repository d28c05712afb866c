"""Judge mutants in one long-lived process: pytest on the gates again and again, the bare TensorFlow loaded once.

A line of JSON on standard input is one run: {"arguments": pytest's, "named": the check beside which only the cheap ones
run, null for all}. The answer is a line on standard output: pytest's exit code.
"""

import json
import os
import sys
from dataclasses import dataclass

import pytest

from tests.zoo.record import DEAR


@dataclass(frozen=True)
class Cheap:
    """A plugin of pytest: leaves out what costs much, but for the check that is named."""

    named: str

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """What is left out counts as deselected."""
        dropped = [item for item in items if self.dear(checked(item))]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]

    def dear(self, check: str) -> bool:
        """Whether a check (gate.check) is to be left out."""
        return (check in DEAR or check.partition(".")[0] in DEAR) and check != self.named


def checked(item: pytest.Item) -> str:
    """The check that a test makes: its own name, or what parametrises it."""
    asked = getattr(item, "callspec", None)
    return f"{item.path.stem.removeprefix('test_')}.{asked.id if asked else item.name.removeprefix('test_')}"


def main() -> int:
    """Answer each line; what pytest and TensorFlow say goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        run = json.loads(line)
        code = pytest.main(run["arguments"], [Cheap(run["named"])] if run["named"] else [])
        answers.write(f"{int(code)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
