"""project.yaml: every mistake is one line that names the key, all in one run."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.cyaml import CParser

from fledge import project
from fledge.problems import Problem
from scripts import check
from tests.conftest import ROOT, Repository

GOOD = """
models: [delays]
environments:
  - {name: staging, domain: staging.example.com, traffic: replay}
  - {name: production, domain: example.com, traffic: users}
repository: https://github.com/example/models
branch: main
images: {serving: "tensorflow/serving:2.20.0", fledge: "example/fledge:1", replay: "example/replay:1"}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "project.yaml").write_text(text)
    return folder


def test_the_shipped_file_loads() -> None:
    """The project.yaml that the template ships is valid, and its path ends in production."""
    shipped = project.load(ROOT)
    assert [environment.name for environment in shipped.environments] == ["staging", "production"]


def test_the_parser_in_c_reads_what_the_other_one_reads() -> None:
    """It is the one that is used, and a delivery's hash does not depend on which of the two there is."""
    assert YAML(typ="safe").Parser is CParser
    shipped = ("project.yaml", "dvc.yaml", "models/*/*.yaml", "manifests/**/*.yaml", "tests/rendered/*/*.yaml")
    files = [file for pattern in shipped for file in ROOT.glob(pattern)]
    assert len(files) > 30
    for file in files:
        fast, plain = (list(YAML(typ="safe", pure=pure).load_all(file)) for pure in (False, True))
        assert fast == plain, file


@pytest.mark.parametrize(
    ("old", "new", "line"),
    {
        "wrong key": (
            "branch: main",
            "branch: main\nbranches: main",
            "project.yaml: unknown key, expected only the keys that the file's comments describe (project.yaml: branches)",
        ),
        "wrong type": (
            "models: [delays]",
            "models: delays",
            "project.yaml: found 'delays', expected a valid list (project.yaml: models)",
        ),
        "missing key": (
            "branch: main",
            "",
            "project.yaml: key is missing, expected a value (project.yaml: branch)",
        ),
        "nested": (
            "traffic: users",
            "traffic: some",
            "project.yaml: found 'some', expected 'users' or 'replay' (project.yaml: environments.1.traffic)",
        ),
        "no time": (
            "traffic: users",
            "traffic: users, inconclusive: 30",
            "project.yaml: found 30, expected a valid string (project.yaml: environments.1.inconclusive)",
        ),
        "another way out": (
            "traffic: users",
            "traffic: users, inconclusive: promote",
            "project.yaml: found 'promote', expected String should match pattern '^(hold|[1-9][0-9]{0,3}[mh])$' (project.yaml: environments.1.inconclusive)",
        ),
        "no repository": (
            "repository: https://github.com/example/models",
            "repository: git@github.com:example/models",
            "project.yaml: found 'git@github.com:example/models', expected String should match pattern '^https://[a-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9-]+/[A-Za-z0-9._-]+$' (project.yaml: repository)",
        ),
    }.values(),
)
def test_a_mistake_names_its_key(tmp_path: Path, old: str, new: str, line: str) -> None:
    """A wrong key, a wrong type and a missing key are each one line."""
    with pytest.raises(Problem) as raised:
        project.load(written(tmp_path, GOOD.replace(old, new)))
    assert raised.value.lines == [line]


@pytest.mark.parametrize(
    ("repository", "api"),
    [
        ("https://github.com/example/models", "https://api.github.com/repos/example/models"),
        ("https://github.com/example/models.git", "https://api.github.com/repos/example/models"),
        ("https://git.example.com/team/models", "https://git.example.com/api/v3/repos/team/models"),
    ],
)
def test_the_api_follows_from_the_repository(tmp_path: Path, repository: str, api: str) -> None:
    """GitHub's REST API has a host of its own, a server of one's own has it below its address (docs.github.com)."""
    text = GOOD.replace("https://github.com/example/models", repository)
    assert project.load(written(tmp_path, text)).api == api


def test_an_older_file_waits_half_an_hour(tmp_path: Path) -> None:
    """Where nothing is said of undecided canaries they are aborted after 30 minutes, never left with users."""
    assert {one.inconclusive for one in project.load(written(tmp_path, GOOD)).environments} == {"30m"}


def test_all_mistakes_come_in_one_run(tmp_path: Path) -> None:
    """Two mistakes give two lines."""
    text = GOOD.replace("branch: main", "").replace("models: [delays]", "models: 3")
    with pytest.raises(Problem) as raised:
        project.load(written(tmp_path, text))
    assert len(raised.value.lines) == 2


def test_unknown_names_say_what_is_known(tmp_path: Path) -> None:
    """An unknown model or environment is refused with the list of those that exist."""
    loaded = project.load(written(tmp_path, GOOD))
    with pytest.raises(Problem, match=r"canada: no such environment, expected one of staging, production"):
        loaded.environment("canada")
    with pytest.raises(Problem, match=r"churn: no such model, expected one of delays \(project.yaml: models\)"):
        loaded.model("churn")


def test_a_release_needs_a_remote_that_pods_reach(tmp_path: Path) -> None:
    """A remote inside the clone serves a laptop's `dvc pull`, never a release."""
    (tmp_path / ".dvc").mkdir()
    config = tmp_path / ".dvc" / "config"
    config.write_text("[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../.fledge/remote\n")
    assert project.remote(tmp_path) == str(tmp_path / ".fledge" / "remote")
    with pytest.raises(Problem, match=r"expected an address that pods reach.*\(\.dvc/config: remote\.storage\.url\)"):
        project.shared_remote(tmp_path)
    config.write_text(config.read_text().replace("../.fledge/remote", "s3://bucket/models"))
    assert project.shared_remote(tmp_path) == "s3://bucket/models"


@pytest.mark.parametrize("gates", ["", "gates: []", "gates: {rows: 2013-07}", "gates: {rows: []}"])
def test_an_environment_without_users_needs_rows(tmp_path: Path, gates: str) -> None:
    """Where params.yaml names no month to replay, the line names file and key, whatever stands there instead."""
    (tmp_path / "models" / "delays").mkdir(parents=True)
    (tmp_path / "models" / "delays" / "params.yaml").write_text(f"train: {{}}\n{gates}\n")
    with pytest.raises(Problem, match=r"delays: found .*, expected a list of months .*params\.yaml: gates\.rows"):
        project.replayed(tmp_path, "delays")


def test_a_verb_says_every_mistake_and_no_traceback(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Through `make check` two mistakes in project.yaml are two lines and exit code 1."""
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("branch: main", "brunch: main"))
    assert check.main([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" (")[2] for line in lines] == ["project.yaml: branch)", "project.yaml: brunch)"]
