"""The published schema of evidence: it is current, and it holds of what the gates write."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from fledge import evidence
from fledge.evidence import Check, Evidence, Verdict, schema

VALIDATOR = Draft202012Validator(json.loads(schema.FILE.read_text()))

words = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
records = st.dictionaries(words, json_values, max_size=3)
identities = st.fixed_dictionaries({"name": words, "md5": words}, optional={"sha256": words})
checks = st.builds(
    Check,
    gate=words,
    name=words,
    verdict=st.sampled_from(Verdict),
    reason=words,
    remedy=words,
    estimate=maybe,
    interval=st.none() | st.tuples(numbers, numbers),
    margin=maybe,
    n=st.none() | st.integers(0, 2**53),
    smallest_detectable_effect=maybe,
    unit=words,
    inconclusive=st.sampled_from(["block", "warn"]),
    details=records,
)
pieces = st.builds(
    Evidence,
    model=words,
    candidate=identities,
    champion=st.none() | identities,
    rows=records,
    checks=st.lists(checks, max_size=3),
    versions=st.dictionaries(words, words, max_size=2),
    timings=st.dictionaries(words, numbers, max_size=2),
    anchor=st.none() | identities,
    hardware=records,
    notes=st.lists(words, max_size=2),
)


def test_the_file_is_current() -> None:
    """fledge/evidence/schema.json is what `python -m fledge.evidence.schema` prints, a schema of JSON Schema 2020-12."""
    assert schema.FILE.read_text() == schema.text(), "python -m fledge.evidence.schema > fledge/evidence/schema.json"
    Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["$id"].endswith(f"{evidence.SCHEMA}/schema.json")


def test_every_key_is_described() -> None:
    """Who reads the schema learns what each key of evidence and of a check means."""
    made = schema.schema()
    for record in (made, made["$defs"]["Check"]):
        silent = [key for key, one in record["properties"].items() if not one.get("description") and "$ref" not in one]
        assert silent == []


@settings(deadline=None, derandomize=True, max_examples=200)
@given(pieces)
def test_any_evidence_survives_its_file_and_fits_the_schema(before: Evidence) -> None:
    """Whatever the gates find: what is written is what is read, and what the published schema describes."""
    text = evidence.to_json(before)
    assert evidence.from_json(text, "e.json") == before
    VALIDATOR.validate(json.loads(text))


def content(*made: Check) -> dict[str, Any]:
    """The file of evidence with these checks."""
    found = Evidence("tiny", {"name": "new", "md5": "1.dir"}, None, {"sha256": "3"}, made)
    return dict(json.loads(evidence.to_json(found)))


GOOD, BAD = Check("one", "fine", Verdict.PASS, "fine"), Check("one", "bad", Verdict.BLOCK, "bad")
UNSURE = Check("one", "unsure", Verdict.INCONCLUSIVE, "unsure")
WARNED = Check("one", "unsure", Verdict.INCONCLUSIVE, "unsure", inconclusive="warn")


@pytest.mark.parametrize(
    "damaged",
    [
        content(BAD) | {"verdict": "PASS"},
        content(UNSURE, GOOD) | {"verdict": "PASS"},
        content() | {"verdict": "PASS"},
        content(GOOD, WARNED) | {"verdict": "BLOCK"},
        content(GOOD) | {"verdict": "INCONCLUSIVE"},
        content(GOOD) | {"verdict": "pass"},
        content(GOOD) | {"schema": "fledge.dev/evidence/v0"},
        content(GOOD) | {"checks": [content(GOOD)["checks"][0] | {"verdict": "GREEN"}]},
        content(GOOD) | {"checks": [content(GOOD)["checks"][0] | {"estimate": "NaN"}]},
        content(GOOD) | {"checks": [content(GOOD)["checks"][0] | {"interval": [1]}]},
        content(GOOD) | {"checks": [content(GOOD)["checks"][0] | {"raisin": "dry"}]},
        content(GOOD) | {"candidate": {"name": "new"}},
        {key: value for key, value in content(GOOD).items() if key != "rows"},
    ],
)
def test_the_schema_refuses_what_the_gates_never_write(damaged: dict[str, Any]) -> None:
    """Another verdict than that of the checks, an unknown key, a text for a number, a missing hash: invalid."""
    with pytest.raises(ValidationError):
        VALIDATOR.validate(damaged)


@pytest.mark.parametrize(
    "whole", [content(GOOD), content(GOOD, WARNED), content(BAD, GOOD), content(UNSURE), content()]
)
def test_the_schema_takes_the_verdict_that_the_checks_make(whole: dict[str, Any]) -> None:
    """PASS where nothing blocks, BLOCK where something does or there is no check."""
    VALIDATOR.validate(whole)
