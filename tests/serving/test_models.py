"""The life of versions, with models that only pretend to load."""

import threading
from pathlib import Path
from typing import Any

import pytest

from fledge.artifact.savedmodel import Error
from fledge.serving.errors import error
from fledge.serving.models import Models, State

# isort: split

from tensorflow_serving.apis import model_pb2


class Pretended:
    """A model that notes whether it was closed."""

    closed = False

    def close(self) -> None:
        """Note it."""
        self.closed = True


def load(name: str, path: Path) -> Any:
    """Load everything but a folder called broken."""
    if path.parent.name == "broken":
        raise error("DATA_LOSS", "half a file")
    return Pretended()


def paths(*numbers: int, folder: str = "m") -> dict[int, Path]:
    """Version folders."""
    return {number: Path("/", folder, str(number)) for number in numbers}


def settled(models: Models) -> list[dict[int, str]]:
    """The states of m after each step until nothing is left to do."""
    seen = []
    while models.step():
        seen.append(states(models))
    return seen


def states(models: Models) -> dict[int, str]:
    """The state of each version of m."""
    return {version.number: State.State.Name(version.state) for version in models.statuses("m")}


def spec(number: int | None = None, name: str = "m", label: str = "") -> model_pb2.ModelSpec:
    """What a request names."""
    made = model_pb2.ModelSpec(name=name)
    if number is not None:
        made.version.value = number
    if label:
        made.version_label = label
    return made


def test_the_highest_loads_first() -> None:
    """New versions load from the highest down, one a step, and are listed in that order."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1, 2)})
    assert settled(models) == [{2: "AVAILABLE", 1: "START"}, {2: "AVAILABLE", 1: "AVAILABLE"}]
    assert [version.number for version in models.statuses("m")] == [2, 1]


def test_the_old_version_serves_until_the_new_one_can() -> None:
    """A successor loads before its predecessor is unloaded; the unloaded one stays listed as END."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1)})
    settled(models)
    models.aspire({"m": paths(2)})
    assert settled(models) == [{2: "AVAILABLE", 1: "AVAILABLE"}, {2: "AVAILABLE", 1: "END"}]


def test_a_failed_version_costs_nothing() -> None:
    """A successor that does not load leaves the old version serving and is not tried again while it is aspired."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1)})
    settled(models)
    for _ in range(2):
        models.aspire({"m": paths(2, folder="broken")})
        settled(models)
        assert states(models) == {2: "END", 1: "AVAILABLE"}
    models.aspire({"m": paths(1)})
    models.aspire({"m": paths(2)})
    settled(models)
    assert states(models) == {2: "AVAILABLE", 1: "END"}


def test_nothing_aspired_unloads_all() -> None:
    """An empty base path unloads every version, the lowest first."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1, 2)})
    settled(models)
    models.aspire({"m": {}})
    assert settled(models) == [{2: "AVAILABLE", 1: "END"}, {2: "END", 1: "END"}]


def test_unloading_waits_for_requests() -> None:
    """A version in use is closed only when its last request is done, and takes no new one meanwhile."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1)})
    settled(models)
    with models.use(spec()) as servable:
        models.aspire({"m": {}})
        unloading = threading.Thread(target=models.step)
        unloading.start()
        while states(models) != {1: "UNLOADING"}:
            unloading.join(0.01)
        assert not servable.model.closed  # type: ignore[attr-defined]
        with pytest.raises(Error, match="Servable not found"), models.use(spec()):
            pass
    unloading.join(10)
    assert servable.model.closed  # type: ignore[attr-defined]
    assert states(models) == {1: "END"}


def test_latest_is_the_highest_available() -> None:
    """A request without a version gets the highest one that is AVAILABLE."""
    models = Models(["m"], load)
    models.aspire({"m": {**paths(1, 2), **paths(3, folder="broken")}})
    settled(models)
    with models.use(spec()) as servable:
        assert servable[:2] == ("m", 2)
    with models.use(spec(1)) as servable:
        assert servable.number == 1


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        (spec(name=""), 3, "ModelSpec has no name specified."),
        (spec(label="stable"), 3, "Unrecognized servable version label: stable"),
        (spec(7), 5, "Servable not found for request: Specific(m, 7)"),
        (spec(0), 5, "Servable not found for request: Specific(m, 0)"),
        (spec(name="n"), 5, "Servable not found for request: Latest(n)"),
    ],
)
def test_who_cannot_be_found(wanted: model_pb2.ModelSpec, code: int, message: str) -> None:
    """Each way not to find a version has its code and message."""
    models = Models(["m"], load)
    models.aspire({"m": paths(1)})
    settled(models)
    with pytest.raises(Error) as caught, models.use(wanted):
        pass
    assert (caught.value.error_code, caught.value.message) == (code, message)


def test_the_start_waits_for_every_model() -> None:
    """The start is pending until each model has one AVAILABLE version; a model that can have none ends it."""
    models = Models(["m", "n"], load)
    models.aspire({"m": paths(1), "n": {}})
    settled(models)
    assert models.pending()
    models.aspire({"m": paths(1), "n": paths(2, folder="broken")})
    settled(models)
    with pytest.raises(Error) as caught:
        models.pending()
    assert caught.value.error_code == 2
    assert caught.value.message == (
        "1 servable(s) did not become available: {{{name: n version: 2} due to error: DATA_LOSS: half a file}, }"
    )
    models.aspire({"m": paths(1), "n": paths(3)})
    settled(models)
    assert not models.pending()
