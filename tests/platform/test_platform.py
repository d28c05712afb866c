"""The platform's file: current, complete, valid, and refused in one line where names clash."""

import re

import kubernetes_validate
import pytest

from fledge import project
from fledge.problems import Problem
from fledge.project import Environment
from fledge.release import platform
from fledge.release.render import documents_of
from scripts import render as verb
from tests.conftest import ROOT, Repository
from tests.platform.objects import Object, named, objects

KUBERNETES = "1.36"
CUSTOM = ("argoproj.io/", "gateway.networking.k8s.io/")


def test_the_shipped_file_is_a_fresh_render() -> None:
    """manifests/rendered/platform.yaml is what its sources and the shipped project.yaml give today."""
    assert list(platform.platform_current(ROOT)) == []


def test_an_edited_or_missing_file_is_refused(repository: Repository) -> None:
    """A hand edit, a change of project.yaml that was not rendered, and a missing file are each one line."""
    file = repository.root / platform.RENDERED
    line = f"platform: {platform.RENDERED} is not current, expected a fresh render (make render)"
    assert list(platform.platform_current(repository.root)) == []
    file.write_text(file.read_text().replace("replicas: 1", "replicas: 2"))
    assert list(platform.platform_current(repository.root)) == [line]
    assert verb.main([]) == 0
    assert list(platform.platform_current(repository.root)) == []
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("branch: main", "branch: trunk"))
    assert list(platform.platform_current(repository.root)) == [line]
    file.unlink()
    assert list(platform.platform_current(repository.root)) == [line.replace("is not current", "is not there")]


def test_a_third_environment_needs_no_edit_of_the_sources(repository: Repository) -> None:
    """What an owner adds to project.yaml is everywhere after `make render`: listener, project, rights, reconciler."""
    owner = repository.root / "project.yaml"
    canary = "environments:\n  - {name: lab, domain: lab.example.com, traffic: replay, inconclusive: hold}\n"
    owner.write_text(owner.read_text().replace("environments:\n", canary))
    assert verb.main([]) == 0
    text = (repository.root / platform.RENDERED).read_text()
    assert re.findall(r"name: (\S*lab)$", text, re.MULTILINE).count("models-lab") == 1
    assert "hostname: '*.lab.example.com'" in text
    assert "name: reconcile-lab" in text
    assert "--inconclusive=hold" in text


def test_nothing_is_left_to_fill_in() -> None:
    """Every `<word>` of the sources was filled in."""
    assert re.findall(r"<[a-z]+>", (ROOT / platform.RENDERED).read_text()) == []


def test_what_an_owner_says_stays_text(repository: Repository) -> None:
    """A branch called 1.10 is no number to Argo CD."""
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("branch: main", 'branch: "1.10"'))
    rendered = documents_of(platform.render(repository.root))
    [found] = [one for one in rendered if one["kind"] == "Application"]
    assert found["spec"]["source"]["targetRevision"] == "1.10"


@pytest.mark.parametrize("one", objects(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_every_built_in_object_is_valid(one: Object) -> None:
    """Strictly by the schemas of Kubernetes 1.36; custom resources are held to their own definitions elsewhere."""
    if one["apiVersion"].startswith(CUSTOM):
        assert one["spec"]
    else:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_a_misspelt_key_would_be_seen() -> None:
    """The validation above refuses a key that Kubernetes does not know."""
    judge = named("Deployment", "judge")
    judge["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(judge, KUBERNETES, strict=True)


def test_no_secret_is_rendered() -> None:
    """The tokens are the owner's, made in the cluster: a rendered Secret would be in git."""
    assert "Secret" not in {one["kind"] for one in objects()}


@pytest.mark.parametrize(
    ("change", "line"),
    {
        "a taken namespace": (
            {"environments": ["gateway"]},
            "platform: environment gateway is a namespace of the platform, expected another name than argo-rollouts, argocd, default, fledge, gateway, monitoring (project.yaml: environments)",
        ),
        "one name twice": (
            {"environments": ["eu", "eu-west"], "models": ["west-delays", "delays"]},
            "platform: eu/west-delays and eu-west/delays are both the Application eu-west-delays, expected different names (project.yaml: environments, models)",
        ),
    }.values(),
)
def test_names_that_clash_are_refused(change: dict[str, list[str]], line: str) -> None:
    """An environment in a namespace of the platform, and two models with one Application, are each one line."""
    places = [Environment(name=name, domain=f"{name}.org", traffic="users") for name in change["environments"]]
    models = change.get("models", ["delays"])
    owner = project.load(ROOT).model_copy(update={"environments": places, "models": models})
    assert list(platform.clashing(owner)) == [line]


def test_a_clash_is_no_traceback(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """`make render` says it in one line and writes nothing; so does the rule of `make check`."""
    owner = repository.root / "project.yaml"
    owner.write_text(owner.read_text().replace("name: staging", "name: fledge"))
    before = (repository.root / platform.RENDERED).read_text()
    assert verb.main([]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("platform: environment fledge is a namespace of the platform")
    assert list(platform.platform_current(repository.root)) == [line]
    assert (repository.root / platform.RENDERED).read_text() == before
    with pytest.raises(Problem, match="environment fledge"):
        platform.render(repository.root)
