"""Whether an object is what its kind's schema says, strictly: a key that the API server would drop is a mistake.

Built-in kinds by the schemas of kubernetes-validate; custom ones by their own CustomResourceDefinitions, which
`make setup` brings out of the pinned Go modules (scripts/setup.py: CRDS). Nothing is asked of a network here.
"""

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource
from ruamel.yaml import YAML

from fledge import atomic
from fledge.problems import Problem

KUBERNETES = "1.36"  # whose schemas the manifests are held to
BUILT_IN = f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict"
HELD = Path(__file__).resolve().parent.parent / ".tools" / "crds"  # where `make setup` of this code puts them


def errors(document: dict[str, Any]) -> Iterator[str]:
    """Where an object does not fit its schema and why, `key: reason`.

    Raises Problem where there is no schema to ask: what was not checked is not right.
    """
    validator = _custom(document["apiVersion"], document["kind"]) or _built_in(document["apiVersion"], document["kind"])
    for error in sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path))):
        deepest = jsonschema.exceptions.best_match([error])
        yield f"{'.'.join(map(str, deepest.absolute_path)) or '(whole object)'}: {deepest.message[:200]}"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema of Kubernetes as a JSON Schema that also refuses what the API server would prune.

    Kubernetes' own words (Extend the Kubernetes API with CustomResourceDefinitions): x-kubernetes-preserve-unknown-fields
    keeps what no property names, x-kubernetes-int-or-string takes both, nullable takes null.
    """
    made = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "description"}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if "properties" in schema:
        made["properties"] = {name: strict(one) for name, one in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = strict(schema[key])
    if schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if schema.get("nullable"):
        made = {"anyOf": [{"type": "null"}, made]}
    return made


def keep(definition: Path, folder: Path) -> None:
    """Write a CustomResourceDefinition's YAML as `<kind>.json`: 40 times faster to read."""
    content = YAML(typ="safe").load(definition)
    atomic.write(folder / f"{content['spec']['names']['kind']}.json", json.dumps(content["spec"]) + "\n")


@cache
def _custom(api_version: str, kind: str) -> jsonschema.protocols.Validator | None:
    if not HELD.is_dir():
        raise Problem(f"schemas: no definitions of custom resources found, expected them in {HELD.name}/ (make crds)")
    file = HELD / f"{kind}.json"
    spec = json.loads(file.read_text()) if file.exists() else {"group": None, "versions": []}
    for version in spec["versions"]:
        if f"{spec['group']}/{version['name']}" == api_version:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"apiVersion": {"const": api_version}, "metadata": {"type": "object"}}
            return jsonschema.Draft4Validator(schema)  # OpenAPI 3.0's dialect: exclusiveMinimum is a boolean
    return None


@cache
def _built_in(api_version: str, kind: str) -> jsonschema.protocols.Validator:
    # kubernetes-validate names its files so: rbac.authorization.k8s.io/v1 is rbac-v1.
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    try:
        schema = schema_contents(f"{BUILT_IN}/{kind.lower()}-{version}.json", KUBERNETES)
    except FileNotFoundError:
        raise Problem(f"schemas: no schema of {kind} {api_version} found, expected a kind that Fledge knows") from None
    return jsonschema.Draft202012Validator(schema, registry=_definitions() @ Registry())


@cache
def _definitions() -> Resource[Any]:
    return Resource.from_contents(schema_contents(f"{BUILT_IN}/_definitions.json", KUBERNETES))


if __name__ == "__main__":  # scripts/setup.py, which cannot read YAML itself
    for name in sys.argv[2:]:
        keep(Path(name), Path(sys.argv[1]))
