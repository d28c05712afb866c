"""The workflows: what actionlint and the house's style say, and the verbs that they name run against a local GitHub."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fledge import evidence
from fledge.evidence import Evidence
from fledge.gates import process, required
from fledge.github import REVERTS
from fledge.project import read_yaml
from scripts import land, rollback, setup
from tests import findings
from tests.actions import WORKFLOWS, Actions, equipped, made
from tests.conftest import ROOT, Repository
from tests.hub import TOKEN, Hub, serving
from tests.tiny.offered import Owner, an_owner, artifact

FILES = sorted(WORKFLOWS.glob("*.yml"))
ACTION = ROOT / ".github" / "actions" / "setup" / "action.yml"
CONTENT = {file.name: read_yaml(file) for file in FILES}
JOBS = {f"{file}:{name}": job for file, content in CONTENT.items() for name, job in content["jobs"].items()}
STEPS = {f"{who}:{number}": step for who, job in JOBS.items() for number, step in enumerate(job.get("steps", []))}
STEPS |= {f"setup:{number}": step for number, step in enumerate(read_yaml(ACTION)["runs"]["steps"])}


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """actionlint in the version that setup pins, built where it is not there."""
    if not setup.built("actionlint"):
        setup.build("actionlint")
    return ROOT / ".tools" / "actionlint"


def lint(actionlint: Path, *files: Path) -> str:
    """What actionlint says, without the tools that a machine may or may not have."""
    command = [actionlint, "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_actionlint_accepts_every_workflow(actionlint: Path) -> None:
    """Keys, contexts, expressions, needs and permissions are as GitHub knows them."""
    assert FILES
    assert lint(actionlint, *FILES) == ""


# what is changed in gates.yml, and what actionlint then says
BROKEN = {
    "needs": ("needs: affected\n", "needs: affect\n", 'needs job "affect" which does not exist'),
    "context": ("needs.affected.outputs.batches", "needs.affected.output.batches", 'property "output" is not defined'),
    "permission": ("{ contents: read }", "{ content: read }", 'unknown permission scope "content"'),
    "key": ("runs-on: ubuntu-24.04", "run-on: ubuntu-24.04", '"runs-on" section is missing'),
    "event": ("on: pull_request\n", "on: pull_requests\n", 'unknown Webhook event "pull_requests"'),
}


@pytest.mark.parametrize(("before", "after", "reason"), BROKEN.values(), ids=BROKEN)
def test_actionlint_refuses_a_broken_workflow(
    actionlint: Path, tmp_path: Path, before: str, after: str, reason: str
) -> None:
    """A slip in a name is found, for its own reason."""
    broken = tmp_path / "gates.yml"
    text = (WORKFLOWS / "gates.yml").read_text()
    assert before in text
    broken.write_text(text.replace(before, after))
    assert reason in lint(actionlint, broken)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_is_short_and_grants_nothing_by_default(file: Path) -> None:
    """At most 80 lines, no permission that a job does not ask for itself, and each job asks."""
    content = CONTENT[file.name]
    assert len(file.read_text().splitlines()) <= 80
    assert content["permissions"] == {}
    assert all(job["permissions"] for job in content["jobs"].values())


@pytest.mark.parametrize("who", [who for who, step in STEPS.items() if "run" in step])
def test_a_step_is_a_verb(who: str) -> None:
    """What runs is one `make` and nothing else, of verbs that `make` lists."""
    command = STEPS[who]["run"]
    assert re.fullmatch(r"make ([a-z-]+( [a-z-]+)*|\$\{\{ matrix\.verb \}\})", command)
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = [line.split()[0] for line in listed.splitlines()]
    wanted = (
        JOBS[who.rpartition(":")[0]]["strategy"]["matrix"]["verb"] if "matrix.verb" in command else command.split()[1:]
    )
    assert set(wanted) <= set(verbs)


@pytest.mark.parametrize("file", [*FILES, ACTION], ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    """Each action of others is a commit with its version beside it, and one action is the same commit everywhere."""
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    assert used
    for name, comment in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_one_action_is_one_commit() -> None:
    """No two files pin the same action differently."""
    pins = {name for file in [*FILES, ACTION] for name in re.findall(r"uses: ([\w-]+/\S+)", file.read_text())}
    assert len({name.partition("@")[0] for name in pins}) == len(pins)


def test_only_the_comment_may_write() -> None:
    """A stranger's code runs with a token that reads; what can comment checks out the target branch's code alone."""
    writing = {who for who, job in JOBS.items() if "write" in job["permissions"].values()}
    assert writing == {"comment.yml:comment"}
    assert CONTENT["comment.yml"]["on"].keys() == {"workflow_run"}
    checkouts = [step for step in JOBS["comment.yml:comment"]["steps"] if "checkout" in step.get("uses", "")]
    assert [step.get("with") for step in checkouts] == [{"persist-credentials": False}]


def test_no_checkout_leaves_its_token() -> None:
    """Whatever runs later finds no credentials in .git/config."""
    checkouts = [step for step in STEPS.values() if "actions/checkout" in step.get("uses", "")]
    assert len(checkouts) >= 5
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_secrets_are_the_owners_branches_alone() -> None:
    """Where a pull request's code runs every secret is behind the question whether the branch is of this repository."""
    text = (WORKFLOWS / "gates.yml").read_text()
    secrets = re.findall(r"\$\{\{[^}]*secrets\.[^}]*\}\}", text)
    assert secrets
    assert all(re.fullmatch(r"\$\{\{ env\.OURS == 'true' && secrets\.\w+ \|\| '' \}\}", one) for one in secrets)
    assert text.count("secrets.") == len(secrets)
    ours = "${{ github.event.pull_request.head.repo.full_name == github.repository }}"
    assert CONTENT["gates.yml"]["env"] == {"LIGHT": 1, "OURS": ours}
    assert text.count("OURS:") == 1  # no job says otherwise
    asking = [step["run"] for who, step in STEPS.items() if who.startswith("gates.yml") and "secrets.AWS" in str(step)]
    assert asking == ["make affected", "make check", "make gates"]


