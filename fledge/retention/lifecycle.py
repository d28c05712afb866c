"""What this repository would remove from DVC's remote behind `make gc`: a `dvc gc` there, or a bucket's own rules.

DVC knows what commits name and a bucket how old its objects are; neither knows what an environment may roll back to.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fledge import git, project
from fledge.retention import hcl

# What a rollback needs below the remote's address: DVC's objects and their signatures.
KEPT = ("files/md5/", "signatures/")
# What is rendered follows from the rest of manifests/, which is read, and may be thousands of files.
NOT_RUN = (
    *(":!*.md", ":!docs/", ":!tests/", ":!*.lock", ":!fledge/retention/lifecycle.py", ":!fledge/rules/table.py"),
    *(":!manifests/rendered/", ":!manifests/releases/"),
)
RULES = ("*.yaml", "*.yml", "*.json", "*.tf", ":!tests/", ":!manifests/rendered/")
EXPIRES = r"expiration|lifecycle_rule|\"lifecycle\"|matches_?prefix"
REFERENCES = ("aws_s3_bucket", "google_storage_bucket", "var", "local", "module", "data")
COMMAND = re.compile(r"\bdvc\b\W+(?:\w+\W+){0,3}?gc\b(?P<rest>[^\n;&|]*)|\.gc\((?P<call>[^)]*)\)", re.IGNORECASE)
REMOTE = re.compile(r"--cloud|--remote|cloud\s*=\s*True|(?<![\w-])-[a-zA-Z]*[cr]|\$")


def retained(root: Path) -> Iterator[str]:
    """A line for each place in the repository that would take from the remote what a rollback needs."""
    for path in git.naming(root, r"\bgc\b", *NOT_RUN):
        yield from _collected(path, (root / path).read_text(errors="ignore"))
    url = project.remote(root)
    scheme, _, place = url.partition("://")
    if scheme in ("s3", "gs"):
        bucket, _, prefix = place.partition("/")
        yield from _expired(root, bucket, prefix.strip("/"))


def _collected(path: str, text: str) -> Iterator[str]:
    """`dvc gc` on the remote, or with options that only its run knows: as a command, a list of words, or a call."""
    for number, line in _commands(text):
        for match in COMMAND.finditer(line):
            if REMOTE.search(match["rest"] if match["rest"] is not None else match["call"]):
                yield f"retention: {path}:{number} runs `dvc gc` on the remote, expected `make gc` ({path})"


def _commands(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, each with those that go on with it, and the number of the first."""
    number, held = 0, ""
    for n, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", "//")):
            continue
        more = held and (held.endswith(("\\", ",", "[", "(")) or re.match(r"\s*[\"']?--?[a-zA-Z]", line))
        if not more:
            if held:
                yield number, held
            number, held = n, ""
        held = f"{held.rstrip(chr(92))} {line.strip()}".strip()
    if held:
        yield number, held


def _expired(root: Path, bucket: str, prefix: str) -> Iterator[str]:
    """Rules of a bucket, kept as AWS' or Google's JSON, as YAML of an operator, CloudFormation or as Terraform."""
    documents: dict[str, list[Any]] = {}
    for path in git.naming(root, EXPIRES, *RULES):
        try:
            documents[path] = _read(root / path)
        except (ValueError, YAMLError):
            yield f"retention: {path} speaks of expiration and cannot be read, expected YAML, JSON or Terraform ({path})"
    names = _bucket_names(documents)
    for path, found in documents.items():
        for where, what in _rules(found, None):
            if _may_be(names.get(where or "", where), bucket) and _meets(what, prefix):
                below = what or "the whole bucket"
                expected = f"expected none of {bucket}/{prefix} ({path}; make gc)"
                yield f"retention: {path} lets objects below {below} expire, {expected}"


