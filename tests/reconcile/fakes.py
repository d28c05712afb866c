"""A cluster's API with the rights that our manifests give, and a GitHub that reads and runs on a real bare repository."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fledge import git
from scripts import auto_revert, healthy
from tests.hub import REPOSITORY, Hub
from tests.platform.objects import named

TOKEN = "a pod's token"
CONFLICT = {"kind": "Status", "reason": "Conflict"}
WORKFLOWS = {"auto-revert.yml": auto_revert.main, "healthy.yml": healthy.main}


def granted(environment: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of everything that the reconciler's account may do in an environment's namespace."""
    bound = named("RoleBinding", "reconciler", environment)
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "reconciler", "namespace": "fledge"}]
    rules = named("Role", bound["roleRef"]["name"], environment)["rules"]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@dataclass
class Cluster:
    """Rollouts of one namespace, two to a page. `used` are the rights that the calls so far took."""

    environment: str
    rollouts: list[dict[str, Any]] = field(default_factory=list)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    url: str = ""

    def answer(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, None]:
        """Status and content; 403 for what the shipped Role does not grant."""
        parts = urlsplit(address)
        match = re.fullmatch(
            r"/apis/argoproj\.io/v1alpha1/namespaces/([^/]+)/rollouts(?:/([^/]+)(/status)?)?", parts.path
        )
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"reason": "Unauthorized"}, None
        if not match:
            return 404, {"reason": "NotFound"}, None
        namespace, name, below = match.groups()
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}.get(method, method)
        right = ("argoproj.io", f"rollouts{below or ''}", verb)
        if namespace != self.environment or right not in granted(namespace):
            return 403, {"reason": "Forbidden"}, None
        self.used.add(right)
        return (*(self._patched(name, headers, json.loads(body)) if name else self._page(parts.query)), None)

    def _page(self, query: str) -> tuple[int, Any]:
        start = int(dict(parse_qsl(query)).get("continue", 0))
        following = {"continue": str(start + 2)} if start + 2 < len(self.rollouts) else {}
        return 200, {"items": self.rollouts[start : start + 2], "metadata": following}

    def _patched(self, name: str, headers: Mapping[str, str], patch: dict[str, Any]) -> tuple[int, Any]:
        [found] = [item for item in self.rollouts if item["metadata"]["name"] == name]
        if headers["Content-Type"] != "application/merge-patch+json":
            return 415, {"reason": "UnsupportedMediaType"}
        if patch["metadata"].pop("resourceVersion") != found["metadata"]["resourceVersion"]:
            return 409, CONFLICT
        assert patch.pop("metadata") == {}
        found["status"] |= patch.pop("status")
        assert patch == {}
        return 200, found


@dataclass
class Github(Hub):
    """GitHub whose repository is a bare one on this disk, and whose workflows are the scripts that they call."""

    origin: Path = Path()
    page: int = 2  # refs in one answer
    ran: list[str] = field(default_factory=list)

    def answer(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, str | None]:
        """As a Hub, and the three calls of the reconciler."""
        status, content, link = super().answer(method, address, headers, body)
        parts = urlsplit(address)
        asked, path = dict(parse_qsl(parts.query)), parts.path.removeprefix(f"/repos/{REPOSITORY}/")
        if status != 404:
            return status, content, link
        if method == "GET" and path.startswith("git/matching-refs/") and "contents" in self.grants:
            return self._refs(path, int(asked.get("page", 1)))
        if method == "GET" and path.startswith("contents/") and "contents" in self.grants:
            text = git.show(self.origin, asked["ref"], path.removeprefix("contents/"))
            found = {"encoding": "base64", "content": base64.encodebytes((text or "").encode()).decode()}
            return (404, {"message": "Not Found"}, None) if text is None else (200, found, None)
        match = re.fullmatch(r"actions/workflows/([^/]+)/dispatches", path)
        if method == "POST" and match and self.grants.get("actions") == "write":
            return self._run(match[1], json.loads(body))
        return 404, content, None

    def _refs(self, path: str, page: int) -> tuple[int, Any, str | None]:
        prefix = path.removeprefix("git/matching-")
        names = git.git(self.origin, "for-each-ref", "--format=%(refname)", "refs/").splitlines()
        refs = [{"ref": name} for name in names if name.startswith(prefix)]
        following = f"{self.url}/repos/{REPOSITORY}/{path}?page={page + 1}"
        more = f'<{following}>; rel="next"' if page * self.page < len(refs) else None
        return 200, refs[(page - 1) * self.page : page * self.page], more

    def _run(self, workflow: str, content: dict[str, Any]) -> tuple[int, Any, None]:
        expected = {"env", "model", "delivery"} | ({"reason"} if workflow == "auto-revert.yml" else set())
        if content["ref"] != "main" or set(content["inputs"]) != expected:
            return 422, {"message": "Unexpected inputs provided"}, None
        words = [word for name, value in content["inputs"].items() for word in (f"--{name}", value)]
        self.ran.append(f"{workflow} {content['inputs']['delivery']}: {WORKFLOWS[workflow](words)}")
        return 204, {}, None


def rollout(model: str, delivery: str, *, namespace: str = "staging", **status: Any) -> dict[str, Any]:
    """A Rollout as the API has it, Healthy unless `status` says otherwise; its hashes are its deliveries."""
    healthy = {"phase": "Healthy", "stableRS": delivery, "currentPodHash": delivery, "observedGeneration": "4"}
    return {
        "metadata": {
            "name": f"{model}-model",
            "namespace": namespace,
            "generation": 4,
            "resourceVersion": "77",
            "labels": {"app.kubernetes.io/instance": model},
        },
        "spec": {"template": {"metadata": {"labels": {"fledge.dev/delivery": delivery}}}},
        "status": healthy | status,
    }
