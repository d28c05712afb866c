"""The versions of the configured models: their states, what to load or unload next, and who may use one."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from fledge.artifact.savedmodel import Error, Model
from fledge.serving.errors import error, status_text

State = get_model_status_pb2.ModelVersionStatus


class Servable(NamedTuple):
    """What a request gets: a version that is AVAILABLE for as long as the request holds it."""

    name: str
    number: int
    model: Model


@dataclass
class Version:
    """One version of one model, from the first poll that saw it to the end of the process."""

    name: str
    number: int
    path: Path
    aspired: bool = True
    state: int = State.START
    failure: Error | None = None
    model: Model | None = None
    users: int = 0


class Action(NamedTuple):
    """The next thing to do with a version."""

    verb: Literal["load", "unload"]
    version: Version


def next_action(versions: Collection[Version]) -> Action | None:
    """Choose as TensorFlow Serving's AvailabilityPreservingPolicy does, for the versions of one model.

    A version that failed never costs the last good one its place.
    """
    ready = [version for version in versions if version.state == State.AVAILABLE]
    retired = sorted((version for version in ready if not version.aspired), key=lambda version: version.number)
    aspired = [version for version in versions if version.aspired]
    if retired and (not aspired or len(retired) > 1 or len(ready) > len(retired)):
        return Action("unload", retired[0])
    new = [version for version in aspired if version.state == State.START]
    return Action("load", max(new, key=lambda version: version.number)) if new else None


class Models:
    """All versions of all models. Requests use it from many threads; one thread polls and steps."""

    def __init__(self, names: Collection[str], load: Callable[[str, Path], Model]) -> None:
        self._versions: dict[str, dict[int, Version]] = {name: {} for name in names}
        self._load = load
        self._changed = threading.Condition()

    def aspire(self, wanted: Mapping[str, Mapping[int, Path]]) -> None:
        """Take the outcome of a poll. A version that had ended starts anew only if it had ceased to be aspired."""
        with self._changed:
            for name, paths in wanted.items():
                known = self._versions[name]
                for number, path in paths.items():
                    if number not in known or (not known[number].aspired and known[number].state == State.END):
                        known[number] = Version(name, number, path)
                for number, version in known.items():
                    version.aspired = number in paths

    def step(self) -> bool:
        """Load or unload one version. Return False if there is nothing to do; unloading comes before loading."""
        with self._changed:
            chosen = [next_action(versions.values()) for versions in self._versions.values()]
        actions = sorted(filter(None, chosen), key=lambda action: action.verb == "load")
        if not actions:
            return False
        verb, version = actions[0]
        if verb == "load":
            self._bring(version)
        else:
            self._drop(version)
        return True

    def _bring(self, version: Version) -> None:
        self._set(version, State.LOADING)
        try:
            version.model = self._load(version.name, version.path)
        except Error as failure:
            version.failure = failure
            self._set(version, State.END)
            return
        self._set(version, State.AVAILABLE)

    def _drop(self, version: Version) -> None:
        self._set(version, State.UNLOADING)
        with self._changed:
            self._changed.wait_for(lambda: not version.users)
        if version.model is not None:
            version.model.close()
        version.model = None
        self._set(version, State.END)

    def _set(self, version: Version, state: int) -> None:
        with self._changed:
            version.state = state

    def pending(self) -> bool:
        """Say whether some model waits for its first AVAILABLE version. Raise UNKNOWN if one can have none."""
        with self._changed:
            waiting = [
                list(versions.values())
                for versions in self._versions.values()
                if not any(version.state == State.AVAILABLE for version in versions.values())
            ]
        lost = [versions for versions in waiting if versions and all(version.failure for version in versions)]
        if lost:
            failed = ", ".join(_failure_text(version) for versions in lost for version in versions)
            raise error("UNKNOWN", f"{len(lost)} servable(s) did not become available: {{{failed}, }}")
        return bool(waiting)

    def statuses(self, name: str) -> list[Version]:
        """Return all versions ever seen of a model, the highest first."""
        with self._changed:
            return sorted(self._versions.get(name, {}).values(), key=lambda version: -version.number)

    @contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Hold the version that a request asks for, the highest AVAILABLE one by default.

        Raise INVALID_ARGUMENT without a name or with a label (none is ever assigned), NOT_FOUND if none is AVAILABLE.
        """
        version = self._acquire(spec)
        try:
            assert version.model is not None
            yield Servable(version.name, version.number, version.model)
        finally:
            with self._changed:
                version.users -= 1
                self._changed.notify_all()

    def _acquire(self, spec: model_pb2.ModelSpec) -> Version:
        if not spec.name:
            raise error("INVALID_ARGUMENT", "ModelSpec has no name specified.")
        if spec.HasField("version_label"):
            raise error("INVALID_ARGUMENT", f"Unrecognized servable version label: {spec.version_label}")
        number = spec.version.value if spec.HasField("version") else None
        with self._changed:
            for version in self.statuses(spec.name):
                if version.state == State.AVAILABLE and number in (None, version.number):
                    version.users += 1
                    return version
        wanted = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
        raise error("NOT_FOUND", f"Servable not found for request: {wanted}")


def _failure_text(version: Version) -> str:
    assert version.failure is not None
    return f"{{{{name: {version.name} version: {version.number}}} due to error: {status_text(version.failure)}}}"
