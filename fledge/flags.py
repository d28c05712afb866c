"""The flags of tensorflow_model_server: `--name=value` and nothing else, except `--name` for a boolean."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = bool | int | float | str

_CPUS = os.cpu_count() or 1


@dataclass(frozen=True)
class Flags:
    """What the server heeds, with TensorFlow Serving's names and defaults (`server.h`, `main.cc`)."""

    port: int = 8500
    grpc_socket_path: str = ""
    grpc_max_threads: int = 4 * _CPUS
    grpc_channel_arguments: str = ""
    rest_api_port: int = 0
    rest_api_num_threads: int = 4 * _CPUS
    rest_api_timeout_in_ms: int = 30_000
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    monitoring_config_file: str = ""
    saved_model_tags: str = "serve"
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0


# They change nothing that a client of this server could see.
IGNORED: Mapping[str, Value] = {
    "num_load_threads": 0,
    "num_unload_threads": 0,
    "flush_filesystem_caches": True,
    "enable_profiler": True,
    "enable_signature_method_name_check": False,
    "per_process_gpu_memory_fraction": 0.0,
    "platform_config_file": "",
    "tensorflow_session_config_file": "",
    "thread_pool_factory_config_file": "",
    "mixed_precision": "",
    "xla_cpu_compilation_enabled": False,
    "xla_gpu_compilation_enabled": False,
    "num_tflite_interpreters_per_pool": 0,
    "num_tflite_pools": 0,
    "use_alts_credentials": False,
    "remove_unused_fields_from_bundle_metagraph": True,
    "skip_initialize_tpu": False,
}

# They would change what a client sees, and this server cannot do it: any value but the default ends the start.
UNIMPLEMENTED: Mapping[str, Value] = {
    "model_config_file_poll_wait_seconds": 0,
    "allow_version_labels_for_unavailable_models": False,
    "enable_batching": False,
    "batching_parameters_file": "",
    "enable_per_model_batching_parameters": False,
    "ssl_config_file": "",
    "enable_grpc_healthcheck_service": False,
    "enable_serialization_as_tensor_content": False,
    "rest_api_enable_cors_support": False,
    "prefer_tflite_model": False,
}

_OWN: Mapping[str, Value] = {field.name: field.default for field in dataclasses.fields(Flags)}  # type: ignore[misc]
_KNOWN: Mapping[str, Value] = {**_OWN, **IGNORED, **UNIMPLEMENTED}
_PATTERNS = {bool: r"true|false", int: r"[+-]?\d+", float: r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", str: r".*"}


def parse(argv: Sequence[str]) -> tuple[Flags, dict[str, Value], list[str]]:
    """Return our flags, those given of the other two tables, and the arguments that are no flag.

    Raise ValueError for a value that is not of its flag's type.
    """
    given: dict[str, Value] = {}
    unknown = []
    for argument in argv:
        name, equals, text = argument.removeprefix("--").partition("=")
        known = argument.startswith("--") and name in _KNOWN
        if known and (equals or isinstance(_KNOWN[name], bool)):
            given[name] = _value(name, text if equals else "true")
        else:
            unknown.append(argument)
    own = {name: value for name, value in given.items() if name in _OWN}
    others = {name: value for name, value in given.items() if name not in _OWN}
    return Flags(**own), others, unknown  # type: ignore[arg-type]


def _value(name: str, text: str) -> Value:
    kind = type(_KNOWN[name])
    if not re.fullmatch(_PATTERNS[kind], text, re.DOTALL | re.ASCII):
        raise ValueError(f"Couldn't interpret value {text} for flag {name}.")
    return text == "true" if kind is bool else kind(text)


def unimplemented(given: Mapping[str, Value]) -> list[str]:
    """Return the names of given flags whose value asks for what this server cannot do."""
    return [name for name, value in given.items() if name in UNIMPLEMENTED and value != UNIMPLEMENTED[name]]


def usage() -> str:
    """Return what `--help` prints."""
    kinds = {bool: "bool", int: "int", float: "float", str: "string"}
    lines = (f"\t--{name}={_text(default)}\t{kinds[type(default)]}" for name, default in _KNOWN.items())
    return "\n".join(["usage: tensorflow_model_server", "Flags:", *lines])


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
