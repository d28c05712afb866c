"""Versions on disk and what a policy chooses of them."""

from pathlib import Path

import pytest
from google.protobuf import text_format

from fledge.artifact.savedmodel import Error
from fledge.serving import source

# isort: split

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig


def model(base: Path, policy: str = "") -> ModelConfig:
    """A model of this base path with a version policy."""
    text = (
        f'name: "m" base_path: "{base}" model_version_policy {{ {policy} }}'
        if policy
        else f'name: "m" base_path: "{base}"'
    )
    return text_format.Parse(text, ModelConfig())


def test_only_numbers_are_versions(tmp_path: Path) -> None:
    """A folder whose whole name is a 64-bit integer is a version; a name being written to is none."""
    for name in ("1", "00000123", "5.partial", "tmp-5", "v1", "1.0", "²", str(2**63)):
        (tmp_path / name).mkdir()
    assert source.on_disk(model(tmp_path)) == {1: tmp_path / "1", 123: tmp_path / "00000123"}


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        ("", [9]),
        ("latest {}", [9]),
        ("latest { num_versions: 2 }", [3, 9]),
        ("latest { num_versions: 7 }", [1, 3, 9]),
        ("all {}", [1, 3, 9]),
        ("specific { versions: 3 versions: 4 }", [3]),
        ("specific {}", []),
    ],
)
def test_a_policy_chooses(tmp_path: Path, policy: str, chosen: list[int]) -> None:
    """Latest is the highest one unless told otherwise, all is all, specific is what is there of what is named."""
    found = {number: tmp_path / str(number) for number in (9, 1, 3)}
    assert sorted(source.aspired(model(tmp_path, policy), found)) == chosen


def test_a_missing_specific_version_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A version that is named and not there is a warning, no error."""
    (tmp_path / "3").mkdir()
    assert source.poll([model(tmp_path, "specific { versions: 3 versions: 4 }")]) == {"m": {3: tmp_path / "3"}}
    assert "Version 4 of servable m" in caplog.text


def test_one_missing_base_path_stops_the_poll(tmp_path: Path) -> None:
    """A base path that is not there fails the poll of all models."""
    (tmp_path / "1").mkdir()
    with pytest.raises(Error) as caught:
        source.poll([model(tmp_path), model(tmp_path / "nowhere")])
    assert caught.value.message.startswith(f"Could not find base path {tmp_path}/nowhere for servable m")


def test_no_version_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty base path aspires nothing and says what a folder must be called."""
    assert source.poll([model(tmp_path)]) == {"m": {}}
    assert (
        f"No versions of servable m found under base path {tmp_path}. Did you forget to name your leaf directory as a number (eg. '/1/')?"
        in caplog.text
    )
