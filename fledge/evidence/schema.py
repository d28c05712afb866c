"""The published JSON schema of evidence, made from its records: `python -m fledge.evidence.schema` prints it."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fledge.evidence import SCHEMA, Evidence, Verdict

FILE = Path(__file__).with_name("schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

BLOCKS = {
    "anyOf": [
        {"properties": {"verdict": {"const": Verdict.BLOCK}}},
        {"properties": {"verdict": {"const": Verdict.INCONCLUSIVE}, "inconclusive": {"const": "block"}}},
    ]
}


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of what `evidence.to_json` writes; also that the verdict is the one that its checks make."""
    record = TypeAdapter(Evidence).json_schema()
    head = {
        "schema": {"const": SCHEMA, "description": "The name and version of this schema."},
        "verdict": {
            "enum": [Verdict.PASS, Verdict.BLOCK],
            "description": "BLOCK if any check blocks, or there is none.",
        },
    }
    return {
        "$schema": DIALECT,
        "$id": f"https://{SCHEMA}/schema.json",
        **record,
        "properties": head | record["properties"],
        "required": [*head, *record["required"]],
        "if": {"properties": {"checks": {"type": "array", "minItems": 1, "items": {"not": BLOCKS}}}},
        "then": {"properties": {"verdict": {"const": Verdict.PASS}}},
        "else": {"properties": {"verdict": {"const": Verdict.BLOCK}}},
    }


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
