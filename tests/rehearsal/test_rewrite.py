"""fledge.rehearsal.rewrite: what a pod's command means on this machine."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.problems import Problem
from fledge.rehearsal.rewrite import FLAGS, Place, address, arguments, command, repository

PLACE = Place(
    ports={8500: 21000, 8501: 21001},
    mounts={"/models": "/here/models", "/models/inner": "/here/inner"},
    names={"judge.fledge.svc:8080": "127.0.0.1:22000"},
)
SERVING = {
    "name": "serving",
    "image": "tensorflow/serving:2.20.0@sha256:0123",
    "command": ["tensorflow_model_server"],
    "args": ["--port=8500", "--num_load_threads=2"],
}
FETCH = {
    "name": "fetch",
    "image": "registry.example.com:5000/team/fledge:0.1.0",
    "command": ["python", "-m", "fledge.fetch"],
    "args": ["--remote=s3://models", "--to=/models"],
}


@pytest.mark.parametrize(
    ("word", "expected"),
    {
        "--port=8500": "--port=21000",
        "--port=9999": "--port=9999",
        "--rest_api_port=8501": "--rest_api_port=21001",
        "--model_config_file=/models/models.config": "--model_config_file=/here/models/models.config",
        "--to=/models": "--to=/here/models",
        "--to=/models/inner/x": "--to=/here/inner/x",
        "--to=/modelsque": "--to=/modelsque",
        "--address=judge.fledge.svc:8080": "--address=127.0.0.1:22000",
        "--until=http://judge.fledge.svc:8080/v1/verdict?a=1": "--until=http://127.0.0.1:22000/v1/verdict?a=1",
        "--number=8500": "--number=8500",
        "--remote=/models": "--remote=/models",
    }.items(),
)
def test_flags(word: str, expected: str) -> None:
    """The value of a flag of the table becomes its place here; every other value stays."""
    assert arguments(PLACE, [word]) == [expected]


def test_values_after_a_flag() -> None:
    """A flag of the table may have its values as words of their own, up to the next flag."""
    words = ["--rows", "/models/a", "/models/b", "--name", "/models/a"]
    assert arguments(PLACE, words) == ["--rows", "/here/models/a", "/here/models/b", "--name", "/models/a"]


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(st.text(alphabet="-=/abc:8501.", max_size=12).filter(lambda word: word.partition("=")[0] not in FLAGS)))
def test_other_words_stay(words: list[str]) -> None:
    """Words without a flag of the table come out as they went in."""
    assert arguments(PLACE, words) == words


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(FLAGS)), st.sampled_from(["8500", "/models/x", "1", "judge:1"]))))
def test_rewriting_is_done_once(pairs: list[tuple[str, str]]) -> None:
    """What was rewritten is not rewritten again, and flags keep their number and order."""
    once = arguments(PLACE, [f"{flag}={value}" for flag, value in pairs])
    assert arguments(PLACE, once) == once
    assert [word.partition("=")[0] for word in once] == [flag for flag, _ in pairs]


def test_serving_is_run_by_the_stand_in() -> None:
    """tensorflow_model_server becomes fledge.serving with the same flags."""
    assert command(PLACE, SERVING) == [sys.executable, "-m", "fledge.serving", "--port=21000", "--num_load_threads=2"]


def test_our_image_runs_this_python() -> None:
    """`python -m …` of the fledge image runs with the interpreter that runs the rehearsal."""
    expected = [sys.executable, "-m", "fledge.fetch", "--remote=s3://models", "--to=/here/models"]
    assert command(PLACE, FETCH) == expected


def test_fault_wraps_the_server_alone() -> None:
    """A share of failing predictions starts the faulty server, and leaves every other program as it is."""
    assert command(PLACE, SERVING, 0.2)[2:5] == ["fledge.rehearsal.fault", "--share=0.2", "--"]
    assert command(PLACE, SERVING, 0.2)[5:] == command(PLACE, SERVING)[3:]
    assert command(PLACE, FETCH, 0.2) == command(PLACE, FETCH)


def test_unknown_image() -> None:
    """An image without a program here is refused by its name, with what would do."""
    with pytest.raises(Problem, match="found image nginx:1 with command nginx, expected one of tensorflow/serving"):
        command(PLACE, {"name": "web", "image": "nginx:1", "command": ["nginx"]})


def test_address_keeps_unknown_hosts() -> None:
    """A host that is no Service of the table stays."""
    assert address(PLACE, "http://example.com:8080/judge.fledge.svc:8080") == (
        "http://example.com:8080/judge.fledge.svc:8080"
    )


@pytest.mark.parametrize(
    ("image", "name"),
    {"a/b:1": "a/b", "host:5000/a/b": "host:5000/a/b", "host:5000/a/b:1@sha256:0": "host:5000/a/b", "c": "c"}.items(),
)
def test_repository(image: str, name: str) -> None:
    """An image's name has no tag and no digest, but keeps its registry's port."""
    assert repository(image) == name
