"""The two APIs that the reconciler speaks: Kubernetes' for Rollouts, GitHub's for tags, files and workflows.

Sources: kubernetes.io, "Accessing the Kubernetes API from a Pod"; docs.github.com, REST API, git/refs ("List matching
references"), repos/contents ("Get repository content"): Contents read; actions/workflows ("Create a workflow dispatch
event"): Actions write. No call needs a right to push.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from fledge import release
from fledge.github import REVERTS
from fledge.problems import Problem
from fledge.reconcile.decision import Dispatch, Seen, Told
from fledge.release import Files, render

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where a pod has its token and the API's CA
GROUP = "apis/argoproj.io/v1alpha1/namespaces"
SECONDS = 30  # for an answer
PAGE = 250  # Rollouts in one answer


@dataclass(frozen=True)
class Api:
    """An API at `url`; `right` says where the right to use it is given."""

    session: requests.Session
    url: str
    right: str

    def call(self, method: str, path: str, *expected: int, **given: Any) -> requests.Response:
        """The answer to `path`, or to a whole address of this API. Raises Problem for one not `expected`, and for none."""
        address = path if path.startswith(f"{self.url}/") else f"{self.url}/{path}"
        try:
            answer = self.session.request(method, address, timeout=SECONDS, **given)
        except requests.RequestException as error:
            raise Problem(f"reconcile: {error}, expected an answer ({address})") from None
        if answer.status_code not in expected:
            said, wanted = f"{answer.status_code} {answer.text[:200]!r}", " or ".join(map(str, expected))
            raise Problem(f"reconcile: {method} {path} answered {said}, expected {wanted} ({self.right})")
        return answer


def kubernetes(url: str, account: Path = ACCOUNT) -> Api:
    """The API of the cluster with a pod's own rights. Raises Problem outside a pod."""
    session = requests.Session()
    session.verify = str(account / "ca.crt")
    session.trust_env = False  # or REQUESTS_CA_BUNDLE would overrule the CA, and a proxy get the token
    try:
        session.headers["Authorization"] = f"Bearer {(account / 'token').read_text().strip()}"
    except OSError as error:
        raise Problem(f"reconcile: {error.strerror}, expected the account's token ({account}/token)") from None
    return Api(session, url, "manifests/platform/environment/reconciler.yaml: Role")


def rollouts(api: Api, environment: str) -> Iterator[Mapping[str, Any]]:
    """Every Rollout of the environment's namespace, page by page."""
    asked: dict[str, str] = {"limit": str(PAGE)}
    while asked:
        answer = api.call("GET", f"{GROUP}/{environment}/rollouts", 200, params=asked).json()
        yield from answer["items"]
        following = answer["metadata"].get("continue")
        asked = {"limit": str(PAGE), "continue": following} if following else {}


def abort(api: Api, environment: str, one: Seen) -> None:
    """What `kubectl argo rollouts abort` does, but only to the object as it was seen: a newer one gets a 409."""
    patch = {"metadata": {"resourceVersion": one.version}, "status": {"abort": True}}
    headers = {"Content-Type": "application/merge-patch+json"}
    path = f"{GROUP}/{environment}/rollouts/{one.name}/status"
    api.call("PATCH", path, 200, data=json.dumps(patch), headers=headers)


def github(url: str, token: str) -> Api:
    """GitHub's API of one repository: `url` ends in /repos/<owner>/<name>."""
    session = requests.Session()
    session.headers.update({
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    })  # fmt: skip
    return Api(session, url, "the Secret dispatch in namespace fledge: Contents read, Actions write")


def healthy(api: Api, environment: str) -> Mapping[str, frozenset[str]]:
    """The deliveries tagged `healthy/<environment>/<model>/<version>-<delivery>`, by model."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for model, name in _refs(api, f"tags/healthy/{environment}/"):
        found[model].add(name.rpartition("-")[2])
    return defaultdict(frozenset, {model: frozenset(deliveries) for model, deliveries in found.items()})


def reverts(api: Api, environment: str) -> Sequence[tuple[str, str]]:
    """(model, delivery) of each branch that auto-revert pushed and that is there yet, landed or not."""
    return list(_refs(api, f"heads/{REVERTS}/{environment}/"))


def _refs(api: Api, beginning: str) -> Iterator[tuple[str, str]]:
    """The last two parts of every ref that begins so, page by page."""
    answer = api.call("GET", f"git/matching-refs/{beginning}", 200)
    while True:
        for ref in answer.json():
            *_, model, name = ref["ref"].split("/")
            yield model, name
        if not (following := answer.links.get("next")):
            return
        answer = api.call("GET", following["url"], 200)


def told(api: Api, files: Files, branch: str, tagged: frozenset[str]) -> Told:
    """What the target branch says of one (environment, model), beside its healthy tags."""
    rendered = _text(api, files.rendered, branch)
    held = render.delivered(rendered, files.rendered)[0] if rendered else None
    return Told(tagged, frozenset(causes(api, files, branch)), held)


def causes(api: Api, files: Files, branch: str) -> Mapping[str, str]:
    """Why each delivery is denied that a branch denies."""
    denied = _text(api, files.denied, branch)
    denials = release.denied_from_text(denied, f"{branch}:{files.denied}") if denied else []
    return {denial.delivery: denial.cause for denial in denials}


def _text(api: Api, path: Path, branch: str) -> str | None:
    answer = api.call("GET", f"contents/{path}", 200, 404, params={"ref": branch})
    return base64.b64decode(answer.json()["content"]).decode() if answer.status_code == 200 else None


def dispatch(api: Api, branch: str, environment: str, act: Dispatch) -> None:
    """Run a workflow of the target branch. GitHub answers before it starts; whoever looks later sees what it did."""
    inputs = {"env": environment, "model": act.model, "delivery": act.delivery}
    if act.reason is not None:
        inputs["reason"] = act.reason
    path = f"actions/workflows/{act.workflow}/dispatches"
    api.call("POST", path, 204, json={"ref": branch, "inputs": inputs})
