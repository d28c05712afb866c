"""A whole rehearsal: real pods, real Envoy, the real judge, and git that is put right by itself."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fledge import git
from fledge.hashing import dvc_directory, tree_sha256
from fledge.problems import Problem
from fledge.rehearsal.rehearsal import artifacts
from fledge.release import Artifact, Files, history, render
from scripts.rehearse import act, fault, main
from tests.conftest import ROOT, Repository, a_release
from tests.fetch.test_fetch import pushed
from tests.rehearsal.waiting import until
from tests.serving import examples

FILES = Files("production", "delays")
# More patches for the end of the environment's kustomization.yaml.
QUICK = """
  - target: {kind: AnalysisTemplate, name: judge}
    patch: |-
      - {op: replace, path: /spec/metrics/0/interval, value: 500ms}
      - {op: replace, path: /spec/args/5/value, value: "0.05"}
  - target: {kind: Rollout}
    patch: |-
      - {op: replace, path: /spec/strategy/canary/abortScaleDownDelaySeconds, value: 1}
"""
GOLDEN = {"name": "two", "kind": "golden", "inputs": {"x": [[2.0]]}, "expect": {"range": {"y": [3.0, 4.0]}}}


@contextmanager
def rehearsing(repository: Repository, folder: Path, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m scripts.rehearse` of the repository's origin; killed at the end if it is still there."""
    remote = git.git(repository.root, "remote", "get-url", "origin")
    words = ["--env", "production", "--remote", remote, "--folder", str(folder), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = (folder.parent / "rehearse.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.rehearse", *words], cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


def propose(repository: Repository, version: str, artifact: Path, remote: Path) -> str:
    """Bring a release of a real artifact to production, healthy in staging as its tag says; the delivery."""
    md5, sha256 = pushed(remote, artifact), tree_sha256(artifact)
    wanted = a_release(version).model_copy(update={"artifact": Artifact(md5=md5, sha256=sha256, size=1)})
    for files in (Files("staging", "delays"), FILES):
        render.write(repository.root, files, wanted)
        repository.commit(f"{files.who} {version}", files.release, files.rendered)
        delivery = render.delivered((repository.root / files.rendered).read_text())[0]
        if files != FILES:
            git.git(repository.root, "tag", history.tag_name(files, version, delivery))
    repository.push()
    return delivery


def owned(repository: Repository, remote: Path) -> None:
    """Give the repository a remote of artifacts, golden requests, and a judge that looks often."""
    config, environment = ".dvc/config", "manifests/environments/production/kustomization.yaml"
    repository.fetched_from(str(remote))
    (repository.root / environment).write_text((repository.root / environment).read_text() + QUICK)
    (repository.root / "models/delays/requests.jsonl").write_text(json.dumps(GOLDEN) + "\n")
    repository.commit("Own it", config, environment, "models/delays/requests.jsonl")
    repository.push()


def descendants(pid: int) -> set[int]:
    """The processes that a process started, and those that they started."""
    found: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
    family = {pid}
    while more := {child for child, parent in found.items() if parent in family} - family:
        family |= more
    return family - {pid}


def state(folder: Path) -> dict[str, Any]:
    """What the rehearsal says of itself."""
    path = folder / "state.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


async def users(folder: Path, seen: list[int]) -> None:
    """Ask for predictions by REST, 100 a second at most, until cancelled; the HTTP codes go to `seen`."""
    host, port = state(folder)["gateway"]
    url, headers = f"http://{host}:{port}/v1/models/delays:predict", {"Host": "delays.example.com"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            async with session.post(url, json={"instances": [{"x": [2.0]}]}) as answer:
                await answer.read()
                seen.append(answer.status)
            await asyncio.sleep(0.01)


def test_a_fault_in_production_is_reverted(
    repository: Repository,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release of which half the predictions fail is aborted, denied and reverted in git, and Ctrl-C leaves no process."""
    monkeypatch.chdir(ROOT)
    models = examples.build(tmp_path_factory.getbasetemp())
    folder, remote, codes = tmp_path / "production", tmp_path / "remote", list[int]()
    owned(repository, remote)
    good = propose(repository, "1.0.0", models / "half" / "1", remote)

    async def scene() -> set[int]:
        tag = f"healthy/production/delays/1.0.0-{good}"
        origin = Path(git.git(repository.root, "remote", "get-url", "origin"))
        await until(lambda: git.exists(origin, f"refs/tags/{tag}"), 60)
        asking = asyncio.create_task(users(folder, codes))
        bad = propose(repository, "1.1.0", models / "half" / "2", remote)
        await until(lambda: git.show(origin, "main", FILES.denied), 90)
        await until(lambda: state(folder)["models"]["delays"]["current"] == state(folder)["models"]["delays"]["stable"])
        asking.cancel()
        (denial,) = history.denied_at(origin, FILES, "main")
        assert (denial.delivery, denial.version) == (bad, "1.1.0")
        assert "failed (1) > failureLimit (0)" in denial.cause
        assert render.delivered(str(git.show(origin, "main", FILES.rendered)))[0] == good
        await until(lambda: {pod["version"] for pod in state(folder)["pods"] if pod["ready"]} == {"1.0.0"}, 30)
        artifacts = [artifact for pod in state(folder)["pods"] if pod["ready"] for artifact in pod["artifacts"]]
        assert [dvc_directory(Path(artifact))[0] for artifact in artifacts] == 2 * [
            dvc_directory(models / "half" / "1")[0]
        ]
        return descendants(process.pid)

    with rehearsing(repository, folder, "--fault", "delays/1.1.0=0.5") as process:
        children = asyncio.run(scene())
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    assert len(children) >= 4  # Envoy, the judge, two servers
    asyncio.run(until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children)))
    assert set(codes) == {200, 500}
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [(e["event"], e["version"]) for e in events if e["event"] in ("aborted", "completed")] == [
        ("completed", "1.0.0"),
        ("aborted", "1.1.0"),
    ]


def test_kill_9_leaves_nothing(repository: Repository, tmp_path: Path) -> None:
    """A rehearsal that is killed with SIGKILL takes Envoy and the judge with it."""
    folder = tmp_path / "production"
    with rehearsing(repository, folder) as process:
        asyncio.run(until(lambda: state(folder), 30))
        children = descendants(process.pid)
        assert len(children) >= 2  # and perhaps a git that looks at the remote
    asyncio.run(until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children)))


def test_artifacts(tmp_path: Path) -> None:
    """A pod's artifacts are what it has fetched; a folder that is still being fetched is not one and may vanish."""
    whole, part = (tmp_path / "volumes/models/delays" / name for name in ("1000000", ".fetch-x"))
    for folder in (whole, part):
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()
    assert artifacts(tmp_path) == [str(whole)]
    assert artifacts(tmp_path / "none") == []


def test_acts(tmp_path: Path) -> None:
    """An abort calls for the revert with its reason, a completion for the healthy tag, anything else for nothing."""
    (tmp_path / "state.json").write_text(json.dumps({"gateway": ["127.0.0.1", 20000]}))
    event = {"environment": "production", "model": "delays", "delivery": "d" * 12, "message": "why", "first": True}
    which = ["--env", "production", "--model", "delays", "--delivery", "d" * 12]
    reverted = ["scripts.auto_revert", *which, "--reason", "why"]
    assert act({**event, "event": "aborted"}, tmp_path) == reverted
    tagged = ["scripts.healthy", *which, "--gateway", "127.0.0.1:20000"]
    assert act({**event, "event": "completed"}, tmp_path) == [*tagged, "--first"]
    assert act({**event, "event": "completed", "first": False}, tmp_path) == tagged
    assert act({**event, "event": "weights"}, tmp_path) == []


@pytest.mark.parametrize("text", ["delays=0.2", "delays/1.0.0", "delays/1.0.0=2", "delays/1.0.0=much", "/1.0.0=0.1"])
def test_a_wrong_fault_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that cannot be read is refused before anything starts, with what was expected."""
    assert main(["--env", "production", "--fault", text]) == 1
    expected = "expected MODEL/VERSION=SHARE with a share from 0 to 1 (--fault)"
    assert capsys.readouterr().err == f"rehearse: found --fault {text}, {expected}\n"
    with pytest.raises(Problem):
        fault(text)


def test_an_unknown_environment_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An environment or a model that project.yaml lacks is refused before anything starts."""
    assert main(["--env", "moon"]) == 1
    assert main(["--env", "production", "--fault", "nobody/1.0.0=0.1"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("moon: no such environment, expected one of staging, production")
    assert second.startswith("nobody: no such model, expected one of ")
