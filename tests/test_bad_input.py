"""Bad input of the verbs of delivery: a line for the person who must act, exit code 1, and everything as it was."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from fledge import git, release
from fledge.problems import Main
from fledge.release import Denial, Files
from scripts import auto_revert, check, gc, healthy, promote, rollback, status
from scripts import release as releasing
from scripts import render as rendering
from scripts.fleet import Fleet
from tests import fleets
from tests.untouched import seen

FIRST, SECOND = "model-0000", "model-0001"
STAGING, PRODUCTION = Files("staging", SECOND), Files("production", SECOND)
NOWHERE = "0" * 12
Said = pytest.CaptureFixture[str]
Act = Callable[[Fleet], object]

RELEASE = (releasing.main, ["--model", SECOND])
PROMOTE = (promote.main, ["--model", SECOND, "--to", "production"])
ROLLBACK = (rollback.main, ["--model", SECOND, "--env", "staging"])
REVERT = (auto_revert.main, ["--model", SECOND, "--env", "staging", "--reason", "judge: no", "--delivery", "CANARY"])
HEALTHY = (healthy.main, ["--model", SECOND, "--env", "staging", "--delivery", "CANARY"])
CHECK, RENDER, GC, STATUS = (check.main, []), (rendering.main, []), (gc.main, []), (status.main, [])
Verb = tuple[Main, list[str]]
PERSONS = (RELEASE, PROMOTE, ROLLBACK)


class Row(NamedTuple):
    """After `done`, each of `verbs` says exactly `lines`, regular expressions."""

    name: str
    done: Act
    verbs: Sequence[Verb]
    lines: Sequence[str]


def nothing(made: Fleet) -> None:
    """All is well."""


def sh(command: str) -> Act:
    """In the clone."""
    return lambda made: subprocess.run(["sh", "-ec", command], cwd=made.root, check=True, capture_output=True)


def write(name: str | Path, text: str) -> Act:
    """A file of the clone."""

    def act(made: Fleet) -> None:
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        (made.root / name).write_text(text)

    return act


def raw(name: Path) -> Act:
    """A file of bytes that are no text."""
    return lambda made: (made.root / name).write_bytes(b"\xff\n")


def edit(name: str | Path, old: str, new: str) -> Act:
    """Another text in a file of the clone."""

    def act(made: Fleet) -> None:
        text = (made.root / name).read_text()
        assert old in text
        (made.root / name).write_text(text.replace(old, new))

    return act


def merged(*acts: Act) -> Act:
    """Committed to the target branch."""

    def act(made: Fleet) -> None:
        for one in acts:
            one(made)
        git.commit(made.root, "By hand", ".")
        git.git(made.root, "push", "--quiet", "origin", "main")

    return act


def all_of(*acts: Act) -> Act:
    return lambda made: [act(made) for act in acts]


def hook(where: str, name: str) -> Act:
    """Whoever asks this repository to take something is refused; `where` is the clone's hooks, or those of its origin."""

    def act(made: Fleet) -> None:
        file = made.root / where / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\necho 'not like this' >&2\nexit 1\n")
        file.chmod(0o755)

    return act


def judge(made: Fleet) -> None:
    """The canary becomes healthy."""
    fleets.judged(STAGING, canary(made))


def denied(files: Files) -> Act:
    """What `files` tell is denied."""

    def act(made: Fleet) -> None:
        denial = Denial(delivery=canary(made), version="1.0.1", cause="judge: no", time="2026-01-02")
        merged(write(files.denied, release.denied_to_text(files.model, [denial])))(made)

    return act


def canary(made: Fleet) -> str:
    """What staging tells of SECOND: merged, and judged by nobody yet."""
    text = (made.root / STAGING.rendered).read_text()
    match = re.search(r'fledge.dev/delivery: "?([0-9a-f]{12})', text)
    assert match
    return match[1]


def behind(made: Fleet) -> None:
    """The target branch gets another commit of both environments, which this branch has not."""
    branch = git.branch(made.root)
    git.git(made.root, "switch", "--quiet", "main")
    merged(edit(PRODUCTION.release, "size: ", "size: 9"))(made)
    git.git(made.root, "switch", "--quiet", branch)


