"""fledge.rehearsal.node with small Python programs as containers."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fledge.rehearsal.node import Node, Pod, delay
from tests.rehearsal.waiting import until

SERVER = """
import http.server, signal, sys, time
def end(number, frame):
    print("SIGTERM", time.time(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("started", time.time(), sys.argv[1:], flush=True)
port = int(sys.argv[1].removeprefix("--port="))
http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"

Scene = Callable[[Node], Awaitable[None]]


def container(program: str, *args: str, name: str = "main", **more: Any) -> dict[str, Any]:
    """A container of the fledge image that runs a Python program."""
    command = ["python", "-c", textwrap.dedent(program)]
    return {"name": name, "image": "example/fledge:1", "command": command, "args": list(args), **more}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod with these containers."""
    return {"metadata": {"name": "web", "namespace": "test"}, "spec": {"containers": list(containers), **spec}}


def served(**more: Any) -> dict[str, Any]:
    """A container that listens on its port 80 and has all three probes."""
    probe = {"tcpSocket": {"port": "web"}, "periodSeconds": 0.05}
    probes = {
        "startupProbe": {**probe, "failureThreshold": 200},
        "readinessProbe": {**probe, "httpGet": {"port": "web"}},
        "livenessProbe": probe,
    }
    return container(SERVER, "--port=80", ports=[{"name": "web", "containerPort": 80}], **probes, **more)


def play(folder: Path, scene: Scene, backoff: float = 0.01) -> list[tuple[str, bool]]:
    """Run `scene` on a node; the (phase, ready) pairs that pods went through."""
    seen: list[tuple[str, bool]] = []

    async def main() -> None:
        node = Node(folder, {}, lambda pod: seen.append((pod.phase, pod.ready)), backoff)
        try:
            await scene(node)
        finally:
            await node.close()

    asyncio.run(main())
    return seen


def log(pod: Pod, container: str = "main") -> str:
    """What a container has printed so far."""
    file = pod.folder / "logs" / f"{container}.log"
    return file.read_text() if file.exists() else ""


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_init_containers_come_first(tmp_path: Path) -> None:
    """Init containers run one after the other, share the pod's volume with the rest, and only then containers start."""
    mounts = {"volumeMounts": [{"name": "models", "mountPath": "/models"}]}
    write = "import sys, pathlib; p = pathlib.Path(sys.argv[1].partition('=')[2]); p.open('a').write(sys.argv[2])"
    read = "import sys, pathlib; print(pathlib.Path(sys.argv[1].partition('=')[2]).read_text(), flush=True)"
    inits = [container(write, "--to=/models/x", word, name=f"init-{word}", **mounts) for word in ("one", "two")]

    async def scene(node: Node) -> None:
        manifest = pod(
            container(read, "--to=/models/x", **mounts),
            initContainers=inits,
            volumes=[{"name": "models", "emptyDir": {}}],
            restartPolicy="Never",
        )
        made = node.create(manifest)
        await asyncio.wait_for(made.completed.wait(), 10)
        assert (made.phase, log(made)) == ("Succeeded", "onetwo\n")
        assert (made.folder / "volumes" / "models" / "x").exists()
        node.delete(made)
        await asyncio.wait_for(made.gone.wait(), 10)
        assert not (made.folder / "volumes").exists()

    play(tmp_path, scene)


def test_a_pod_has_its_own_tmp(tmp_path: Path) -> None:
    """Temporary files of a container that mounts /tmp go to that volume, so that nothing of a pod lies elsewhere."""
    where = "import tempfile; print(tempfile.gettempdir(), flush=True)"
    mounted = container(where, volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}])

    async def scene(node: Node) -> None:
        manifest = pod(mounted, volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}], restartPolicy="Never")
        made = node.create(manifest)
        await asyncio.wait_for(made.completed.wait(), 10)
        assert log(made) == f"{made.folder / 'volumes' / 'tmp'}\n"

    play(tmp_path, scene)


def test_ready_by_probes(tmp_path: Path) -> None:
    """A pod is ready once its probe is answered on the port given to it, and not from the moment it is deleted."""

    async def scene(node: Node) -> None:
        first, second = node.create(pod(served())), node.create(pod(served()) | {"metadata": NAMED})
        await until(lambda: first.ready and second.ready)
        assert first.port("web") == first.port(80) != second.port(80)
        node.delete(first)
        assert not first.ready
        await asyncio.wait_for(first.gone.wait(), 10)
        assert second.ready

    seen = play(tmp_path, scene)
    assert seen.index(("Running", False)) < seen.index(("Running", True))


NAMED = {"name": "other", "namespace": "test"}


def test_termination_waits(tmp_path: Path) -> None:
    """SIGTERM comes after the preStop sleep, and the process may end in its own way."""
    times: list[float] = []

    async def scene(node: Node) -> None:
        made = node.create(pod(served(lifecycle={"preStop": {"sleep": {"seconds": 0.5}}})))
        await until(lambda: made.ready)
        clock = asyncio.get_running_loop().time
        before = clock()
        node.delete(made)
        await until(lambda: "SIGTERM" in log(made))
        times.append(clock() - before)
        await asyncio.wait_for(made.gone.wait(), 10)
        assert made.phase == "Succeeded"  # exit code 0: it was not killed

    play(tmp_path, scene)
    assert times[0] >= 0.5


