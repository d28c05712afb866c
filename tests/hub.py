"""A local GitHub that knows exactly the API calls that our verbs make, and refuses every other.

Sources: docs.github.com, REST API: pulls ("List pull requests", "Create", "Update", "Merge a pull request"),
issues/comments ("List", "Create", "Update an issue comment"); each page names the permission, and of a comment on a pull
request `pull-requests` is enough; checks/runs ("List check runs for a Git reference"). A merge is refused as the rulesets of docs/github-delivery.md say (405): not without
`gates-pass` on that commit, nor of a branch that is behind.
"""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fledge.git import APP as APP_IDENTITY

REPOSITORY = "owner/models"
TOKEN = "a token of the run"
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
BOT = "github-actions[bot]"
LONGEST = 65_536  # characters of a comment

PULLS, CONTENTS, CHECKS = "pull-requests", "contents", "checks"

# method, path below the repository, query parameters, permission
CALLS: list[tuple[str, str, set[str], tuple[str, str]]] = [
    ("GET", r"pulls", {"state", "base", "head", "per_page"}, (PULLS, "read")),
    ("POST", r"pulls", set(), (PULLS, "write")),
    ("PATCH", r"pulls/(\d+)", set(), (PULLS, "write")),
    ("PUT", r"pulls/(\d+)/merge", set(), (CONTENTS, "write")),
    ("GET", r"commits/[0-9a-f]{40}/check-runs", {"check_name"}, (CHECKS, "read")),
    ("GET", r"issues/(\d+)/comments", {"per_page", "page"}, (PULLS, "read")),
    ("POST", r"issues/(\d+)/comments", set(), (PULLS, "write")),
    ("PATCH", r"issues/comments/(\d+)", set(), (PULLS, "write")),
]
APP = "fledge[bot]"


