"""What a pod's command means on this machine: one table of programs, one of flags."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fledge.problems import Problem

Share = float | None

# (image, first words of the command) → what runs instead.
PROGRAMS: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {
    ("tensorflow/serving", ("tensorflow_model_server",)): (sys.executable, "-m", "fledge.serving"),
    ("fledge", ("python",)): (sys.executable,),
    ("fledge-replay", ("python",)): (sys.executable,),
}
FAULTY = (sys.executable, "-m", "fledge.rehearsal.fault")


@dataclass(frozen=True)
class Place:
    """Where a pod's things are here: containerPort → port, mountPath → folder, `service:port` → `host:port`."""

    ports: Mapping[int, int] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def _port(place: Place, value: str) -> str:
    return str(place.ports.get(int(value), value)) if value.isdecimal() else value


def _path(place: Place, value: str) -> str:
    path = PurePosixPath(value)
    for mount in sorted(place.mounts, key=len, reverse=True):
        if path.is_relative_to(mount):
            return str(PurePosixPath(place.mounts[mount]) / path.relative_to(mount))
    return value


def address(place: Place, value: str) -> str:
    """Return `value`, a `host:port` or a URL, with the name of a Service replaced by where it listens."""
    return re.sub(r"^((?:\w+://)?)([^/]+)", lambda m: m[1] + place.names.get(m[2], m[2]), value)


# flag → how its values are rewritten. No other argument changes.
FLAGS: dict[str, Callable[[Place, str], str]] = {
    "--port": _port,
    "--rest_api_port": _port,
    "--model_config_file": _path,
    "--monitoring_config_file": _path,
    "--batching_parameters_file": _path,
    "--model_base_path": _path,
    "--to": _path,
    "--rows": _path,
    "--log": _path,
    "--address": address,
    "--until": address,
}


def arguments(place: Place, words: Iterable[str]) -> list[str]:
    """Rewrite the values of the table's flags, written as `--flag=value` or as `--flag value [value …]`."""
    rewritten, current = [], None
    for word in words:
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            rewritten.append(current(place, word) if current else word)
        elif equals and flag in FLAGS:
            rewritten.append(f"{flag}={FLAGS[flag](place, value)}")
        else:
            rewritten.append(word)
        if word.startswith("--"):
            current = None if equals else FLAGS.get(flag)
    return rewritten


def command(place: Place, container: Mapping[str, Any], share: Share = None) -> list[str]:
    """Return the argv of a container; with `share`, of the server that fails that share of its predictions.

    Raises Problem for an image or a command that this machine has no program for.
    """
    words = [*container.get("command", ()), *container.get("args", ())]
    program, rest = _program(container, words)
    if share is not None and program[-1] == "fledge.serving":
        program, rest = FAULTY, [f"--share={share}", "--", *rest]
    return [*program, *arguments(place, rest)]


def _program(container: Mapping[str, Any], words: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    image = repository(container["image"])
    for (known, first), program in PROGRAMS.items():
        if (image == known or image.endswith("/" + known)) and tuple(words[: len(first)]) == first:
            return program, list(words[len(first) :])
    expected = ", ".join(f"{known} with {' '.join(first)}" for known, first in PROGRAMS)
    raise Problem(
        f"{container['name']}: found image {container['image']} with command {' '.join(words[:1]) or '(none)'}, "
        f"expected one of {expected} (fledge/rehearsal/rewrite.py: PROGRAMS)"
    )


def repository(image: str) -> str:
    """Return an image's name without tag and digest: `host:5000/a/b:1@sha256:…` → `host:5000/a/b`."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]
