"""Schemas that refuse what the API server would drop, from the definitions of the pinned versions."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fledge import schemas
from fledge.problems import Problem
from fledge.release import render
from scripts import setup
from tests.conftest import ROOT

EXAMPLE = (ROOT / "tests/rendered/staging/delays.yaml").read_text()
DOCUMENTS = {f"{one['kind']} {one['metadata']['name']}": one for one in render.documents_of(EXAMPLE)}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether the strict form of a structural schema takes a value."""
    return bool(jsonschema.Draft4Validator(schemas.strict(schema)).is_valid(value))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_example_fits_its_schemas(name: str) -> None:
    """Every object of the rendered example is one that its kind's schema describes whole."""
    assert list(schemas.errors(DOCUMENTS[name])) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_key_that_no_schema_knows_is_refused(name: str) -> None:
    """A key that the API server would prune is named, in built-in kinds and custom ones alike."""
    document = copy.deepcopy(DOCUMENTS[name])
    document.setdefault("spec", document)["replicsa"] = 1
    [error] = schemas.errors(document)
    assert "replicsa" in error


def test_what_is_preserved_is_taken() -> None:
    """x-kubernetes-preserve-unknown-fields takes any key, a map's own schema any name of that type, others none."""
    preserved = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"type": "object", "additionalProperties": {"type": "string"}}
    assert accepts(preserved, {"a": 1})
    assert accepts(names, {"a": "b"})
    assert not accepts(names, {"a": 1})
    assert not accepts({"type": "object"}, {"a": 1})
    assert not accepts({"type": "array", "items": {"type": "object", "properties": {}}}, [{"a": 1}])


def test_both_of_an_int_or_string_are_taken() -> None:
    """x-kubernetes-int-or-string takes a number and a word and nothing else; nullable takes null."""
    either = {"x-kubernetes-int-or-string": True}
    assert accepts(either, 1)
    assert accepts(either, "25%")
    assert not accepts(either, [1])
    assert accepts({"type": "string", "nullable": True}, None)
    assert not accepts({"type": "string"}, None)


def test_what_only_checks_a_value_is_not_made_strict() -> None:
    """Kubernetes prunes by structure: the branches of anyOf name some keys and forbid none."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert accepts(schema, {"a": "x", "b": "y"})
    assert not accepts(schema, {})


def test_a_kind_without_a_schema_is_not_right() -> None:
    """What cannot be checked is told, never passed."""
    unknown = {"apiVersion": "example.com/v1", "kind": "Rollout", "metadata": {"name": "x"}}
    with pytest.raises(Problem, match=r"schemas: no schema of Rollout example.com/v1 found"):
        list(schemas.errors(unknown))


def test_without_definitions_one_line_says_what_would_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the definitions could not be had, nothing of a custom resource passes."""
    monkeypatch.setattr(schemas, "HELD", tmp_path / "crds")
    schemas._custom.cache_clear()
    with pytest.raises(Problem, match=r"^schemas: no definitions of custom resources found, .*\(make crds\)$"):
        list(schemas.errors(DOCUMENTS["Rollout delays-model"]))
    schemas._custom.cache_clear()


def test_the_definitions_are_those_that_setup_pins() -> None:
    """.tools/crds holds a definition for each file of CRDS, and the pin says so."""
    assert setup.held()
    assert len(list(schemas.HELD.glob("*.json"))) == sum(map(len, setup.CRDS.values()))