def test_the_night_is_the_target_branchs() -> None:
    """What runs on a schedule is asked for by no pull request, and only what fetches a model reads the remote's key."""
    assert set(CONTENT["nightly.yml"]["on"]) == {"schedule", "workflow_dispatch"}
    asking = {who: step["run"] for who, step in STEPS.items() if who.startswith("nightly") and "secrets." in str(step)}
    assert list(asking.values()) == ["make explore"]
    assert JOBS["nightly.yml:template"]["env"] == {"FULL": 1}


def test_the_apps_key_is_of_the_target_branch_alone() -> None:
    """The other secret is the app's key: only the action that makes a token reads it, where no pull request's code runs."""
    readers = {"gates.yml", "nightly.yml"}  # of the remote
    others = {
        file.name: text for file in FILES if file.name not in readers and "secrets." in (text := file.read_text())
    }
    assert set(others) == {"auto-revert.yml", "healthy.yml", "promote.yml"}
    for name, text in others.items():
        assert set(CONTENT[name]["on"]) <= {"workflow_dispatch", "workflow_run", "push"}
        assert set(re.findall(r"secrets\.\w+", text)) == {"secrets.FLEDGE_PRIVATE_KEY"}
        for job in CONTENT[name]["jobs"].values():
            assert job["environment"] == "fledge"
            [made] = [step for step in job["steps"] if "create-github-app-token" in step.get("uses", "")]
            given = [step for step in job["steps"] if "secrets." in str(step)]
            assert given == [made]
            assert {
                name for name in made["with"] if name.startswith("permission-")
            }  # without any it has all of the app's


def test_what_auto_revert_waits_for_is_the_required_check() -> None:
    """The job has no other name than the one asked for, by which GitHub calls its check; its end lands just such branches."""
    assert "name" not in JOBS[f"gates.yml:{land.CHECK}"]
    assert CONTENT["auto-revert.yml"]["on"]["workflow_run"]["branches"] == [f"{REVERTS}/**"]


def test_what_is_asked_for_is_data() -> None:
    """No expression stands in a command, and no verb lets make or the shell read the words that a cluster sent."""
    assert not [
        who for who, step in STEPS.items() if "inputs." in step.get("run", "") or "github." in step.get("run", "")
    ]
    recipes = (ROOT / "Makefile").read_text()
    for name in ("TAG", "DELIVERY", "REASON"):
        assert f'"$${name}"' in recipes
        assert f"$({name})" not in recipes


def test_the_model_runs_without_the_credentials_that_fetched_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable that the workflow fills from a secret, nor GitHub's token, reaches the process in which a model runs."""
    step = next(step for step in JOBS["gates.yml:gates"]["steps"] if step.get("run") == "make gates")
    secret = {name for name, text in step["env"].items() if "secrets." in text} | {"GITHUB_TOKEN"}
    for name in secret:
        monkeypatch.setenv(name, "secret")
    assert len(secret) == 3
    assert "secret" not in process.environment().values()