def _may_be(said: str | None, bucket: str) -> bool:
    """Whether a rule may be of the bucket: it names it, or none, or in a way that Terraform alone resolves."""
    return said in (None, bucket) or "$" in said or said.split(".")[0] in REFERENCES


def _meets(rule: str, prefix: str) -> bool:
    """Whether what a rule's prefix confines it to holds anything that a rollback needs."""
    kept = [f"{prefix}/{name}".lstrip("/") for name in KEPT]
    return any(rule.startswith(name) or name.startswith(rule) for name in kept)


def _read(path: Path) -> list[Any]:
    text = path.read_text()
    if path.suffix == ".tf":
        return [hcl.read(text)]
    if path.suffix == ".json":
        return [json.loads(text)]
    return list(YAML(typ="rt").load_all(text))  # which takes CloudFormation's own tags


def _bucket_names(documents: dict[str, list[Any]]) -> dict[str, str]:
    """Terraform's references to buckets -> their names, of those that the repository makes itself."""
    resources = [
        one for path, found in documents.items() if path.endswith(".tf") for one in found[0].get("resource", [])
    ]
    return {
        f"{kind}.{label}.{part}": name
        for one in resources
        for kind, label in [one["labels"][:2]]
        for part in ("id", "bucket", "name")
        if (name := one.get("bucket" if kind == "aws_s3_bucket" else "name"))
    }


def _rules(node: Any, bucket: str | None) -> Iterator[tuple[str | None, str]]:
    """(bucket if it is said, prefix) of each rule that lets live objects expire."""
    if isinstance(node, list):
        for one in node:
            yield from _rules(one, bucket)
    elif isinstance(node, dict):
        plain = {re.sub(r"[^a-z]", "", str(key).lower()): value for key, value in node.items()}
        spec = plain.get("spec") if plain.get("kind") == "Bucket" else None
        said = [plain.get("bucketname"), plain.get("bucket"), (spec or plain).get("name")]
        bucket = next((str(one) for one in said if isinstance(one, str)), bucket)
        if _ends(plain):
            yield from ((bucket, prefix) for prefix in _prefixes(plain))
        for one in node.values():
            yield from _rules(one, bucket)


def _ends(rule: dict[str, Any]) -> bool:
    """Whether a rule, its keys in plain small letters, removes live objects: not only old versions, and not by tag."""
    if str(rule.get("status", rule.get("enabled", "Enabled"))).lower() in ("disabled", "false"):
        return False
    if any("tag" in str(key).lower() for one in _each(rule.get("filter")) for key in (*one, *_inner(one))):
        return False
    if any(rule.get(key) for key in ("expirationindays", "expirationdate")):
        return True
    if any(str(key).lower() in ("days", "date") for one in _each(rule.get("expiration")) for key in one):
        return True
    deletes = any(str(one.get("type")) == "Delete" for one in _each(rule.get("action")))
    dead = any(str(value).lower() in ("false", "archived") for one in _each(rule.get("condition"))
               for key, value in one.items() if str(key) in ("isLive", "with_state"))  # fmt: skip
    return deletes and not dead


def _prefixes(rule: dict[str, Any]) -> list[str]:
    """What a rule is confined to; "" is everything."""
    filters = [one for part in _each(rule.get("filter")) for one in (part, *_each(part.get("And") or part.get("and")))]
    found = [value for one in (rule, *filters) for key, value in one.items() if str(key).lower() == "prefix"]
    for one in _each(rule.get("condition")):
        found += [name for key in ("matchesPrefix", "matches_prefix") for name in one.get(key) or []]
    return [str(one) for one in found] or [""]


def _each(part: Any) -> list[dict[str, Any]]:
    """A block as Terraform has it, a list, or as YAML and JSON have it, one."""
    return [one for one in (part if isinstance(part, list) else [part]) if isinstance(one, dict)]


def _inner(part: dict[str, Any]) -> list[str]:
    return [str(key) for value in part.values() for one in _each(value) for key in one]
