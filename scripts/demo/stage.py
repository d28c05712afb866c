"""The stage: a scratch clone with its own history and remotes, the commands said on it, and how long they took."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fledge import git
from fledge.problems import Problem
from fledge.rehearsal.process import dies_with
from fledge.release import Files

TEMPLATE = Path(__file__).resolve().parent.parent.parent
PERSON = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A Person"), ("EMAIL", "person@example.com"))
}
OWN_GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
Found = TypeVar("Found")
# What an owner's own training and releases made: the story begins before the first of them.
MADE = re.compile(r"dvc\.lock$|models/[^/]+/metrics\.json$|manifests/(releases|rendered/[^/]+)/")


@dataclass
class Stage:
    """A folder with `clone` (a person's), `origin.git`, and `remote` (DVC's); processes run until `close`."""

    folder: Path
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def say(self, text: str) -> None:
        self.console.print(text)

    def run(self, command: str, *, refused: bool = False) -> str:
        """Say and run a command in the clone; its output. `refused`: it must fail, and that is the point."""
        self.say(f"  [bold]$ {command.replace('[', chr(92) + '[')}[/]")
        log = self.folder / "command.log"
        began = time.monotonic()
        with log.open("wb") as out, self._progress(command):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        output = log.read_text(errors="replace").rstrip()
        for line in output.splitlines():
            self.console.print(f"    {line}", markup=False, style="dim" if not refused else "")
        self.say(f"    [green]{time.monotonic() - began:.1f} s[/]")
        if bool(done.returncode) != refused:
            expected = "a refusal" if refused else "exit code 0"
            raise Problem(f"demo: `{command}` exited {done.returncode}, expected {expected} ({log})")
        return output

    def wait(self, what: str, condition: Callable[[], Found | None], seconds: float = 180) -> Found:
        """Wait until `condition` gives something. Raises Problem when it does not within `seconds`."""
        began = time.monotonic()
        with self._progress(what):
            while time.monotonic() - began < seconds:
                for process in self.processes:
                    if process.poll() is not None:
                        raise Problem(f"demo: {process.args!r} ended while waiting for {what}, expected it to run on")
                found = condition()
                if found is not None:
                    self.say(f"    {what} [green]{time.monotonic() - began:.1f} s[/]")
                    return found
                time.sleep(0.1)
        raise Problem(f"demo: {what} did not come within {seconds:.0f} s, expected it ({self.folder})")

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m …` in the clone until the stage closes; its output goes to <name>.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *arguments],
                    cwd=self.clone,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  no thread runs now
                )
            )

    def close(self) -> None:
        """End what was started, newest first, and wait for it."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            process.kill()

    @property
    def environment(self) -> dict[str, str]:
        """A person's in the scratch clone: its tools first, nothing of this clone's make, git and DVC."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "MAKE", "MFLAGS", "DVC_"))}
        own = {
            "PATH": f"{self.clone / '.venv' / 'bin'}{os.pathsep}{clean.get('PATH', os.defpath)}",
            "DVC_SITE_CACHE_DIR": str(self.clone / ".fledge" / "dvc"),
        }
        return clean | PERSON | OWN_GIT | own

    @contextlib.contextmanager
    def _progress(self, what: str) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        columns = (TextColumn("   "), SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            progress.add_task(what)
            yield


@dataclass
class Story:
    """What is known as the story goes on: `facts` becomes the report, `share` of the requests fails in act 5."""

    stage: Stage
    share: float = 0.2
    model: str = "delays"
    facts: dict[str, Any] = field(default_factory=dict)

    def files(self, environment: str) -> Files:
        return Files(environment, self.model)

    @property
    def log(self) -> Path:
        return self.stage.folder / "traffic.jsonl"

    def state(self, environment: str) -> dict[str, Any]:
        """What a rehearsal says of itself; empty until it runs."""
        path = self.stage.folder / environment / "state.json"
        content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return content


def scratch(folder: Path) -> Stage:
    """A new stage: this template before any training or release, with a bare origin and a DVC remote."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "origin.git").exists():
        raise Problem(f"demo: {folder} holds other things, expected an empty folder or an earlier stage (--folder)")
    shutil.rmtree(folder, ignore_errors=True)
    stage = Stage(folder)
    # In this process too, git must not see a hook's or a person's settings.
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ.update(PERSON | OWN_GIT)
    stage.clone.mkdir(parents=True)
    (folder / "remote").mkdir()
    (stage.clone / ".fledge" / "tmp").mkdir(parents=True)
    for name in git.git(TEMPLATE, "ls-files", "-co", "--exclude-standard").splitlines():
        if (TEMPLATE / name).is_file() and not MADE.match(name):
            (stage.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TEMPLATE / name, stage.clone / name)
    for name in (".venv", ".tools"):
        if (TEMPLATE / name).exists():
            (stage.clone / name).symlink_to(TEMPLATE / name)
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", stage.origin], check=True)
    subprocess.run(["git", "init", "--quiet", "-b", "main", stage.clone], check=True)
    git.git(stage.clone, "remote", "add", "origin", str(stage.origin))
    return stage
