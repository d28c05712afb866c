"""dvc.lock, a stage at a time: the same as the whole file, for a thousandth of the time."""

import pytest

from fledge.project import parsed_yaml
from fledge.release import lock

# As DVC 3.67 writes it, with a command of two lines.
LOCK = """\
schema: '2.0'
stages:
  train@churn:
    cmd: |
      train churn

      report churn
    outs:
    - path: models/churn/saved_model
      md5: 11111111111111111111111111111111.dir
  train@churn-2:
    cmd: train churn-2
    params:
      models/churn-2/params.yaml:
        train:
          seed: 7
"""


@pytest.mark.parametrize("name", ["train@churn", "train@churn-2"])
def test_a_stage_is_what_the_whole_file_says(name: str) -> None:
    """Its lines alone parse to what the whole file's parse holds for it, blank lines and nested names too."""
    assert lock.stage(LOCK, name) == parsed_yaml(LOCK, "dvc.lock")["stages"][name]


def test_a_stage_that_is_not_there_is_nothing() -> None:
    """An empty file and one without the stage have nothing to say."""
    assert lock.stage("", "train@churn") == lock.stage(LOCK, "train@other") == {}


def test_a_file_that_another_hand_wrote_is_read_whole() -> None:
    """A stage that does not stand as DVC writes it is found all the same, and counts as one that may differ."""
    other = '{"stages": {"train@churn": {"cmd": "train churn"}}}'
    assert lock.stage(other, "train@churn") == {"cmd": "train churn"}
    assert lock.differing(other, other, ["train@churn", "train@new"]) == ["train@churn"]


def test_only_what_differs_is_named() -> None:
    """One stage's seed is that stage's change; a stage that comes or goes is one too."""
    names = ["train@churn", "train@churn-2"]
    assert lock.differing(LOCK, LOCK, names) == []
    assert lock.differing(LOCK, LOCK.replace("seed: 7", "seed: 8"), names) == ["train@churn-2"]
    assert lock.differing(LOCK, LOCK.partition("  train@churn-2")[0], names) == ["train@churn-2"]
    assert lock.differing("", LOCK, names) == names
