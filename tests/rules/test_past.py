"""The rules of the repository and of what git remembers, each on a scratch repository with a past."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fledge import git, project, release, rules
from fledge.artifact import keys
from fledge.release import Files, platform, render
from fledge.rules import broken, broken_beside
from fledge.rules.documents import Pair, Platform
from scripts import auto_revert, check, healthy, promote, rollback
from tests.conftest import Repository

STAGING, PRODUCTION = Files("staging", "delays"), Files("production", "delays")
Act = Callable[[Path], None]


def past(repository: Repository) -> None:
    """1.0.0 healthy in both environments; in staging 1.0.1 superseded, 1.0.2 denied, and 1.0.3 healthy."""
    _, written = keys.pair(repository.root)
    repository.commit("Sign", *written)
    good(STAGING, repository.place("1.0.0", "staging"))
    assert promote.main(["--model", "delays", "--to", "production"]) == 0
    repository.push()
    good(PRODUCTION, render.delivered((repository.root / PRODUCTION.rendered).read_text())[0])
    repository.place("1.0.1", "staging")
    denied = ["--env", "staging", "--model", "delays", "--delivery", repository.place("1.0.2", "staging")]
    assert auto_revert.main([*denied, "--reason", "judge: e_worse 120"]) == 0
    git.git(repository.root, "checkout", "--quiet", "main")
    git.git(repository.root, "pull", "--quiet", "--ff-only")
    good(STAGING, repository.place("1.0.3", "staging"))


def good(files: Files, delivery: str) -> None:
    arguments = ["--env", files.environment, "--model", files.model, "--delivery", delivery]
    assert healthy.main(arguments) == 0


def edit(file: Path | str, old: str, new: str) -> Act:
    """An edit by hand."""

    def act(root: Path) -> None:
        before = (root / file).read_text()
        assert old in before, (file, old)
        (root / file).write_text(before.replace(old, new, 1))

    return act


def written(file: str, text: str) -> Act:
    """A new file."""

    def act(root: Path) -> None:
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text)

    return act


def gone(file: Path) -> Act:
    return lambda root: (root / file).unlink()


def proposed(files: Files, version: str) -> Act:
    """release.yaml as it once was in staging, rendered."""

    def act(root: Path) -> None:
        [commit] = git.git(root, "log", "--format=%H", f"--grep=^staging/delays {version}$", "main").split()
        text = git.show(root, commit, STAGING.release)
        assert text
        render.write(root, files, release.from_text(text, version))

    return act


def reverted(version: str) -> Act:
    """staging's files as they were when that version came: what a hand-made revert gives."""

    def act(root: Path) -> None:
        [commit] = git.git(root, "log", "--format=%H", f"--grep=^staging/delays {version}$", "main").split()
        git.git(root, "restore", f"--source={commit}", str(STAGING.release), str(STAGING.rendered))

    return act


def elsewhere(file: str, old: str, new: str, version: str) -> Act:
    """A release in production, rendered from sources that staging never had."""

    def act(root: Path) -> None:
        edit(file, old, new)(root)
        proposed(PRODUCTION, version)(root)

    return act


