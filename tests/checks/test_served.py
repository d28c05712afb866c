"""The server that gates ask: it serves for as long as it is asked, and says why it cannot."""

import socket
from pathlib import Path

import pytest

from fledge.problems import Problem
from tests.gates.served import serving
from tests.serving import examples


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example models."""
    return examples.build(tmp_path_factory.getbasetemp())


def listens(address: str) -> bool:
    """Whether anything accepts connections there."""
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_it_serves_until_the_end_whatever_the_end(saved_models: Path) -> None:
    """Both ports are open inside the block and closed after it, also where a gate breaks inside."""
    asked: list[str] = []

    def break_inside() -> None:
        with serving(saved_models / "half" / "1", "half") as server:
            asked.extend([server.rest, server.grpc])
            assert [server.name, *map(listens, asked)] == ["half", True, True]
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        break_inside()
    assert [listens(address) for address in asked] == [False, False]


def test_what_cannot_be_served_is_told_in_the_servers_words(tmp_path: Path) -> None:
    """A folder without a model is one line: how the server ended, why, and which folder it was."""
    with pytest.raises(Problem) as problem, serving(tmp_path, "nothing"):
        pass
    (line,) = problem.value.lines
    assert line.startswith("server: ended with 255 and said 'NOT_FOUND: Could not find SavedModel")
    assert f"supplied export directory path: {tmp_path}." in line
    assert "expected the model AVAILABLE" in line
