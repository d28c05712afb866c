"""Flags as tensorflow_model_server reads them."""

import pytest

from fledge import flags


def test_only_name_equals_value() -> None:
    """A value follows an equals sign; a boolean may stand alone; what is no flag is told apart."""
    own, others, unknown = flags.parse(
        ["--port=9000", "--enable_model_warmup=false", "--num_load_threads=2", "--model_name", "m", "--prot=1", "-x"]
    )
    assert own == flags.Flags(port=9000, enable_model_warmup=False)
    assert others == {"num_load_threads": 2}
    assert unknown == ["--model_name", "m", "--prot=1", "-x"]
    assert flags.parse(["--enable_batching"])[1] == {"enable_batching": True}


def test_a_value_may_hold_anything() -> None:
    """A text is taken as it stands, further equals signs and emptiness too."""
    assert flags.parse(["--grpc_channel_arguments=a=1,b=c"])[0].grpc_channel_arguments == "a=1,b=c"
    assert flags.parse(["--model_name="])[0].model_name == ""


@pytest.mark.parametrize(
    "argument",
    ["--port=x", "--port=", "--port=1.0", "--port=1_0", "--port= 1", "--enable_model_warmup=True", "--enable_model_warmup=1", "--per_process_gpu_memory_fraction=half"],
)  # fmt: skip
def test_a_bad_value_is_refused(argument: str) -> None:
    """A value that is not of the flag's type names both."""
    name, _, value = argument.removeprefix("--").partition("=")
    with pytest.raises(ValueError, match=f"^Couldn't interpret value {value} for flag {name}.$"):
        flags.parse([argument])


def test_what_cannot_be_heeded_is_known() -> None:
    """A flag that would change an answer is named if it asks for more than its default."""
    given = {"enable_batching": True, "ssl_config_file": "", "num_load_threads": 2}
    assert flags.unimplemented(given) == ["enable_batching"]


def test_usage_lists_every_flag() -> None:
    """Usage has a line for each flag with its default."""
    lines = flags.usage().splitlines()
    assert "\t--port=8500\tint" in lines
    assert "\t--enable_model_warmup=true\tbool" in lines
    assert "\t--ssl_config_file=\tstring" in lines