EDITS: list[tuple[str, Act]] = [
    ("listed", edit("project.yaml", "  - delays\n", "  - other\n")),
    ("listed", edit("project.yaml", "name: production", "name: live")),
    ("hostnames_differ", edit("project.yaml", "domain: staging.example.com", "domain: example.com")),
    ("hostnames_differ", edit("project.yaml", "domain: example.com", "domain: staging.example.com")),
    ("images_pinned", edit("project.yaml", "serving:2.20.0", "serving")),
    ("images_pinned", edit("project.yaml", "github.com/example/models", "github.com/somebody/models")),
    ("retained", written("Makefile", "tidy:\n\tdvc gc --workspace --cloud\n")),
    ("retained", written("scripts/tidy.py", 'dvc(root, "gc", "-w", "-c")\n')),
    ("keys_kept", gone(keys.PUBLIC)),
    ("keys_kept", edit(keys.PUBLIC, "BEGIN PUBLIC KEY", "BEGIN KEY")),
    ("platform_current", edit("project.yaml", "branch: main", "branch: live")),
    ("platform_current", edit(platform.RENDERED, "replicas: 1", "replicas: 2")),
    ("denials_kept", gone(STAGING.denied)),
    ("denials_kept", edit(STAGING.denied, "e_worse 120", "a mistake")),
    ("present", gone(STAGING.release)),
    ("present", gone(PRODUCTION.rendered)),
    ("numbered", edit(STAGING.release, "number: 1000003", "number: 1000004")),
    ("numbered", edit(STAGING.release, "version: 1.0.3", "version: 1.0.4")),
    ("stamped", edit(STAGING.rendered, "--port=8500", "--port=8600")),
    ("stamped", edit(PRODUCTION.rendered, "tensorflow/serving:2.20.0", "tensorflow/serving:2.19.0")),
    ("current", edit(STAGING.rendered, "maxReplicas: 4", "maxReplicas: 400")),
    ("current", edit(PRODUCTION.release, "version: 1.0.0", "version: 1.0.3")),
    ("not_denied", proposed(STAGING, "1.0.2")),
    ("not_denied", reverted("1.0.2")),
    ("not_former", proposed(STAGING, "1.0.1")),
    ("not_former", reverted("1.0.1")),
    ("healthy_below", proposed(PRODUCTION, "1.0.1")),
    ("healthy_below", proposed(PRODUCTION, "1.0.2")),
    ("sources_below", elsewhere("manifests/base/rollout.yaml", "PeriodSeconds: 30", "PeriodSeconds: 31", "1.0.0")),
    ("sources_below", elsewhere("project.yaml", "serving:2.20.0", "serving:2.19.0", "1.0.3")),
    ("named", edit(STAGING.release, "name: delays", "name: churn")),
    ("named", edit(STAGING.release, "local-config: ", "local: ")),
    ("trained", edit(STAGING.release, "  contract: ", "  contract: 0")),
    ("trained", edit(STAGING.release, "    learning_rate: ", "    learning_rate: 1")),
    ("trained", edit(STAGING.release, "    commit: ", "    commit: 0")),
    ("stored", edit(STAGING.release, "    size: ", "    size: 1")),
    ("stored", edit(STAGING.release, "    sha256: ", "    sha256: 0")),
    ("signed", edit(STAGING.release, "version: 1.0.3", "version: 1.0.4")),  # here nothing ever was
    ("signed", edit(STAGING.release, "parent: 1.0.0", "parent: 1.0.1")),
    ("counted", edit(STAGING.release, "version: 1.0.3", "version: 1.0.1")),
    ("counted", edit(STAGING.release, "version: 1.0.3", "version: 0.9.0")),
    ("counted", edit(STAGING.release, "parent: 1.0.0", "parent: 1.0.1")),
    ("descended", edit(STAGING.release, "version: 1.0.3", "version: 1.0.4")),
    ("descended", edit(STAGING.release, "version: 1.0.3", "version: 1.0.1")),
]  # fmt: skip


def said(root: Path) -> dict[str, str]:
    """What the rules say of the working tree, by rule."""
    found = dict(broken_beside(Platform.read(root, "origin/main")))
    for environment in project.load(root).environments:
        found |= dict(broken(Pair.read(root, Files(environment.name, "delays"), "origin/main")))
    return found


def test_what_git_remembers_is_held(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The repository with its past passes, and each edit of it is refused by the rule that knows why."""
    past(repository)
    assert check.main([]) == 0
    assert said(repository.root) == {}
    missed = []
    for rule, act in EDITS:
        act(repository.root)
        found = said(repository.root)
        if rule not in found:
            missed.append((rule, found))
        git.git(repository.root, "checkout", "--quiet", ".")
        git.git(repository.root, "clean", "--quiet", "--force", "-d")
    assert missed == []


def test_bytes_that_were_judged_are_not_refused_by_a_younger_rule(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Production's bytes and a rollback's pass; the first environment's and everything anew are judged."""
    past(repository)
    young = rules.Rule("model", lambda pair: iter([pair.line("is old", "new", "nowhere")]), "anything", "a test")
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, young])
    assert check.main([]) == 1
    assert capsys.readouterr().err == "staging/delays: is old, expected new (nowhere)\n"
    assert rollback.main(["--model", "delays", "--env", "staging", "--to", "1.0.0"]) == 0
    assert check.main([]) == 0
    capsys.readouterr()
    assert check.main(["--all"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "staging/delays: is old, expected new (nowhere)",
        "production/delays: is old, expected new (nowhere)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("kind: Rollout", "kind: {Rollout", "expected YAML (manifests/rendered/staging/delays.yaml)"),
        ("---\n", "---\nnothing\n---\n", "found what is no object, expected Kubernetes objects alone"),
        ("kind: Rollout", "kind: Deployment", "no Rollout found, expected one in every rendered file"),
        (
            "  template:\n    metadata:\n      labels:\n        app",
            "  templet:\n    metadata:\n      labels:\n        app",
            "stamped cannot read it",
        ),
        ("\n---\napiVersion", "\n<<<<<<< HEAD\n---\napiVersion", "expected YAML"),
    ],
)
def test_a_file_that_is_no_list_of_objects_is_one_line(
    repository: Repository, capsys: pytest.CaptureFixture[str], old: str, new: str, line: str
) -> None:
    """What a hand or a merge broke is told in the house's words, never by a traceback."""
    repository.place("1.0.0", "staging")
    edit(STAGING.rendered, old, new)(repository.root)
    capsys.readouterr()
    assert check.main([]) == 1
    assert any(line in said for said in capsys.readouterr().err.splitlines())