def test_grace_period_ends(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed when the grace period is over, not before."""
    times: list[float] = []

    async def scene(node: Node) -> None:
        made = node.create(pod(container(STUBBORN), terminationGracePeriodSeconds=2.3))
        await until(lambda: "up" in log(made))
        clock = asyncio.get_running_loop().time
        before = clock()
        node.delete(made)
        await asyncio.wait_for(made.gone.wait(), 10)
        times.append(clock() - before)
        assert made.phase == "Failed"

    play(tmp_path, scene)
    assert 2.3 <= times[0] < 5


def test_crashed_containers_are_restarted(tmp_path: Path) -> None:
    """A container that exits is started again, in the same folder and with the same port."""

    async def scene(node: Node) -> None:
        made = node.create(pod(container("print('again', flush=True); raise SystemExit(3)")))
        await until(lambda: log(made).count("again") >= 3 and made.restarts >= 3)
        assert made.phase == "Running"

    play(tmp_path, scene)


def test_backoff_grows() -> None:
    """The first restart is immediate, the second waits for the backoff, later ones for twice as long, up to 5 min."""
    assert [delay(failures, 10) for failures in range(1, 9)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_restarts_wait_for_the_backoff(tmp_path: Path) -> None:
    """Between the end of a container and its second restart there is the whole backoff."""
    crash = container("import time; print(time.time(), flush=True); raise SystemExit(3)")
    starts: list[float] = []

    async def scene(node: Node) -> None:
        made = node.create(pod(crash))
        await until(lambda: log(made).count("\n") >= 3)
        starts.extend(map(float, log(made).split()[:3]))

    play(tmp_path, scene, backoff=1)
    assert starts[2] - starts[1] >= 1


def test_failing_liveness_restarts(tmp_path: Path) -> None:
    """A container whose liveness probe fails often enough is ended and started again."""
    dead = {"tcpSocket": {"port": 81}, "periodSeconds": 0.05, "failureThreshold": 2}

    async def scene(node: Node) -> None:
        ports = {"ports": [{"containerPort": 80}, {"containerPort": 81}]}
        up = {"tcpSocket": {"port": 80}, "periodSeconds": 0.05, "failureThreshold": 200}
        made = node.create(pod(container(SERVER, "--port=80", **ports, startupProbe=up, livenessProbe=dead)))
        await until(lambda: made.restarts >= 1 and log(made).count("started") >= 2)
        assert "SIGTERM" in log(made)

    play(tmp_path, scene)


def test_init_failure_fails_a_job(tmp_path: Path) -> None:
    """With restartPolicy Never a failing init container fails the pod, and its container never starts."""

    async def scene(node: Node) -> None:
        inits = [container("raise SystemExit(1)", name="init")]
        made = node.create(pod(container("print('here')"), initContainers=inits, restartPolicy="Never"))
        await asyncio.wait_for(made.completed.wait(), 10)
        assert (made.phase, log(made)) == ("Failed", "")

    play(tmp_path, scene)


def test_what_cannot_run_says_why(tmp_path: Path) -> None:
    """A pod with an image or a volume that this machine cannot give stays Pending with the reason."""

    async def scene(node: Node) -> None:
        image = node.create(pod({"name": "web", "image": "nginx:1"}))
        volume = node.create(pod(served(), volumes=[{"name": "key", "secret": {}}]) | {"metadata": NAMED})
        await until(lambda: image.reason and volume.reason)
        assert image.phase == volume.phase == "Pending"
        assert "found image nginx:1" in image.reason
        assert "found volume key of secret, expected emptyDir" in volume.reason

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("change", "reason"),
    {
        "probe": (
            {"readinessProbe": {"tcpSocket": {"port": "rest"}}},
            "main: found a probe of port rest, expected one of its ports: 80, web (ports)",
        ),
        "port": ({"ports": [{"name": "web"}]}, "main: found a port without containerPort, expected its number (ports)"),
        "mount": (
            {"volumeMounts": [{"name": "models", "mountPath": "/models"}]},
            "main: found volumeMounts models, expected of none (volumes)",
        ),
        "image": ({"image": None}, "found AttributeError("),
        "probe's port": ({"livenessProbe": {"tcpSocket": {}}}, "found KeyError('port'), expected a pod (manifest)"),
    }.values(),
    ids=["probe", "port", "mount", "image", "probe without port"],
)
def test_a_malformed_pod_says_why(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """A pod that lacks a part, or names one that it has not, stays Pending with the reason."""

    async def scene(node: Node) -> None:
        made = node.create(pod(served() | change))
        await asyncio.wait_for(made.completed.wait(), 10)
        assert made.phase == "Pending"
        assert made.reason.startswith(reason)

    play(tmp_path, scene)


def test_closing_leaves_nothing(tmp_path: Path) -> None:
    """Closing the node ends every process at once, also those that ignore SIGTERM and their children."""
    child = "import os, subprocess, sys; print(os.getpid(), subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid,"
    pids: list[int] = []

    async def scene(node: Node) -> None:
        made = node.create(pod(container(f"{child} flush=True); import time; time.sleep(60)", STUBBORN)))
        await until(lambda: log(made).count("\n") >= 2)
        pids.extend(map(int, log(made).splitlines()[0].split()))
        assert all(map(alive, pids))

    play(tmp_path, scene)
    assert len(pids) == 2
    assert not alive(pids[0])
    asyncio.run(until(lambda: not alive(pids[1])))  # the grandchild is init's to bury


def test_kill_9_leaves_nothing(tmp_path: Path) -> None:
    """When the rehearsal is killed with SIGKILL, its containers die too."""
    program = f"""
    import asyncio, pathlib, sys
    from fledge.rehearsal.node import Node
    async def main():
        Node(pathlib.Path({str(tmp_path)!r}), {{}}, lambda pod: None).create({pod(container(PID))!r})
        await asyncio.sleep(60)
    asyncio.run(main())
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    try:
        file = tmp_path / "test_web" / "logs" / "main.log"
        asyncio.run(until(lambda: file.exists() and file.read_text().endswith("\n")))
        pid = int(file.read_text())
        assert alive(pid)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    asyncio.run(until(lambda: not alive(pid)))


PID = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
