"""What a reader of evidence is told of what differs from the champion's side."""

import json

from fledge.gates import notes


def test_a_long_difference_is_short_and_says_so() -> None:
    """Of more differences than a person reads the rest is counted, and a long value is cut."""
    before = {"inputs": {f"i{number}": {"dtype": "float32"} for number in range(30)}}
    lines = notes.contract(before, {"inputs": {}}, "contract.yaml")
    assert len(lines) == notes.MOST + 1
    assert lines[-1] == "The contract changes 10 more keys (contract.yaml)."
    [line] = notes.contract({}, {"inputs": {"x" * 1000: {"dtype": "string"}}}, "contract.yaml")
    assert len(line) == notes.LONGEST + 1


def test_not_a_number_is_no_difference() -> None:
    """`missing: .nan` and `missing: nan` are the same contract, though the one equals nothing and the other is a word."""
    column = {"dtype": "float32", "known": [float("nan")]}
    sides = [{"inputs": {"x": column | {"missing": missing}}} for missing in (float("nan"), "nan")]
    assert notes.contract(*sides, "contract.yaml") == []


def test_what_is_no_request_is_told_by_its_number() -> None:
    """A line of the target branch without a name, or that is no JSON, is missed like any other; the same one is not."""
    before = "\n".join([json.dumps({"name": "kept", "x": 1}), "{", "[]"])
    after = json.dumps({"x": 1, "name": "kept"})
    assert notes.requests(before, after, "main", "r.jsonl") == [
        "Requests of main that are gone: line 2, line 3 (r.jsonl)."
    ]
    assert notes.requests(before, before, "main", "r.jsonl") == []
