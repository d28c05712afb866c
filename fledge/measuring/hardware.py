"""What a measurement was made on: without it a latency says nothing."""

import os
import platform
from pathlib import Path


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str | int]:
    """The processor's name, cores that this process may use, memory in bytes, and the kernel's release.

    `cpuinfo` is Linux's list of processors; what it does not name is "unknown".
    """
    return {
        "cpu": _named(cpuinfo),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _named(cpuinfo: Path) -> str:
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
