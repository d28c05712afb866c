"""The text protos that configure the server: which models, and whether metrics are exported."""

import sys
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from fledge.flags import Flags
from fledge.serving.errors import error

M = TypeVar("M", bound=Message)


def models(flags: Flags) -> list[ModelConfig]:
    """Return the configured models, from the file or else from the two flags. Raise the start's error."""
    if flags.model_config_file:
        config = parse(Path(flags.model_config_file), model_server_config_pb2.ModelServerConfig())
        return checked(list(config.model_config_list.config))
    if not flags.model_base_path:
        raise error(
            "INVALID_ARGUMENT",
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        )
    return checked([ModelConfig(name=flags.model_name, base_path=flags.model_base_path, model_platform="tensorflow")])


def parse(path: Path, message: M) -> M:
    """Fill a message from a text proto. Raise NOT_FOUND or INVALID_ARGUMENT; protobuf's own words go to stderr."""
    try:
        text_format.Parse(path.read_text(), message)
    except OSError as problem:
        raise error("NOT_FOUND", f"{path}; {problem.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as problem:
        print(f"Error parsing text-format {message.DESCRIPTOR.full_name}: {problem}", file=sys.stderr)
        raise error("INVALID_ARGUMENT", f"Invalid protobuf file: '{path}'") from None
    return message


def checked(configs: list[ModelConfig]) -> list[ModelConfig]:
    """Return the same models, or raise INVALID_ARGUMENT for what no server would take."""
    names = [config.name for config in configs]
    for config in configs:
        if names.count(config.name) > 1:
            message = f"Illegal to list model {config.name} multiple times in config list"
            raise error("INVALID_ARGUMENT", message)
        _check(config)
    return configs


def _check(config: ModelConfig) -> None:
    if not config.base_path.startswith("/"):
        raise error(
            "INVALID_ARGUMENT",
            f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}",
        )
    if not config.model_platform and config.model_type != model_server_config_pb2.TENSORFLOW:
        raise error(
            "INVALID_ARGUMENT",
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {config.name}",
        )
    if config.model_platform not in ("", "tensorflow"):
        message = f"Model {config.name} requests unsupported platform {config.model_platform}"
        raise error("INVALID_ARGUMENT", message)
    if config.version_labels:
        raise error("UNIMPLEMENTED", f"Model {config.name} has version_labels, which this server cannot assign")


def metrics_path(flags: Flags) -> str | None:
    """Return the path of the metrics on the REST port, None where they are off."""
    if not flags.monitoring_config_file:
        return None
    config = parse(Path(flags.monitoring_config_file), _monitoring_config()).prometheus_config
    return (config.path or "/monitoring/prometheus/metrics") if config.enable else None


def _monitoring_config() -> Any:
    """Return an empty message with the fields of tensorflow_serving's MonitoringConfig, which its wheel lacks.

    It has a package and a pool of its own, so that it clashes with nothing.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="fledge/monitoring.proto", package="fledge", syntax="proto3")
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    monitoring = file.message_type.add(name="MonitoringConfig")
    monitoring.field.add(
        name="prometheus_config",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".fledge.PrometheusConfig",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fledge.MonitoringConfig"))()
