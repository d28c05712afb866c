"""What the model's server must be: told what it knows, proving that its model answers, and leaving without a failed request."""

import math
from collections.abc import Iterator
from typing import Any

from fledge.flags import parse
from fledge.rules.documents import Document, Pair, at
from fledge.rules.pods import SOURCE

FLAGS = {  # TensorFlow Serving's main.cc: look for models once, load beside what serves, try once
    "file_system_poll_wait_seconds": "0",
    "num_load_threads": "2",
    "num_unload_threads": "1",
    "max_num_load_retries": "0",
}
# The fewest; the first two at most the CPUs. Where nothing is said all follow from the node's cores (TensorFlow Serving: main.cc).
THREADS = {"tensorflow_intra_op_parallelism": 1, "tensorflow_inter_op_parallelism": 1, "rest_api_num_threads": 2}


def artifact_fixed(pair: Pair) -> Iterator[str]:
    """The server cannot write to the artifact that was verified."""
    for one in serving(pair):
        for mount in one.get("volumeMounts", []):
            if mount["mountPath"] == argument(pair, "to") and mount.get("readOnly") is not True:
                yield pair.line(
                    f"{one['name']} may write to {mount['mountPath']}", "readOnly: true", f"{SOURCE}: volumeMounts"
                )


def probed(pair: Pair) -> Iterator[str]:
    """The server is probed at start, for traffic and for life; the model's own answer lets traffic in."""
    path = f"/v1/models/{pair.files.model}/versions/{argument(pair, 'number')}/metadata"
    for one in serving(pair):
        for probe in {"startupProbe", "readinessProbe", "livenessProbe"} - one.keys():
            yield pair.line(f"{one['name']} has no {probe}", "one", SOURCE)
        for probe in ("startupProbe", "readinessProbe"):
            if (found := at(one, f"{probe}.httpGet.path")) != path:
                yield pair.line(f"the {probe} asks {found}", path, f"{SOURCE}: {probe}")
        if "httpGet" in one.get("livenessProbe", {}):
            expected = "tcpSocket: a model that fails is no reason to kill its server"
            yield pair.line("the livenessProbe asks the model", expected, f"{SOURCE}: livenessProbe")


def drains(pair: Pair) -> Iterator[str]:
    """Endpoints leave before the server does, and requests that it has are answered."""
    pod = pair.template["spec"]
    grace = pod.get("terminationGracePeriodSeconds", 30)
    for one in serving(pair):
        waits = at(one, "lifecycle.preStop.sleep.seconds") or 0
        if not 5 <= waits < grace:
            found = f"{one['name']} waits {waits} s of {grace} s before it stops"
            yield pair.line(found, "5 s or more, and less than the grace period", f"{SOURCE}: lifecycle")


def flags(pair: Pair) -> Iterator[str]:
    """The server looks for its model once, a load that fails holds up nothing, and it knows every flag that it is given."""
    where = f"{SOURCE}: args"
    for one in serving(pair):
        for flag, value in FLAGS.items():
            if (found := given(one).get(flag)) != value:
                yield pair.line(f"--{flag} is {found}", value, where)
        try:
            unknown = parse(one.get("args", []))[2]
        except ValueError as error:
            yield pair.line(str(error), "a value of that flag's type", where)
        else:
            yield from (
                pair.line(f"{one['name']} is given {word}", "--<flag>=<value> that it knows", where) for word in unknown
            )


def threads_bounded(pair: Pair) -> Iterator[str]:
    """The server's threads follow from its CPU limit, not from the node's cores, and REST has more than one."""
    for one in serving(pair):
        cores = cpus(at(one, "resources.limits.cpu") or 0)
        for flag, least in THREADS.items():
            found = given(one).get(flag, "")
            most = math.inf if least > 1 else max(1, math.floor(cores))
            if not (found.isdecimal() and least <= int(found) <= most):
                expected = f"from {least} to {most}" if least == 1 else f"at least {least}"
                yield pair.line(
                    f"--{flag} is {found or 'not said'}", f"{expected} with {cores:g} CPUs", f"{SOURCE}: args"
                )


def given(container: Document) -> dict[str, str]:
    """The flags of a container, by name."""
    return dict(flag.removeprefix("--").partition("=")[::2] for flag in container.get("args", []))


def cpus(amount: Any) -> float:
    """CPUs as Kubernetes writes them: 2, "2", "500m"."""
    text = str(amount)
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def serving(pair: Pair) -> list[Document]:
    """The containers beside fetch: the model's server."""
    return list(pair.template["spec"]["containers"])


def argument(pair: Pair, name: str) -> str:
    """What the init container that fetches is told as `--name=…`."""
    for one in pair.template["spec"].get("initContainers", []):
        for word in one.get("args", []):
            if word.startswith(f"--{name}="):
                return str(word.partition("=")[2])
    return ""
