"""Free ports of 127.0.0.1 for those that will listen in a moment."""

import random
import socket
from collections.abc import Container
from pathlib import Path

LOWEST = 10_000


def free(taken: Container[int] = ()) -> int:
    """Return a port that nobody listens on and that is not in `taken`.

    It lies below the kernel's ephemeral range (ip(7), ip_local_port_range), so that no outgoing
    connection takes it before the server does, and is drawn at random, so that two rehearsals rarely meet.
    """
    source = random.SystemRandom()
    while True:
        port = source.randrange(LOWEST, max(_ephemeral(), LOWEST + 1_000))
        if port not in taken and _bindable(port):
            return port


def _ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768  # the kernel's default


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
