"""GitHub Actions, as far as our workflows use it: contexts, expressions, conditions, artifacts, and steps that are verbs.

What a workflow says and this does not know is an error, never passed over. A step that `run`s is run; of the actions
that a step `uses`, checkout and our own set-up are taken as done, artifacts are files that are copied, and an app has a
token.
"""

import glob
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fledge.project import read_yaml
from tests.conftest import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
Run = Callable[[str, Mapping[str, str]], int]  # a verb and its variables -> exit code


@dataclass
class Actions:
    """A repository's Actions: `run` does what a step says, in `root`. Artifacts are files by artifact and name."""

    root: Path
    temporary: Path
    run: Run
    token: str = ""
    artifacts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    granted: dict[str, str] = field(default_factory=dict)  # the permissions of the app's token

    def workflow(self, name: str, **contexts: Any) -> dict[str, dict[str, Any]]:
        """Run a workflow; each job's result and outputs, as the context `needs` has them."""
        content, needs = read_yaml(WORKFLOWS / name), {}
        for job, said in content["jobs"].items():
            mine = {one: needs[one] for one in listed(said.get("needs"))}
            job_env = {"env": content.get("env", {}) | said.get("env", {})}
            needs[job] = self.job(said | job_env, contexts | {"needs": mine})
        return needs

    def job(self, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job, once for each of its matrix; what it says to others."""
        went_well = all(one["result"] == "success" for one in contexts["needs"].values())
        condition = job.get("if", "success()")
        asked = evaluate(condition, contexts)
        if not (asked and (went_well or "always()" in condition)):
            return {"result": "skipped", "outputs": {}}
        matrix = job.get("strategy", {}).get("matrix", {})
        [(name, values)] = [(one, filled(some, contexts)) for one, some in matrix.items()] or [("", [None])]
        results, outputs = set(), {}
        for index, value in enumerate(values if isinstance(values, list) else json.loads(values)):
            here = dict(contexts) | {"matrix": {name: value}, "strategy": {"job-index": index}}
            result, steps = self.steps(job, here)
            results.add(result)
            outputs = {key: filled(text, here | {"steps": steps}) for key, text in job.get("outputs", {}).items()}
        return {"result": "failure" if "failure" in results else "success", "outputs": outputs}

    def steps(self, job: Mapping[str, Any], contexts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Run a job's steps in order; its result, and the outputs of its steps."""
        if "uses" in job:  # a workflow of our own, whose verbs are others'
            return ("success" if self.run(f"make {job['uses']}", {}) == 0 else "failure"), {}
        result, steps = "success", {}
        given = contexts | {
            "runner": {"temp": str(self.temporary)},
            "github": {"token": self.token} | contexts.get("github", {}),
        }
        env = {name: filled(text, given) for name, text in job.get("env", {}).items()}
        for step in job["steps"]:
            if result == "failure" and step.get("if") != "always()":
                continue
            here = given | {"env": env, "steps": steps}
            output = self.temporary / "output"
            output.write_text("")
            mine = env | {name: filled(text, here) for name, text in step.get("env", {}).items()}
            if not self.step(step, mine | {"GITHUB_OUTPUT": str(output)}, here) and not step.get("continue-on-error"):
                result = "failure"
            said = (line.partition("=") for line in output.read_text().splitlines())
            steps = steps | {step.get("id", ""): {"outputs": {key: value for key, _, value in said}}}
        return result, steps

    def step(self, step: Mapping[str, Any], env: Mapping[str, str], contexts: Mapping[str, Any]) -> bool:
        """Do one step; whether it went well."""
        if "run" in step:
            return self.run(step["run"], env) == 0
        action, told = step["uses"].partition("@")[0], {k: filled(v, contexts) for k, v in step.get("with", {}).items()}
        return {
            "actions/checkout": lambda told: True,
            "./.github/actions/setup": lambda told: True,
            "actions/upload-artifact": self.upload,
            "actions/download-artifact": self.download,
            "actions/create-github-app-token": lambda told: self.app(told, Path(env["GITHUB_OUTPUT"])),
        }[action](told)

    def app(self, told: Mapping[str, Any], output: Path) -> bool:
        """A token of the app with the permissions that are asked for; the rest of what is told is who asks."""
        asked = {name: value for name, value in told.items() if name.startswith("permission-")}
        self.granted = {name.removeprefix("permission-"): value for name, value in asked.items()}
        output.write_text(f"token={self.token}\napp-slug=fledge\n")
        return told.keys() - asked.keys() == {"client-id", "private-key"} and all(told.values())

    def upload(self, told: Mapping[str, Any]) -> bool:
        """Keep the files of a path; hidden folders count only where that is asked for (upload-artifact v4.4)."""
        hidden = told["path"].startswith(".") and not told.get("include-hidden-files")
        files = [] if hidden else [Path(name) for name in glob.glob(str(self.root / told["path"]))]
        if files:
            self.artifacts[told["name"]] = {file.name: file.read_bytes() for file in files if file.is_file()}
        return True

    def download(self, told: Mapping[str, Any]) -> bool:
        """Write the files of the artifacts that are named, or that match a pattern; a name that is not there fails."""
        pattern = re.escape(told["name"]) if "name" in told else told["pattern"].replace("*", ".*")
        names = [name for name in self.artifacts if re.fullmatch(pattern, name)]
        folder = self.root / told["path"]
        for name in names:
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in self.artifacts[name].items():
                (folder / file).write_bytes(content)
        return bool(names) or "pattern" in told


def listed(value: Any) -> list[str]:
    """`needs` is nothing, a name or a list of names."""
    return [value] if isinstance(value, str) else list(value or [])


def filled(text: Any, contexts: Mapping[str, Any]) -> Any:
    """A value of the workflow with its expressions evaluated; one that is nothing but an expression keeps its kind."""
    if not isinstance(text, str):
        return text if isinstance(text, bool | list) else str(text)
    if whole := re.fullmatch(r"\$\{\{(.*)\}\}", text):
        found = evaluate(whole[1], contexts)
        return (
            found if isinstance(found, str | list) else {True: "true", False: "false", None: ""}.get(found, str(found))
        )
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(evaluate(match[1], contexts)), text)


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """An expression of `||`, `&&`, `==`, `!=`, literals, contexts and the functions that we use."""
    text = text.strip()
    for operator, act in (
        (" || ", lambda a, b: a or b),
        (" && ", lambda a, b: a and b),
        (" == ", lambda a, b: a == b),
        (" != ", lambda a, b: a != b),
    ):
        left, found, right = text.partition(operator)
        if found:
            return act(evaluate(left, contexts), evaluate(right, contexts))
    if literal := re.fullmatch(r"'([^']*)'", text):
        return literal[1]
    if call := re.fullmatch(r"(\w+)\((.*)\)", text):
        functions = {"always": lambda: True, "success": lambda: True, "toJSON": json.dumps, "fromJSON": json.loads}
        return functions[call[1]](*([evaluate(call[2], contexts)] if call[2] else []))
    value: Any = contexts
    for part in text.split("."):
        if value is None:
            return None
        value = value[part] if part in value or value is contexts else None
    return value


def made(root: Path, heard: list[str], **instead: Callable[[Mapping[str, str]], int]) -> Run:
    """A `run` that does `make <verb>` in `root`, where the environment is set up; `instead` of some verbs it calls."""

    def run(command: str, env: Mapping[str, str]) -> int:
        verb, *words = command.removeprefix("make ").split()
        heard.append(command)
        if verb.replace("-", "_") in instead:
            return instead[verb.replace("-", "_")](env)
        old = [word for state in ("setup", ".venv/ready", ".venv/light") for word in ("-o", state)]
        base = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["make", *old, verb, *words], cwd=root, env=base | dict(env), capture_output=True, text=True
        )
        heard.extend(f"  {line}" for line in (done.stdout + done.stderr).splitlines())
        return done.returncode

    return run


def equipped(root: Path) -> None:
    """Put the template's verbs into a scratch clone, unseen by git."""
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "exclude").write_text("/Makefile\n/scripts\n/fledge\n/.venv\n/.fledge\n")
    shutil.copy(ROOT / "Makefile", root / "Makefile")
    for name in ("scripts", "fledge", ".venv"):
        (root / name).symlink_to(ROOT / name)