def reverting(made: Fleet) -> None:
    """A `git revert` by hand that stopped with a conflict."""
    merged(edit(STAGING.release, "size: ", "size: 9"))(made)
    merge = git.git(made.root, "rev-parse", "HEAD~1")
    done = subprocess.run(["git", "revert", "--no-edit", "-m", "1", merge], cwd=made.root, capture_output=True)
    assert done.returncode == 1


UNKNOWN = "no such {0}, expected one of {1} \\(project.yaml: {0}s\\)"
MODELS, ENVIRONMENTS = (
    UNKNOWN.format("model", f"{FIRST}, {SECOND}"),
    UNKNOWN.format("environment", "staging, production"),
)
NOT_COMMITTED = "is not committed, expected a clean tree \\(git commit or git restore\\)"
NOT_KNOWN = "is not committed, expected a clean tree \\(git add and git commit, or git clean\\)"
AWAY = "git: '/nowhere' does not appear to be a git repository, expected `git {} …` to succeed .*"
UP = f"make promote MODEL={FIRST} TO=production"
BACK = f"make rollback MODEL={FIRST} ENV=production"


def promoting(model: str, to: str) -> Verb:
    return promote.main, ["--model", model, "--to", to]


def rolling_back(model: str, env: str, *more: str) -> Verb:
    return rollback.main, ["--model", model, "--env", env, *more]


def reverting_(model: str = SECOND, env: str = "staging", delivery: str = NOWHERE) -> Verb:
    return auto_revert.main, ["--model", model, "--env", env, "--reason", "no", "--delivery", delivery]


def judging(model: str = SECOND, env: str = "staging", delivery: str = NOWHERE, *more: str) -> Verb:
    return healthy.main, ["--model", model, "--env", env, "--delivery", delivery, *more]


