"""project.yaml: every mistake is one line that names the key, all in one run."""

from pathlib import Path

import pytest

from fledge import project
from fledge.problems import Problem
from scripts import check
from tests.conftest import Repository

GOOD = """
models: [delays]
environments:
  - {name: staging, domain: staging.example.com, traffic: replay}
  - {name: production, domain: example.com, traffic: users}
branch: main
images: {serving: "tensorflow/serving:2.20.0", fledge: "example/fledge:1"}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "project.yaml").write_text(text)
    return folder


def test_the_shipped_file_loads() -> None:
    """The project.yaml that the template ships is valid, and its path ends in production."""
    shipped = project.load(Path(__file__).resolve().parent.parent)
    assert [environment.name for environment in shipped.environments] == ["staging", "production"]


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
    }.values(),
)
def test_a_mistake_names_its_key(tmp_path: Path, old: str, new: str, line: str) -> None:
    """A wrong key, a wrong type and a missing key are each one line."""
    with pytest.raises(Problem) as raised:
        project.load(written(tmp_path, GOOD.replace(old, new)))
    assert raised.value.lines == [line]


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


def test_a_verb_says_every_mistake_and_no_traceback(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Through `make check` two mistakes in project.yaml are two lines and exit code 1."""
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("branch: main", "brunch: main"))
    assert check.main([]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" (")[2] for line in lines] == ["project.yaml: branch)", "project.yaml: brunch)"]
