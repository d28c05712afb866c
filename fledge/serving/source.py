"""Which versions of a model lie on disk, and which of them its policy wants served."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from fledge.serving.errors import error

_INT64 = range(-(2**63), 2**63)
log = logging.getLogger(__name__)


def on_disk(config: ModelConfig) -> dict[int, Path]:
    """Return the version folders of a model by number; any other name is ignored, so publish by rename from one.

    Raise NOT_FOUND if the base path is missing.
    """
    base = Path(config.base_path)
    if not base.exists():
        message = f"Could not find base path {config.base_path} for servable {config.name} with error NOT_FOUND"
        raise error("NOT_FOUND", message)
    children = sorted(base.iterdir(), reverse=True)
    found = {int(child.name): child for child in children if re.fullmatch(r"-?[0-9]+", child.name)}
    return {number: path for number, path in found.items() if number in _INT64}


def aspired(config: ModelConfig, found: Mapping[int, Path]) -> dict[int, Path]:
    """Return what the model's version policy chooses of the versions found: latest (of one, by default), all, specific."""
    policy = config.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return dict(found)
    if kind == "specific":
        _warn_of_missing(config, found)
        return {number: path for number, path in found.items() if number in policy.specific.versions}
    count = policy.latest.num_versions or 1
    return {number: found[number] for number in sorted(found)[-count:]}


def _warn_of_missing(config: ModelConfig, found: Mapping[int, Path]) -> None:
    for number in config.model_version_policy.specific.versions:
        if number not in found:
            log.warning(
                "Version %d of servable %s, which was requested to be served as a 'specific' version in the "
                "servable's version policy, was not found in the file system",
                number,
                config.name,
            )


def poll(configs: list[ModelConfig]) -> dict[str, dict[int, Path]]:
    """Return the aspired versions of each model. One missing base path raises NOT_FOUND for all of them."""
    return {config.name: _poll(config) for config in configs}


def _poll(config: ModelConfig) -> dict[int, Path]:
    wanted = aspired(config, on_disk(config))
    if not wanted:
        log.warning(
            "No versions of servable %s found under base path %s. "
            "Did you forget to name your leaf directory as a number (eg. '/1/')?",
            config.name,
            config.base_path,
        )
    return wanted
