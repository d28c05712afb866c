"""Say on stderr how far the gates are: a bar that moves where there is a terminal, a line for each gate elsewhere."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fledge.gates.progress import Step, Tell


@contextlib.contextmanager
def told(title: str) -> Iterator[Tell]:
    """A listener to the steps of one run of the gates, which `title` names; quiet until the first step."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield GateByGate(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield Moving(bar, title)


class Moving:
    """The bar names the check that is being made."""

    def __init__(self, bar: Progress, title: str) -> None:
        self.bar, self.title, self.task = bar, title, bar.add_task(title, total=None)

    def __call__(self, step: Step) -> None:
        what = f"{self.title}: {step.gate}.{step.check}"
        self.bar.update(self.task, description=what, completed=step.made, total=step.total)


class GateByGate:
    """A line when the last check of a gate is made: how many, how long, how far."""

    def __init__(self, title: str) -> None:
        self.title, self.gate, self.began, self.before = title, "", 0.0, 0
        self.last: Step | None = None

    def __call__(self, step: Step) -> None:
        if self.last is None:
            print(f"gates: {self.title}, {step.total} check{'s' * (step.total != 1)}", file=sys.stderr, flush=True)
        elif step.gate != self.gate:
            self._line(self.last)
        if step.gate != self.gate:
            self.gate, self.began, self.before = step.gate, step.seconds, step.made
        self.last = step
        if step.ended and step.made == step.total:
            self._line(step)

    def _line(self, last: Step) -> None:
        made, seconds = last.made - self.before, last.seconds - self.began
        checks, far = "check" if made == 1 else "checks", f"{last.made} of {last.total}"
        print(f"  {self.gate}: {made} {checks}, {seconds:.1f} s ({far})", file=sys.stderr, flush=True)