def test_the_required_check_knows_every_job() -> None:
    """gates-pass waits for all other jobs, whatever became of them, and its verb knows them by the same names."""
    jobs = CONTENT["gates.yml"]["jobs"]
    assert jobs["gates-pass"]["if"] == "always()"
    assert jobs["gates-pass"]["needs"] == [name for name in jobs if name != "gates-pass"]
    assert tuple(jobs["gates-pass"]["needs"]) == required.JOBS
    assert {name for name, job in jobs.items() if "if" in job} - {"gates-pass"} == set(required.IDLE)


@pytest.fixture
def owner(repository: Repository, tmp_path: Path) -> Owner:
    """1.0.0 and then 1.1.0 served in staging, and a branch begins, in a clone with the template's verbs."""
    (tmp_path / "rows").write_text("July")
    owner = an_owner(repository, tmp_path / "remote", tmp_path / "rows")
    for version in ("1.0.0", "1.1.0"):
        offer(owner, tmp_path / version)
        owner.serve()
    owner.branch()
    equipped(owner.root)
    return owner


def offer(owner: Owner, folder: Path) -> str:
    """Release an artifact by the name of its folder; its hash."""
    return owner.offer(folder.name, artifact(folder, folder.name)).artifact.md5


@pytest.fixture
def hub() -> Iterator[Hub]:
    """GitHub, whose token may do what comment.yml asks for."""
    with serving(Hub(grants=JOBS["comment.yml:comment"]["permissions"])) as made:
        yield made


@pytest.fixture
def scene(owner: Owner, hub: Hub, tmp_path: Path) -> Any:
    """Both workflows on the owner's branch, one after the other, as GitHub runs them."""

    def play(
        evidence_of: Mapping[str, str], gates: int = 0, head: str = "owner/models"
    ) -> tuple[dict[str, Any], list[str]]:
        heard: list[str] = []
        sha = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=owner.root, capture_output=True, text=True
        ).stdout.strip()
        event = {"pull_request": {"number": 7, "head": {"sha": sha, "repo": {"full_name": head}}}}
        seen: dict[str, Mapping[str, str]] = {}

        def judge(env: Mapping[str, str]) -> int:
            for name, text in evidence_of.items():
                file = owner.root / ".fledge" / "artifacts" / f"{name}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            return gates

        summary = tmp_path / "summary"
        actions = Actions(owner.root, tmp_path, made(owner.root, heard, gates=judge), TOKEN)
        actions.run = with_summary(actions.run, summary, seen)
        secrets = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        needs = actions.workflow("gates.yml", github={"event": event, "repository": "owner/models"}, secrets=secrets)
        hub.opened(7, sha, head=head)
        home = {"full_name": head, "owner": {"login": head.partition("/")[0]}}
        ended = {
            "id": 5,
            "path": ".github/workflows/gates.yml",
            "html_url": "https://github.com/owner/models/actions/runs/5",
            "head_sha": sha,
            "head_branch": "work",
        }
        conclusion = "success" if needs["gates-pass"]["result"] == "success" else "failure"
        run = ended | {"conclusion": conclusion, "head_repository": home, "event": "pull_request"}
        (tmp_path / "event.json").write_text(json.dumps({"workflow_run": run}))
        actions.run = default(made(owner.root, heard), hub, tmp_path / "event.json")
        done = actions.workflow("comment.yml", github={"event": {"workflow_run": run}})
        assert done["comment"]["result"] == "success", heard
        return {"needs": needs, "env": seen.get("make gates"), "steps": seen, "summary": summary.read_text()}, heard

    return play


def with_summary(run: Any, summary: Path, seen: dict[str, Mapping[str, str]]) -> Any:
    """The variables that GitHub sets in every step of the first workflow; `seen` gets what each step is given."""

    def act(command: str, env: Mapping[str, str]) -> Any:
        seen[command] = dict(env) | {"GITHUB_STEP_SUMMARY": str(summary)}
        return run(command, seen[command])

    return act


def default(run: Any, hub: Hub, event: Path) -> Any:
    """The variables that GitHub sets in every step of the second."""
    given = {"GITHUB_API_URL": hub.url, "GITHUB_REPOSITORY": "owner/models", "GITHUB_EVENT_PATH": str(event)}
    return lambda command, env: run(command, dict(env) | given)


def results(found: Mapping[str, Any]) -> dict[str, str]:
    """Each job's result."""
    return {name: job["result"] for name, job in found["needs"].items()}


def keys(found: Mapping[str, Any]) -> set[str]:
    """The steps that are given a key of the remote."""
    return {
        step for step, env in found["steps"].items() if env.get("AWS_ACCESS_KEY_ID") or env.get("AWS_SECRET_ACCESS_KEY")
    }


