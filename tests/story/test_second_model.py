"""The template is general: a second model goes all the way, touching by hand only models/ and project.yaml."""

import shutil

import pytest

from fledge import git, release
from fledge.project import read_yaml
from scripts.demo import moves
from scripts.demo.stage import Story, scratch
from tests.story import colours


@pytest.fixture
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A scratch clone whose owner copied models/delays, wrote another model there and named it in project.yaml."""
    story = Story(scratch(tmp_path_factory.mktemp("second")), model="colours")
    moves.own(story)
    clone = story.stage.clone
    shutil.copytree(clone / "models" / "delays", clone / "models" / "colours")
    colours.write(clone / "models" / "colours")
    params = read_yaml(clone / "models" / "delays" / "params.yaml")
    params["train"] = {"seed": 1, "months": ["2020-01"], "evaluate": ["2020-02"], "epochs": 3}
    params["gates"] |= {"task": "multiclass", "metrics": ["log_loss", "accuracy"], "label": "colour"}
    params["gates"] |= {"cluster": "week", "time": "week", "rows": ["2020-02"], "holdout": []}
    params["gates"]["regression"]["accuracy"] = {"margin": 0.01, "alpha": 0.05}
    params["gates"]["segments"]["columns"], params["gates"]["fairness"]["columns"] = ["word"], []
    params["gates"]["data"]["quality"]["columns"] = {}
    params["gates"]["segments"]["harm"]["margins"] = {"log_loss": 0.02, "accuracy": 0.02}
    (clone / "models" / "colours" / "params.yaml").write_text(release.dump(params))
    owner = clone / "project.yaml"
    owner.write_text(owner.read_text().replace("  - delays\n", "  - colours\n"))
    touched = git.git(clone, "status", "--porcelain").split("\n")
    assert {line[3:].split("/")[0] for line in touched} == {"models", "project.yaml"}
    return story


def test_a_second_model_goes_all_the_way(story: Story) -> None:
    """Other inputs and three classes: trained, released, gated, healthy, a judged canary, and a revert."""
    run = story.stage.run
    try:
        run("make data", refused=True)  # data.dvc still pins the example's rows
        run("make data ACCEPT=1 && make train")
        run("git add . && git commit -q -m 'Our own model' && git push -q origin main")
        moves.rehearse(story, "staging")
        run("git switch -q -c first")
        moves.propose(story, "first")
        moves.healthy(story, "staging", "1.0.0")
        moves.change(story, "longer", "epochs", "4", "Train longer")
        moves.propose(story, "longer")
        moves.healthy(story, "staging", "1.1.0")
        assert moves.answered(story, story.files("staging")) == 1001000
        run("git switch -q -c back && git revert --no-edit -m 1 HEAD")
        moves.merge(story, "back")
        story.stage.wait("1.0.0 is back", lambda: moves.answered(story, story.files("staging")) == 1000000 or None)
    finally:
        story.stage.close()
