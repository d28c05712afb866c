"""The margins of params.yaml, each with what it was derived from: text in, text out, the owner's comments kept."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from fledge.calibration.noise import Noise, rounded_up, significant
from fledge.problems import Problem

GATE = "regression"  # where a metric's margin stands: gates.regression.<metric>.margin


def read(content: Mapping[str, Any], metrics: Sequence[str], file: str) -> dict[str, float]:
    """The margin of each metric. Raises Problem naming file and key of each that has none."""
    found = {name: _section(content, name).get("margin") for name in metrics}
    if absent := [name for name, margin in found.items() if margin is None]:
        raise Problem(
            *(
                f"{file}: no margin found, expected one to begin with ({file}: gates.{GATE}.{name}.margin)"
                for name in absent
            )
        )
    return {name: float(margin) for name, margin in found.items()}


def derived(text: str, noises: Sequence[Noise], checks: int, file: str) -> str:
    """params.yaml with `sigma_seed` and its derivation beside each margin, and no margin below the least.

    A margin that is wide enough stays the owner's: how much worse is tolerable is theirs to say, how little can be
    told apart is not. Raises Problem for a metric without a margin.
    """
    yaml = _yaml()
    content = yaml.load(text)
    before = read(content, [noise.metric for noise in noises], file)
    for noise in noises:
        section, least = _section(content, noise.metric), rounded_up(noise.least(checks))
        if before[noise.metric] < least:
            section["margin"] = least
        _put(section, noise, checks)
    out = StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def _put(section: Any, noise: Noise, checks: int) -> None:
    rounded = float(significant(noise.sigma_seed))
    last = "sigma_seed" if "sigma_seed" in section else "margin"
    below = _cut(section, last)
    if last == "margin":
        section.insert(list(section).index("margin") + 1, "sigma_seed", rounded)
    section["sigma_seed"] = rounded
    section.ca.items.pop("sigma_seed", None)
    why = f"SD over {noise.seeds} seeds; least margin {noise.derivation(checks)} (make calibrate)"
    section.yaml_add_eol_comment(why, "sigma_seed")
    section.ca.items["sigma_seed"][2].value += below


def _cut(section: Any, key: str) -> str:
    """Take what ruamel.yaml hangs on a key's own comment: the lines below, which belong to what follows."""
    token = (section.ca.items.get(key) or [None] * 3)[2]
    if token is None or "\n" not in token.value:
        return ""
    own, below = token.value.split("\n", 1)
    if own:
        token.value = own + "\n"
    else:
        section.ca.items.pop(key)
    return f"\n{below}"


def _section(content: Mapping[str, Any], metric: str) -> Any:
    return ((content.get("gates") or {}).get(GATE) or {}).get(metric) or {}


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