def of(md5: str, found: Evidence) -> dict[str, str]:
    """What the gates leave that judged an artifact."""
    found = replace(found, candidate=dict(found.candidate) | {"md5": md5})
    return {f"staging_tiny-{md5}": evidence.to_json(found)}


ALL = {"affected": "success", "check": "success", "gates": "success", "template": "skipped", "gates-pass": "success"}


def test_a_good_candidate_passes_and_is_told(owner: Owner, hub: Hub, tmp_path: Path, scene: Any) -> None:
    """From the branch to the comment, every verb as the workflows name it: judged, required, summed up, told once."""
    md5 = offer(owner, tmp_path / "1.1.1")
    found, heard = scene(of(md5, findings.passing()))
    assert results(found) == ALL, heard
    assert found["env"]["BATCH"] == "staging/tiny"
    assert found["env"]["STORE"] == "1"
    assert keys(found) == {"make affected", "make check", "make gates"}
    assert found["summary"].startswith("## gates-pass: PASS\n\n- staging/tiny: candidate 1.1.1, champion 1.1.0\n")
    [comment] = hub.comments
    assert "## gates-pass: PASS\n" in comment["body"]
    assert "### tiny: PASS" in comment["body"]
    assert [line for line in heard if line.startswith("make")] == [
        "make affected", "make check", "make gates", "make verdict", "make comment",
    ]  # fmt: skip


def test_a_blocked_candidate_is_refused_and_told(owner: Owner, hub: Hub, tmp_path: Path, scene: Any) -> None:
    """The required check fails, and the comment says what blocks though the gates' job failed."""
    md5 = offer(owner, tmp_path / "1.1.1")
    found, _ = scene(of(md5, findings.judged()), gates=2)
    assert results(found) == ALL | {"gates": "failure", "gates-pass": "failure"}
    [comment] = hub.comments
    assert "## gates-pass: BLOCK\n" in comment["body"]
    assert "- gates-pass: gates is failure, expected success (its log says why)" in comment["body"]
    assert "### tiny: BLOCK" in comment["body"]


def test_a_candidate_whose_gates_leave_nothing_is_refused(owner: Owner, tmp_path: Path, scene: Any) -> None:
    """A job that says success and left no evidence is no pass."""
    offer(owner, tmp_path / "1.1.1")
    found, heard = scene({})
    assert results(found) == ALL | {"gates-pass": "failure"}
    assert any("staging/tiny: found no evidence, expected that of its gates" in line for line in heard)


def test_a_rollback_runs_no_gate(owner: Owner, hub: Hub, scene: Any) -> None:
    """Its gates are skipped, the required check knows that this is right, and no job needs TensorFlow."""
    assert rollback.main(["--model", "tiny", "--env", "staging", "--to", "1.0.0"]) == 0
    found, heard = scene({})
    assert results(found) == ALL | {"gates": "skipped"}, heard
    assert found["summary"] == "## gates-pass: PASS\n\n- staging/tiny: rollback 1.0.0, no gate\n"
    assert "make gates" not in heard
    assert CONTENT["gates.yml"]["env"]["LIGHT"] == CONTENT["comment.yml"]["jobs"]["comment"]["env"]["LIGHT"] == 1
    heavy = {name for name, job in CONTENT["gates.yml"]["jobs"].items() if job.get("env", {}).get("LIGHT") == ""}
    assert heavy == {"gates"}


def test_a_forks_candidate_is_judged_without_credentials(owner: Owner, hub: Hub, tmp_path: Path, scene: Any) -> None:
    """Its model runs with no secret and stores nothing; its pull request still gets the comment."""
    md5 = offer(owner, tmp_path / "1.1.1")
    found, _ = scene(of(md5, findings.passing()), head="stranger/models")
    assert results(found) == ALL
    given = {name: value for name, value in found["env"].items() if name != "GITHUB_OUTPUT" and value}
    assert given == {"OURS": "false", "BATCH": "staging/tiny", "GITHUB_STEP_SUMMARY": given["GITHUB_STEP_SUMMARY"]}
    assert keys(found) == set()
    [comment] = hub.comments
    assert comment["issue"] == 7


def test_a_broken_promise_is_refused_before_any_gate(owner: Owner, hub: Hub, scene: Any) -> None:
    """What `make check` refuses is in the comment's verdict too."""
    rendered = owner.root / "manifests" / "rendered" / "staging" / "tiny.yaml"
    rendered.write_text(rendered.read_text().replace("replicas: ", "replicas: 1", 1))
    owner.repository.commit("By hand")
    found, _ = scene({})
    assert found["needs"]["check"]["result"] == found["needs"]["gates-pass"]["result"] == "failure"
    assert "- gates-pass: check is failure" in hub.comments[0]["body"]
