"""Run an environment's rendered manifests on this machine until Ctrl-C, and do what its aborts and completions call for."""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fledge import git, project
from fledge.problems import Problem, reported
from fledge.rehearsal import process
from fledge.rehearsal.rehearsal import rehearse

Event = dict[str, Any]


@reported
def main(argv: Sequence[str] | None = None) -> int:
    """Follow a branch of a git remote; print a line for each event and keep them all in events.jsonl."""
    parser = argparse.ArgumentParser(prog="rehearse", description=__doc__)
    parser.add_argument("--env", required=True)
    parser.add_argument(
        "--remote", help="a git repository, where tags and reverts are pushed to; default: this clone, only read"
    )
    parser.add_argument("--branch", help="default: project.yaml: branch")
    parser.add_argument(
        "--folder", type=Path, help="logs, state.json and events.jsonl; default: .fledge/rehearsal/<env>"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="MODEL/VERSION=SHARE", help="fail that share of predictions"
    )
    options = parser.parse_args(argv)
    owner = project.load(process.ROOT)
    owner.environment(options.env)
    options.branch = options.branch or owner.branch
    options.acts = options.remote is not None
    options.remote = options.remote or str(process.ROOT)
    options.folder = (options.folder or process.ROOT / ".fledge" / "rehearsal" / options.env).resolve()
    options.events = options.folder / "events.jsonl"
    options.faults = dict(map(fault, options.fault))
    for model, _ in options.faults:
        owner.model(model)
    asyncio.run(until_stopped(options))
    return 0


def fault(text: str) -> tuple[tuple[str, str], float]:
    """Read `delays/1.1.1=0.2`. Raises Problem for anything else."""
    release, _, share = text.partition("=")
    model, _, version = release.partition("/")
    with contextlib.suppress(ValueError):
        if model and version and 0 <= float(share) <= 1:
            return (model, version), float(share)
    raise Problem(f"rehearse: found --fault {text}, expected MODEL/VERSION=SHARE with a share from 0 to 1 (--fault)")


async def until_stopped(options: argparse.Namespace) -> None:
    """Rehearse and act until Ctrl-C or SIGTERM; raises Problem if the rehearsal cannot start."""
    options.events.parent.mkdir(parents=True, exist_ok=True)
    events: asyncio.Queue[Event] = asyncio.Queue()
    rehearsing = asyncio.create_task(
        rehearse(options.env, options.remote, options.branch, options.folder, events.put_nowait, options.faults)
    )
    acting = asyncio.create_task(tell(options, events))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, rehearsing.cancel)
    try:
        await asyncio.wait((rehearsing, acting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (acting, rehearsing):
            task.cancel()
        ended = await asyncio.gather(acting, rehearsing, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
            raise error


async def tell(options: argparse.Namespace, events: asyncio.Queue[Event]) -> None:
    """Print and keep every event; the acts that they call for are made one after the other."""
    acts: asyncio.Queue[list[str]] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(perform(options, acts, events))
        while True:
            event = await events.get()
            with options.events.open("a") as stream:
                stream.write(json.dumps(event) + "\n")
            who = "/".join(filter(None, (event["environment"], event.get("model"))))
            print(time.strftime("%H:%M:%S"), who, f"{event['event']}: {event['message']}", flush=True)
            if words := act(event, options.folder):
                acts.put_nowait(words)


def act(event: Event, folder: Path) -> list[str]:
    """Return the command that an event calls for, none for most."""
    which = ["--env", event["environment"], "--model", event.get("model", ""), "--delivery", event.get("delivery", "")]
    if event["event"] == "aborted":
        return ["scripts.auto_revert", *which, "--reason", event["message"]]
    if event["event"] == "completed":
        host, port = json.loads((folder / "state.json").read_text())["gateway"]
        return ["scripts.healthy", *which, "--gateway", f"{host}:{port}", *(["--first"] if event["first"] else [])]
    return []


async def perform(options: argparse.Namespace, acts: asyncio.Queue[list[str]], events: asyncio.Queue[Event]) -> None:
    """Run one act after the other in a fresh clone of the remote, as a workflow would; what it says is an event."""
    while True:
        words = await acts.get()
        try:
            lines = await run(words, options) if options.acts else ["not done: this clone is only read (--remote)"]
        except Problem as problem:
            lines = problem.lines
        for line in [f"python -m {shlex.join(words)}", *lines]:
            events.put_nowait({"event": "act", "time": time.time(), "environment": options.env, "message": line})


async def run(words: Sequence[str], options: argparse.Namespace) -> list[str]:
    """Return what `python -m words` says, and its exit code if that is not 0. Raises Problem without a clone."""
    folder: Path = options.folder
    clone, log = folder / "act", folder / "act.log"
    shutil.rmtree(clone, ignore_errors=True)
    log.unlink(missing_ok=True)
    where = ["--branch", options.branch, options.remote, str(clone)]
    await asyncio.to_thread(git.git, folder, "clone", "--quiet", *where)
    path = f"{process.ROOT / '.tools'}{os.pathsep}{os.environ.get('PATH', '')}"  # a kustomize of this clone's own
    child = await process.start([sys.executable, "-m", *words], log, {"PATH": path}, clone)
    try:
        code = await child.wait()
    finally:
        process.kill(child)
    return log.read_text().splitlines() + ([f"exit code {code}"] if code else [])


if __name__ == "__main__":
    raise SystemExit(main())
