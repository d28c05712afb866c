"""The text protos that configure the server."""

from pathlib import Path

import pytest

from fledge.artifact.savedmodel import Error
from fledge.flags import Flags
from fledge.serving import config

MODEL = 'config { name: "m" base_path: "/models/m" model_platform: "tensorflow" %s }'


def models(folder: Path, text: str) -> list[config.ModelConfig]:
    """Read a configuration of models from a file."""
    file = folder / "models.config"
    file.write_text(text)
    return config.models(Flags(model_config_file=str(file)))


def test_a_file_lists_models(tmp_path: Path) -> None:
    """Models and their policies come from the file; an empty file lists none."""
    (model,) = models(
        tmp_path, f"model_config_list {{ {MODEL % 'model_version_policy { specific { versions: 42 } }'} }}"
    )
    assert (model.name, model.base_path) == ("m", "/models/m")
    assert list(model.model_version_policy.specific.versions) == [42]
    assert models(tmp_path, "") == []
    assert models(tmp_path, "model_config_list {}") == []


def test_two_flags_name_one_model() -> None:
    """Without a file, the model is that of --model_name and --model_base_path."""
    (model,) = config.models(Flags(model_name="m", model_base_path="/models/m"))
    assert (model.name, model.base_path, model.model_platform) == ("m", "/models/m", "tensorflow")


REFUSED = {
    f"model_config_list {{ {MODEL % ''} {MODEL % ''} }}": "Illegal to list model m multiple times in config list",
    "model_config_list { config { name: 'm' base_path: 'models/m' model_platform: 'tensorflow' } }": "Expected model m to have an absolute path or URI; got base_path()=models/m",
    "model_config_list { config { name: 'm' base_path: '/m' } }": "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, model name is m",
    "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'torch' } }": "Model m requests unsupported platform torch",
    f"model_config_list {{ {MODEL % 'version_labels { key: 0 value: 1 }'.replace('0', chr(34) + 'stable' + chr(34))} }}": "Model m has version_labels, which this server cannot assign",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_what_no_server_takes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake has TensorFlow Serving's message."""
    with pytest.raises(Error) as caught:
        models(tmp_path, text)
    assert caught.value.message == message


def test_neither_file_nor_path_is_refused() -> None:
    """A server without any model to look for does not start."""
    with pytest.raises(Error) as caught:
        config.models(Flags())
    assert caught.value.message == "Both server_options.model_base_path and server_options.model_config_file are empty!"


def test_a_bad_text_proto_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is named in the error, line and column on stderr."""
    with pytest.raises(Error) as caught:
        models(tmp_path, "model_config_list {\n  config { nme: 'm' }\n}")
    assert caught.value.message == f"Invalid protobuf file: '{tmp_path}/models.config'"
    assert capsys.readouterr().err.startswith("Error parsing text-format tensorflow.serving.ModelServerConfig: 2:12")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is NOT_FOUND."""
    with pytest.raises(Error) as caught:
        config.models(Flags(model_config_file=f"{tmp_path}/no.config"))
    assert (caught.value.error_code, caught.value.message) == (5, f"{tmp_path}/no.config; No such file or directory")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_metrics_have_a_path_where_they_are_on(tmp_path: Path, text: str, path: str | None) -> None:
    """Metrics are off unless the file turns them on; their path can be chosen."""
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert config.metrics_path(Flags(monitoring_config_file=str(file))) == path


def test_metrics_are_off_without_a_file() -> None:
    """No --monitoring_config_file, no metrics."""
    assert config.metrics_path(Flags()) is None