ROWS = [
    # What is typed.
    Row("an unknown model", nothing, [(releasing.main, ["--model", "churn"]), promoting("churn", "production"),
        rolling_back("churn", "staging"), reverting_("churn"), judging("churn"), (status.main, ["--model", "churn"])],
        [f"churn: {MODELS}"]),
    Row("an unknown environment", nothing, [promoting(FIRST, "moon"), rolling_back(FIRST, "moon"), reverting_(env="moon"),
        judging(env="moon")], [f"moon: {ENVIRONMENTS}"]),
    Row("unknown names among several", nothing, [promoting(f"churn {FIRST} ocean", "moon")],
        [f"churn: {MODELS}", f"ocean: {MODELS}", f"moon: {ENVIRONMENTS}"]),
    Row("nothing typed", nothing, [promoting("", "")],
        [f"\\(no name\\): {MODELS}; type `{UP}`", f"\\(no name\\): {ENVIRONMENTS}; type `{UP}`"]),
    Row("no model typed", nothing, [rolling_back("", "staging")], [f"\\(no name\\): {MODELS}; type `{BACK}`"]),
    Row("no environment typed", nothing, [rolling_back(FIRST, "")], [f"\\(no name\\): {ENVIRONMENTS}; type `{BACK}`"]),
    Row("no model to release", nothing, [(releasing.main, ["--model", ""])],
        [f"\\(no name\\): {MODELS}; type `make release MODEL={FIRST}`"]),
    Row("a project.yaml without models", write("project.yaml", "models: []\n"),
        [*PERSONS, HEALTHY, CHECK, RENDER, GC, STATUS],
        ["project.yaml: found \\[\\], .*models\\)", *[f"project.yaml: key is missing, .*{key}\\)" for key in
         ("environments", "repository", "branch", "images")]]),
    Row("a project.yaml that is no text", lambda made: (made.root / "project.yaml").write_bytes(b"\xff"),
        [*PERSONS, HEALTHY, CHECK, RENDER, GC, STATUS], ["project.yaml: 'utf-8' codec can't .*, expected a text \\(.*\\)"]),
    Row("a deny list that is no text", merged(raw(STAGING.denied)), [STATUS, CHECK],
        [f"({STAGING.denied}|denied.yaml): .*, expected a .* \\(.*\\)"]),
    # The clone.
    Row("unrelated changes", all_of(write("notes.txt", "mine"), edit("dvc.yaml", "stages", "stage")), [*PERSONS, REVERT],
        [f"git: dvc.yaml {NOT_COMMITTED}", f"git: notes.txt {NOT_KNOWN}"]),
    Row("a revert that stopped", reverting, [*PERSONS, REVERT],
        [f"git: .* {NOT_COMMITTED}", f"git: manifests/releases/staging/{SECOND}/release.yaml {NOT_COMMITTED}",
         f"git: manifests/rendered/staging/{SECOND}.yaml {NOT_COMMITTED}"]),
    Row("a detached HEAD", sh("git checkout -q --detach"), PERSONS,
        ["git: HEAD is detached at [0-9a-f]{10}, expected a branch to commit to \\(git switch -c NAME\\)"]),
    Row("a branch that would conflict", all_of(judge, sh("git switch -qc work main~1"), behind), PERSONS,
        [f"(staging|production)/{SECOND}: origin/main changed it since this branch left, .* \\(git merge origin/main\\)"]),
    Row("a shallow clone", sh("git rev-parse HEAD > .git/shallow"), [*PERSONS, GC, STATUS],
        ["(release|promote|rollback|gc|status): this clone is shallow, expected all of the history \\(git fetch --unshallow\\)"]),
    Row("no target branch", edit("project.yaml", "branch: main", "branch: trunk"), [HEALTHY, CHECK, RENDER, GC, STATUS],
        ["git: no branch trunk found, expected the branch that Argo CD follows \\(project.yaml: branch\\)"]),
    Row("a hook of the clone", all_of(judge, hook(".git", "pre-commit")), [PROMOTE, ROLLBACK],
        ["git: not like this, expected `git commit --quiet -m …` to succeed .*"]),
    Row("a hook in the app's clone", hook(".git", "pre-commit"), [REVERT],
        ["git: not like this, expected `git commit --quiet -m …` to succeed .*"]),
    Row("somebody else's index", all_of(judge, write(".git/index.lock", "")), [PROMOTE, ROLLBACK],
        ["git: Unable to create '.*index.lock': File exists., expected `git add -- .*"]),
    # git's remote.
    Row("origin is away", sh("git remote set-url origin /nowhere"), [REVERT, HEALTHY, GC], [AWAY.format("fetch --quiet .*")]),
    Row("origin takes nothing", hook("../origin.git", "pre-receive"), [REVERT, HEALTHY],
        ["git: ! \\[remote rejected\\] .* \\(pre-receive hook declined\\), expected `git push --quiet .*` to succeed .*"]),
    # DVC's remote.
    Row("no remote", write(".dvc/config", "[core]\n"), [GC],
        ["dvc: no default remote found, expected one \\(.dvc/config: core.remote\\)"]),
    # What is promoted and rolled back.
    Row("a promotion of nothing", nothing, [promoting(FIRST, "production")],
        [f"production/{FIRST}: 1.0.0 is there already, .* \\(make release MODEL={FIRST}\\)"]),
    Row("a promotion of a canary", nothing, [PROMOTE],
        [f"production/{SECOND}: 1.0.1 is not healthy in staging, expected the tag healthy/staging/.* \\(git fetch --tags\\)"]),
    Row("a promotion to the first environment", nothing, [promoting(FIRST, "staging")],
        [f"staging/{FIRST}: found the first environment, expected a later one \\(make release MODEL={FIRST}\\)"]),
    Row("a promotion past an environment", merged(sh(f"git rm -qr {STAGING.release.parent} {STAGING.rendered}")), [PROMOTE],
        [f"production/{SECOND}: no release found in staging, expected one that .* \\(make release MODEL={SECOND}\\)"]),
    Row("a promotion of what is denied", all_of(judge, denied(PRODUCTION)), [PROMOTE],
        [f"production/{SECOND}: delivery [0-9a-f]{{12}} \\(1.0.1\\) is denied since 2026-01-02 \\(judge: no\\), .*"]),
    Row("a rollback to what is denied", denied(STAGING), [rolling_back(SECOND, "staging", "--to", "1.0.1")],
        [(f"staging/{SECOND}: delivery [0-9a-f]{{12}} \\(1.0.1\\) is denied since 2026-01-02 \\(judge: no\\), "
         "expected one of: 1.0.0 \\([0-9a-f]{12}\\) \\(make status\\)")]),
    Row("a rollback from the oldest", nothing, [rolling_back(FIRST, "production")],
        [(f"production/{FIRST}: 1.0.0 \\([0-9a-f]{{12}}\\) is the oldest healthy delivery, "
         "expected TO=one of: none: nothing else was healthy \\(make status\\)")]),
    Row("a release.yaml that is none", merged(write(STAGING.release, "spec: [")), [PROMOTE, STATUS],
        [".*release.yaml: while parsing .*, expected YAML \\(.*release.yaml\\)"]),
    # What is rendered and checked.
    Row("a base that does not build", merged(write("manifests/base/rollout.yaml", "kind: [")), [RENDER, PROMOTE, STATUS],
        ["kustomize: .*, expected manifests that build \\(manifests/\\)"]),
    Row("limits that are none", all_of(*(edit(f"models/{model}/params.yaml", "error_ratio: ", "error_ratio: 7 # ")
        for model in (FIRST, SECOND)), sh("echo >> manifests/rendered/platform.yaml; git switch -qc work")), [RENDER],
        [f"{model}: found 7.0, expected a ratio between 0 and 1 .*" for model in (FIRST, SECOND)]),
    Row("a file that was tampered with", edit(PRODUCTION.rendered, "--port=8500", "--port=8600"), [CHECK],
        [f"production/{SECOND}: delivery is .*, expected .*", f"production/{SECOND}: .*yaml is not current, .*"]),
    # What the cluster says.
    Row("a delivery that never came", nothing, [reverting_(), judging()],
        [f"staging/{SECOND}: delivery {NOWHERE} never came there, expected one of .*"]),
    Row("an abort of what was healthy", judge, [REVERT],
        [f"staging/{SECOND}: delivery [0-9a-f]{{12}} was healthy there, expected a canary .*"]),
    Row("health of what is denied", denied(STAGING), [HEALTHY],
        [f"staging/{SECOND}: delivery [0-9a-f]{{12}} is denied, expected one that is not .*"]),
    Row("a first delivery without a gateway", nothing, [judging(SECOND, "staging", "CANARY", "--first")],
        [f"staging/{SECOND}: no gateway given, expected where golden requests go \\(--gateway HOST:PORT\\)"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def begun(pair: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Two models, 1.0.0 healthy in both environments, and 1.0.1 of the second merged to staging, where nobody judged it."""
    folder = tmp_path_factory.mktemp("begun")
    with fleets.own(pair, folder) as made:
        fleets.release(made, SECOND, "1.0.1")
    return made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input_is_told_and_leaves_everything_as_it_was(
    begun: Fleet, tmp_path: Path, capsys: Said, row: Row
) -> None:
    """Exit code 1, the lines of the row and no other, and HEAD, refs, index, files and origin as before."""
    with fleets.own(begun, tmp_path) as made:
        aborted, origin = canary(made), made.folder / "origin.git"
        row.done(made)
        for main, arguments in row.verbs:
            before = seen(made.root, origin)
            capsys.readouterr()
            given = [aborted if word == "CANARY" else word for word in arguments]
            assert main(given) == 1, given
            said = capsys.readouterr().err.splitlines()
            assert len(said) == len(row.lines), said
            assert [line for line, known in zip(said, row.lines, strict=True) if not re.fullmatch(known, line)] == []
            assert seen(made.root, origin) == before, given


ON_NO_BRANCH = {"check": CHECK, "render": RENDER, "status": STATUS, "healthy": HEALTHY, "auto-revert": REVERT}


@pytest.mark.parametrize("name", ON_NO_BRANCH)
def test_what_commits_to_no_branch_needs_none(begun: Fleet, tmp_path: Path, name: str) -> None:
    """Workflows check out a commit, not a branch: there these verbs work, and leave HEAD where it was."""
    with fleets.own(begun, tmp_path) as made:
        git.git(made.root, "checkout", "--quiet", "--detach")
        before = git.git(made.root, "rev-parse", "HEAD")
        main, arguments = ON_NO_BRANCH[name]
        assert main([canary(made) if word == "CANARY" else word for word in arguments]) == 0
        assert (git.branch(made.root), git.git(made.root, "rev-parse", "HEAD")) == ("", before)
