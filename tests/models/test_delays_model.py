"""Tests of models/delays/model.py, through the artifact that the real stage exports from one month of rows."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from fledge.artifact import contract, savedmodel
from fledge.client import golden
from fledge.hashing import dvc_directory
from tests.conftest import ROOT
from tests.workspace import run

CONTRACT = contract.load(ROOT / "models" / "delays" / "contract.yaml")
REQUESTS = [json.loads(line) for line in (ROOT / "models" / "delays" / "requests.jsonl").read_text().splitlines()]
GOLDEN = {line["name"]: line["inputs"] for line in REQUESTS if line["kind"] == "golden"}
FLOATS = [name for name, given in CONTRACT.inputs.items() if given.dtype == "float32"]
STRINGS = [name for name, given in CONTRACT.inputs.items() if given.dtype == "string"]


def train(root: Path, months: Path, **change: object) -> Path:
    """A fresh process that trains delays on January for one epoch; the artifact."""
    shutil.copytree(ROOT / "models", root / "models", ignore=shutil.ignore_patterns("saved_model", "__pycache__"))
    params = YAML().load(root / "models" / "delays" / "params.yaml")
    params["train"] |= {"months": ["2013-01"], "epochs": 1, **change}
    YAML().dump(params, root / "models" / "delays" / "params.yaml")
    (root / "data").symlink_to(months)
    done = run(root, "pipelines.train", "--model", "delays")
    assert done.returncode == 0, done.stderr
    return root / "models" / "delays" / "saved_model"


@pytest.fixture(scope="module")
def artifact(months: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training's artifact."""
    return train(tmp_path_factory.mktemp("first"), months)


@pytest.fixture(scope="module")
def model(artifact: Path) -> savedmodel.Model:
    """The artifact, loaded as the server loads it."""
    return savedmodel.load(artifact)


def ask(model: savedmodel.Model, change: dict[str, Any], base: str = "noon-ordinary") -> float:
    """The probability of one golden request with some inputs changed."""
    inputs = GOLDEN[base] | {name: [value] for name, value in change.items()}
    return float(model.run(CONTRACT.signature, CONTRACT.arrays(inputs))["probability"][0])


def test_two_trainings_give_one_hash(artifact: Path, months: Path, tmp_path: Path) -> None:
    """Two fresh processes in two folders export the same bytes in every file."""
    assert dvc_directory(train(tmp_path, months)) == dvc_directory(artifact)


@pytest.mark.parametrize("base", sorted(GOLDEN))
@pytest.mark.parametrize("name", FLOATS)
def test_nan_is_read_as_the_contract_says(model: savedmodel.Model, base: str, name: str) -> None:
    """A missing number is answered exactly as the value that the contract says it means."""
    rows = len(GOLDEN[base][name])
    asked = [
        model.run(CONTRACT.signature, CONTRACT.arrays(GOLDEN[base] | {name: [value] * rows}))["probability"]
        for value in (float("nan"), CONTRACT.inputs[name].means)
    ]
    np.testing.assert_array_equal(asked[0], asked[1])


@pytest.mark.parametrize("name", STRINGS)
def test_unknown_is_read_as_missing(model: savedmodel.Model, name: str) -> None:
    """A category that the contract does not know is answered as a missing one, and not as a known one."""
    assert ask(model, {name: "never heard of"}) == ask(model, {name: ""})
    known = CONTRACT.inputs[name].known or []
    assert ask(model, {name: ""}) not in [ask(model, {name: value}) for value in known]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("end", [0, 1])
def test_beyond_the_range_is_its_end(model: savedmodel.Model, name: str, end: int) -> None:
    """Infinity, and whatever else leaves the range, is answered as the nearest end."""
    limit = (CONTRACT.inputs[name].range or (0.0, 0.0))[end]
    sign = 1 if end else -1
    assert ask(model, {name: limit}) == ask(model, {name: limit + sign * 1e6}) == ask(model, {name: sign * np.inf})


@pytest.mark.parametrize("name", [*FLOATS, *STRINGS])
def test_every_input_counts(model: savedmodel.Model, name: str) -> None:
    """No input is forgotten: two values of it give two answers."""
    given = CONTRACT.inputs[name]
    one, other = (given.known or [])[:2] if given.known else given.range or (0.0, 0.0)
    if name.endswith("_minute"):
        other = 720.0  # midnight is midnight at either end of the day's circle, 1439 close to it
    assert ask(model, {name: one}) != ask(model, {name: other})


@pytest.mark.parametrize("base", ["early-clear", "evening-storm", "saturday-long"])
def test_more_rain_is_never_less_risk(model: savedmodel.Model, base: str) -> None:
    """The answer does not fall anywhere between no rain and the heaviest (contract.yaml: monotone)."""
    answers = [ask(model, {"precip": value}, base) for value in np.linspace(0, 5, 200)]
    assert (np.diff(answers) >= 0).all()


@pytest.mark.parametrize("request_", [r for r in REQUESTS if r["kind"] == "edge"], ids=lambda r: str(r["name"]))
def test_edge_requests(model: savedmodel.Model, request_: dict[str, Any]) -> None:
    """Every edge request is answered, or refused, as requests.jsonl promises."""

    def answer(inputs: dict[str, list[Any]]) -> golden.Outputs:
        try:
            return model.run(CONTRACT.signature, CONTRACT.arrays(inputs))
        except (savedmodel.Error, KeyError):
            return "INVALID_ARGUMENT"

    others = {line["name"]: answer(line["inputs"]) for line in REQUESTS}
    assert golden.check(request_["expect"], answer(request_["inputs"]), others) is None


def test_there_are_requests_enough() -> None:
    """At least six golden and six edge requests, with names of their own."""
    assert len(GOLDEN) >= 6
    assert len({line["name"] for line in REQUESTS}) == len(REQUESTS) >= len(GOLDEN) + 6
