"""GitHub's REST API of one repository, as far as our verbs speak it, and what GitHub Actions tells them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pydantic import BaseModel, ValidationError

from fledge.problems import Problem

SECONDS = 30  # for an answer
REVERTS = "fledge/revert"  # below it auto-revert pushes a branch <environment>/<model>/<delivery>


class Owner(BaseModel):
    login: str


class Repository(BaseModel):
    full_name: str
    owner: Owner


class Run(BaseModel):
    """The run that ended, as the event `workflow_run` tells it."""

    path: str
    html_url: str
    conclusion: str
    head_sha: str
    head_branch: str
    head_repository: Repository


class Event(BaseModel):
    workflow_run: Run


@dataclass(frozen=True)
class Job:
    """A verb and the file in which GitHub Actions runs it: who speaks, and where its rights and variables are given."""

    verb: str
    workflow: str

    def setting(self, name: str) -> str:
        """A variable of the environment. Raises Problem where it is not there."""
        value = os.environ.get(name, "")
        if not value:
            raise Problem(f"{self.verb}: no {name}, expected it from GitHub Actions ({self.workflow}: env)")
        return value

    def event(self) -> Run:
        """The run of which GITHUB_EVENT_PATH tells. Raises Problem for another event."""
        try:
            return Event.model_validate_json(Path(self.setting("GITHUB_EVENT_PATH")).read_bytes()).workflow_run
        except (OSError, ValidationError) as error:
            said = " ".join(str(error).split())[:200]
            raise Problem(f"{self.verb}: {said}, expected the event workflow_run ({self.workflow}: on)") from None

    def require_run_of(self, workflow: str, run: Run) -> None:
        """Raises Problem for the run of another workflow: the event is chosen by a name, which any file may give itself.

        GitHub writes the file with or without `@` and a revision (REST API, "Get a workflow run": path).
        """
        if run.path.partition("@")[0] != workflow:
            raise Problem(f"{self.verb}: found a run of {run.path}, expected one of {workflow} ({self.workflow}: on)")

    def github(self) -> "Github":
        """The API that GitHub Actions names, with the token that the job is given."""
        return Github(
            self,
            session(self.setting("GITHUB_TOKEN")),
            self.setting("GITHUB_API_URL"),
            self.setting("GITHUB_REPOSITORY"),
        )


@dataclass(frozen=True)
class Github:
    """GitHub's API for one repository (owner/name)."""

    job: Job
    session: requests.Session
    url: str
    repository: str

    def call(self, method: str, path: str, expected: int = 200, **given: Any) -> requests.Response:
        """The answer to `path` of the repository, or to a whole address of this API.

        Raises Problem for an answer that is not `expected`, and for none.
        """
        who, right = self.job.verb, f"{self.job.workflow}: permissions"
        address = path if path.startswith(f"{self.url}/") else f"{self.url}/repos/{self.repository}/{path}"
        try:
            answer = self.session.request(method, address, timeout=SECONDS, **given)
        except requests.RequestException as error:
            raise Problem(f"{who}: {error}, expected GitHub to answer ({address})") from None
        if answer.status_code != expected:
            said = f"{answer.status_code} {answer.text[:200]!r}"
            raise Problem(f"{who}: {method} {path} answered {said}, expected {expected} ({right})")
        return answer

    def open_pulls(self, base: str, head: str) -> list[Any]:
        """The open pull requests into `base` from `head`, which is owner:branch."""
        asked = {"state": "open", "base": base, "head": head, "per_page": "100"}
        found: list[Any] = self.call("GET", "pulls", params=asked).json()
        return found

    def checked(self, sha: str, check: str) -> Mapping[str, Any] | None:
        """The newest run of a check on a commit, with its `status` and `conclusion`; None where none began."""
        found = self.call("GET", f"commits/{sha}/check-runs", params={"check_name": check}).json()["check_runs"]
        return max(found, key=lambda one: one["id"], default=None)

    def propose(self, base: str, branch: str, said: Mapping[str, str]) -> int:
        """Open the pull request of a branch of this repository, or give the open one these words; its number."""
        owner = self.repository.partition("/")[0]
        for found in self.open_pulls(base, f"{owner}:{branch}"):
            self.call("PATCH", f"pulls/{found['number']}", json=dict(said))
            return int(found["number"])
        made = self.call("POST", "pulls", 201, json={**said, "base": base, "head": branch})
        return int(made.json()["number"])


def session(token: str) -> requests.Session:
    """Requests as GitHub's documentation asks for them."""
    made = requests.Session()
    made.headers.update({
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    })  # fmt: skip
    return made
