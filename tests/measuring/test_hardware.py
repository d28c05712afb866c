"""What the machine says of itself."""

import json
from pathlib import Path

from fledge.measuring import hardware


def test_this_machine_has_a_core_and_memory() -> None:
    """What is described is JSON, with at least one core, some memory and a kernel."""
    found = json.loads(json.dumps(hardware.describe()))
    assert set(found) == {"cpu", "cores", "memory_bytes", "kernel"}
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1 << 20
    assert found["kernel"].startswith("Linux ")


def test_the_processor_is_the_first_that_is_named(tmp_path: Path) -> None:
    """The name is what follows `model name`; a machine that names none is unknown, not a crash."""
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: Fast: one\nprocessor\t: 1\nmodel name\t: Other\n")
    assert hardware.describe(listed)["cpu"] == "Fast: one"
    listed.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert hardware.describe(listed)["cpu"] == "unknown"
    assert hardware.describe(tmp_path / "absent")["cpu"] == "unknown"