@dataclass
class Hub:
    """Pull requests and comments as GitHub holds them. `grants` are the permissions of the token that is used.

    `origin` is the repository's own git, for branches of it; `checks` are the runs of gates-pass, oldest first: of which
    commit, and how each ended, None while it has not.
    """

    grants: Mapping[str, str]
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    url: str = ""
    origin: Path | None = None
    checks: list[tuple[str, str | None]] = field(default_factory=list)

    def opened(
        self, number: int, sha: str, head: str = "owner/models", branch: str = "work", state: str = "open"
    ) -> None:
        """A pull request into main from a branch of the repository `head` (owner/name)."""
        label = f"{head.partition('/')[0]}:{branch}"
        home = {"sha": sha, "label": label, "ref": branch, "repo": {"full_name": head}}
        by = {"login": APP if branch.startswith("fledge/") else "somebody"}
        self.pulls.append({"number": number, "state": state, "base": {"ref": "main"}, "head": home, "user": by})

    def said(self, number: int, body: str, by: str = BOT) -> int:
        """A comment on a pull request; its id."""
        self.comments.append({"id": 1000 + len(self.comments), "issue": number, "body": body, "user": {"login": by}})
        return 1000 + len(self.comments) - 1

    def answer(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, str | None]:
        """Status, content and the header Link."""
        parts = urlsplit(address)
        asked = dict(parse_qsl(parts.query))
        path = parts.path.removeprefix(f"/repos/{REPOSITORY}/")
        self.heard.append(f"{method} {path}")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, None
        if wrong := [name for name, value in HEADERS.items() if headers.get(name) != value]:
            return 400, {"message": f"unexpected {wrong}"}, None
        for known, pattern, names, permission in CALLS:
            match = re.fullmatch(pattern, path)
            if match and known == method and path != parts.path:
                if not names >= set(asked):
                    return 422, {"message": f"unexpected {sorted(set(asked) - names)}"}, None
                if self.grants.get(permission[0]) not in ("write", permission[1]):
                    return 403, {"message": "Resource not accessible by integration"}, None
                return self._done(method, path, [int(part) for part in match.groups()], asked, body)
        return 404, {"message": "Not Found"}, None

    def _done(
        self, method: str, path: str, ids: list[int], asked: Mapping[str, str], body: bytes
    ) -> tuple[int, Any, str | None]:
        if method == "GET" and path == "pulls":
            self._move()
            wanted = (asked["state"], asked["base"], asked["head"])
            found = [
                pull for pull in self.pulls if (pull["state"], pull["base"]["ref"], pull["head"]["label"]) == wanted
            ]
            return 200, found, None
        if method == "GET" and path.startswith("commits"):
            found = self._checks(path.split("/")[1]) if asked["check_name"] == "gates-pass" else []
            return 200, {"total_count": len(found), "check_runs": found}, None
        if method == "GET":
            return self._page(ids[0], int(asked.get("per_page", 30)), int(asked.get("page", 1)))
        content = json.loads(body)
        if path.startswith("pulls"):
            return *self._pull(method, ids, content), None
        if set(content) != {"body"} or not 0 < len(content["body"]) <= LONGEST:
            return 422, {"message": "Validation Failed"}, None
        if method == "POST":
            return 201, {"id": self.said(ids[0], content["body"])}, None
        [one] = [comment for comment in self.comments if comment["id"] == ids[0]]
        one["body"] = content["body"]
        return 200, one, None

    def _checks(self, sha: str) -> list[dict[str, Any]]:
        """The runs of gates-pass on a commit, newest first; the required check is the newest."""
        return [
            {"id": 7000 + number, "name": "gates-pass", "head_sha": sha, "conclusion": ended,
             "status": "completed" if ended else "in_progress"}
            for number, (commit, ended) in enumerate(self.checks) if commit == sha
        ][::-1]  # fmt: skip

    def _move(self) -> None:
        """The head of an open pull request is where its branch is."""
        for pull in self.pulls:
            if self.origin and pull["state"] == "open":
                pull["head"]["sha"] = self._git("rev-parse", f"refs/heads/{pull['head']['ref']}")

    def _pull(self, method: str, ids: list[int], content: Mapping[str, str]) -> tuple[int, Any]:
        """Open, change or merge a pull request from a branch of the repository."""
        if method == "POST":
            made = {"title": content["title"], "body": content["body"]}
            if set(content) != {"title", "body", "base", "head"} or any(
                pull["state"] == "open" and pull["head"]["ref"] == content["head"] for pull in self.pulls
            ):
                return 422, {"message": "Validation Failed"}
            self.opened(len(self.pulls) + 1, "", branch=content["head"])
            self.pulls[-1] |= made
            self._move()
            return 201, self.pulls[-1]
        [one] = [pull for pull in self.pulls if pull["number"] == ids[0]]
        if method == "PATCH":
            if set(content) != {"title", "body"}:
                return 422, {"message": "Validation Failed"}
            one |= content
            return 200, one
        return self._merge(one, content)

    def _merge(self, one: dict[str, Any], content: Mapping[str, str]) -> tuple[int, Any]:
        if set(content) != {"sha", "merge_method"} or content["merge_method"] != "merge":
            return 422, {"message": "Validation Failed"}
        self._move()
        head, base = one["head"]["sha"], self._git("rev-parse", "refs/heads/main")
        if head != content["sha"]:
            return 409, {"message": "Head branch was modified. Review and try the merge again."}
        if [one["conclusion"] for one in self._checks(head)][:1] != ["success"] or self._git(
            "merge-base", head, base
        ) != base:
            return 405, {"message": "Repository rule violations found"}
        commit = self._git("commit-tree", f"{head}^{{tree}}", "-p", base, "-p", head, "-m", f"Merge #{one['number']}")
        self._git("update-ref", "refs/heads/main", commit, base)
        one["state"] = "closed"
        return 200, {"merged": True, "sha": commit}

    def _git(self, *arguments: str) -> str:
        assert self.origin
        command = ["git", "-C", str(self.origin), *arguments]
        return subprocess.run(
            command, env=os.environ | APP_IDENTITY, capture_output=True, text=True, check=True
        ).stdout.strip()

    def _page(self, number: int, size: int, page: int) -> tuple[int, Any, str | None]:
        mine = [comment for comment in self.comments if comment["issue"] == number]
        following = f"{self.url}/repos/{REPOSITORY}/issues/{number}/comments?per_page={size}&page={page + 1}"
        link = f'<{following}>; rel="next"' if page * size < len(mine) else None
        return 200, mine[(page - 1) * size : page * size], link


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub, answering at `hub.url` until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            status, content, link = hub.answer(self.command, self.path, dict(self.headers), self.rfile.read(length))
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal: `heard` has it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
