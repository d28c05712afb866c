"""The moves that acts share: propose, merge, promote, wait for what git or the gateway says."""

import json
import re
import time
from pathlib import Path
from typing import Any

from fledge import git, project, release
from fledge.client import golden
from fledge.problems import Problem
from fledge.release import Files, history, render
from scripts.demo import traffic
from scripts.demo.stage import Story

RATE = 120  # requests a second, half REST, half gRPC
MONTHS = ["2013-08", "2013-09", "2013-10", "2013-11", "2013-12"]
LOOK, LOOKS, TOLERANCE = "1s", 150, "0.05"
QUICK = f"""  - target:
      kind: AnalysisTemplate
      name: judge
    patch: |-
      - {{op: replace, path: /spec/metrics/0/interval, value: {LOOK}}}
      - {{op: replace, path: /spec/metrics/0/count, value: {LOOKS}}}
      - {{op: replace, path: /spec/metrics/0/inconclusiveLimit, value: {LOOKS - 1}}}
      - {{op: replace, path: /spec/args/5/value, value: "{TOLERANCE}"}}
"""


def own(story: Story) -> None:
    """What an owner does first: name a remote; and what a demo may: look more often, tolerate more."""
    stage = story.stage
    config = stage.clone / ".dvc" / "config"
    config.write_text(re.sub(r"url = .*", f"url = {stage.folder / 'remote'}", config.read_text()))
    for environment in ("staging", "production"):
        file = stage.clone / "manifests" / "environments" / environment / "kustomization.yaml"
        file.write_text(file.read_text() + QUICK)
    git.git(stage.clone, "config", "user.name", "A Person")
    git.git(stage.clone, "config", "user.email", "person@example.com")
    git.git(stage.clone, "add", ".")
    git.git(stage.clone, "commit", "--quiet", "-m", "Start from the template")
    git.git(stage.clone, "push", "--quiet", "-u", "origin", "main")
    stage.say(
        f"    the judge looks every {LOOK} and tolerates {float(TOLERANCE):.0%} bad requests (shipped: 10 s, 1 %)"
    )


def rehearse(story: Story, environment: str, *more: str) -> None:
    """Start an environment's rehearsal, which follows origin's main from now on."""
    stage = story.stage
    folder = stage.folder / environment
    arguments = ["--env", environment, "--remote", str(stage.origin), "--folder", str(folder), *more]
    stage.start(environment, "scripts.rehearse", *arguments)
    stage.wait(f"{environment}'s gateway answers", lambda: story.state(environment) or None)


def users(story: Story) -> None:
    """From now on the rows of August to December are replayed through production's Envoy."""
    stage = story.stage
    host, port = story.state("production")["gateway"]
    names = project.load(stage.clone).environment("production").hostnames(story.model)
    rows = [str(stage.clone / "data" / story.model / f"{month}.parquet") for month in MONTHS]
    stage.start(
        "users", "fledge.client.replay", "--rows", *rows, "--model", story.model, "--address", f"{host}:{port}",
        "--rest-host", names["rest"], "--grpc-host", names["grpc"], "--rate", str(RATE), "--log", str(story.log),
    )  # fmt: skip
    stage.wait(f"{RATE} requests a second", lambda: traffic.answers(story.log) or None)


def change(story: Story, branch: str, key: str, value: str, message: str) -> None:
    """A data scientist's change: one training parameter on a branch, trained and committed."""
    run = story.stage.run
    run(f"git switch -q -c {branch} main")
    run(f"sed -i -E 's/^(  {key}:) [^#]*/\\1 {value} /' models/{story.model}/params.yaml")
    run("make train")
    run(f"git commit -q -am '{message}' && git log -1 --format='%h %s'")


def propose(story: Story, branch: str) -> None:
    """Release on `branch` what was trained there, and merge it."""
    story.stage.run(f"make release MODEL={story.model}")
    merge(story, branch)


def merge(story: Story, branch: str) -> float:
    """Merge what passes the verb that the required check runs; when the commit went to main, in seconds."""
    story.stage.run("make gates-pass")
    story.stage.run(
        f"git switch -q main && git pull -q --ff-only --tags && git merge -q --no-ff -m 'Merge {branch}' {branch}"
    )
    landed = time.time()
    story.stage.run("git push -q origin main && git log -1 --format='%h %s'")
    return landed


def promote(story: Story, version: str) -> str:
    """Promote to production by a merged branch; the delivery."""
    story.stage.run(f"git switch -q main && git pull -q --ff-only --tags && git switch -q -c promote-{version}")
    story.stage.run(f"make promote MODEL={story.model} TO=production")
    merge(story, f"promote-{version}")
    rendered = story.stage.clone / story.files("production").rendered
    return render.delivered(rendered.read_text(), rendered)[0]


def healthy(story: Story, environment: str, version: str) -> None:
    """Wait for the healthy tag that the app pushes."""
    stage, files = story.stage, story.files(environment)
    tags = f"refs/tags/{history.tag_name(files, version, '*')}"

    def tag() -> str | None:
        return git.git(stage.origin, "for-each-ref", "--format=%(refname:short)", tags) or None

    found = stage.wait(f"{files.who} {version} becomes healthy", tag, 240)
    git.git(stage.clone, "fetch", "--quiet", "--tags", "origin")
    stage.say(f"    tag [bold]{found}[/]")


def denied(story: Story, delivery: str) -> str | None:
    """The cause, once origin's main denies `delivery` in production and holds another one."""
    files, origin = story.files("production"), story.stage.origin
    causes = [d.cause for d in history.denied_at(origin, files, "main") if d.delivery == delivery]
    held = git.show(origin, "main", files.rendered)
    return causes[0] if causes and held and render.delivered(held, files.rendered)[0] != delivery else None


def serving(story: Story, version: str) -> bool | None:
    """True once the last fifty gRPC answers of production all came from `version`."""
    recent = [one.number for one in traffic.latest(story.log, since=time.time() - 2) if one.number is not None]
    return True if len(recent) >= 50 and set(recent[-50:]) == {release.number(version)} else None


def show_canary(story: Story, version: str) -> None:
    """What production's canary of a version went through: weights and verdicts."""
    events = story.stage.folder / "production" / "events.jsonl"
    for line in events.read_text().splitlines():
        event: dict[str, Any] = json.loads(line)
        if event["event"] in ("weights", "verdict", "aborted", "completed") and event.get("version") == version:
            story.stage.say(f"    {event['event']}: {event['message']}")


def answered(story: Story, files: Files) -> int:
    """TensorFlow Serving's number of the version that answers gRPC through an environment's Envoy."""
    host, port = story.state(files.environment)["gateway"]
    names = project.load(story.stage.clone).environment(files.environment).hostnames(files.model)
    return golden.version(f"{host}:{port}", names["grpc"], files.model)


def serving_folders(story: Story, files: Files) -> list[Path]:
    """The artifact folder of each ready pod of the delivery that production or staging serves."""
    state = story.state(files.environment)
    stable = state["models"][files.model]["stable"]
    pods = [pod for pod in state["pods"] if pod["ready"] and (pod["model"], pod["hash"]) == (files.model, stable)]
    if not pods:
        raise Problem(f"demo: {files.who} has no ready pod, expected some")
    return [Path(folder) for pod in pods for folder in pod["artifacts"]]
