"""What every gate shares: one candidate, one champion, the same frozen rows, and the evidence that is recorded.

Run by `make gates` (scripts/gates.py). Without its options nothing here is collected: a gate needs a candidate.
"""

import platform
import time
from collections import Counter
from collections.abc import Callable, Generator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fledge import contract as contracts
from fledge import evidence as findings
from fledge import limits as sections
from fledge import rows as tables
from fledge.contract import Contract
from fledge.evidence import Check, Evidence, Verdict
from fledge.hashing import dvc_directory, tree_sha256
from fledge.limits import Limits
from fledge.problems import Problem
from fledge.rows import Rows

if TYPE_CHECKING:
    from fledge.savedmodel import Model

CHECKS = pytest.StashKey[list[Check]]()
LIMITS = pytest.StashKey[Limits]()
TIMINGS = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("gates")
    options.addoption("--model-dir", type=Path, help="models/<name>: contract.yaml, params.yaml, requests.jsonl")
    options.addoption("--candidate", type=Path, help="SavedModel folder to judge")
    options.addoption("--champion", help="SavedModel folder to compare with, or none for a first release")
    options.addoption("--rows", type=Path, action="append", help="Parquet file of held-out rows; may be repeated")
    options.addoption("--evidence", type=Path, help="JSON file to write")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "task(name): the check is made for models of this task alone")
    config.stash[CHECKS], config.stash[TIMINGS] = [], Counter()
    if _wanted(config):
        try:
            config.stash[LIMITS] = sections.load(config.getoption("--model-dir") / "params.yaml")
        except Problem as problem:
            raise pytest.UsageError(*problem.lines) from None


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if _wanted(config) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out another task's metrics and, for a first release, the comparisons; the evidence says that it is one."""
    kept = [item for item in items if _applies(config, item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that broke, skipped itself or made no check is a check that blocks."""
    report = yield
    gate, name = item.path.stem.removeprefix("test_"), item.name.removeprefix("test_")
    made = [check for check in item.config.stash[CHECKS] if (check.gate, check.name) == (gate, name)]
    if call.excinfo and not any(check.blocks for check in made):
        item.config.stash[CHECKS].append(_broken(gate, name, call.excinfo.value))
    elif call.when == "call" and not made:
        item.config.stash[CHECKS].append(_broken(gate, name, AssertionError("the test made no check of its name")))
        report.outcome = "failed"
    item.config.stash[TIMINGS][gate] += call.duration  # type: ignore[assignment]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    out = session.config.getoption("--evidence", None)
    if out and LIMITS in session.config.stash:
        out.write_text(findings.to_json(_evidence(session.config)))


@pytest.fixture(scope="session")
def first(request: pytest.FixtureRequest) -> bool:
    """Whether there is no champion."""
    return _first(request.config)


@pytest.fixture(scope="session")
def limits(request: pytest.FixtureRequest) -> Limits:
    return request.config.stash[LIMITS]


@pytest.fixture(scope="session")
def model_dir(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("--model-dir"))


@pytest.fixture(scope="session")
def contract(model_dir: Path) -> Contract:
    return contracts.load(model_dir / "contract.yaml")


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest, contract: Contract, limits: Limits) -> Rows:
    return tables.load(request.config.getoption("--rows") or [], contract, limits)


@pytest.fixture(scope="session")
def candidate(request: pytest.FixtureRequest) -> Generator["Model"]:
    yield from _loaded(request.config, Path(request.config.getoption("--candidate")))


@pytest.fixture(scope="session")
def champion(request: pytest.FixtureRequest) -> Generator["Model"]:
    yield from _loaded(request.config, Path(request.config.getoption("--champion")))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Puts a check into the evidence, and fails the test with the check's line if it blocks."""

    def put(check: Check) -> None:
        request.config.stash[CHECKS].append(check)
        if check.blocks:
            pytest.fail(check.line, pytrace=False)

    return put


def _wanted(config: pytest.Config) -> bool:
    return config.getoption("--candidate", None) is not None


def _first(config: pytest.Config) -> bool:
    return config.getoption("--champion") in (None, "none")


def _applies(config: pytest.Config, item: pytest.Item) -> bool:
    tasks = [mark.args[0] for mark in item.iter_markers("task")]
    compares = "champion" in getattr(item, "fixturenames", [])
    return (not tasks or config.stash[LIMITS].task in tasks) and not (compares and _first(config))


def _loaded(config: pytest.Config, path: Path) -> Generator["Model"]:
    from fledge import savedmodel  # here: a plain `pytest` imports this file, and must not get the bare TensorFlow

    start = time.perf_counter()
    model = savedmodel.load(path)
    config.stash[TIMINGS]["load"] += time.perf_counter() - start  # type: ignore[assignment]
    yield model
    model.close()


def _broken(gate: str, name: str, error: BaseException) -> Check:
    lines = error.lines if isinstance(error, Problem) else [f"{type(error).__name__}: {error}".splitlines()[0]]
    return Check(gate, name, Verdict.BLOCK, "; ".join(lines), "mend what the line names; the check could not be made")


def _evidence(config: pytest.Config) -> Evidence:
    files, checks = config.getoption("--rows") or [], config.stash[CHECKS]
    there = [file for file in files if file.is_file()]
    return Evidence(
        model=config.getoption("--model-dir").resolve().name,
        candidate=_identity(config.getoption("--candidate")),
        champion=None if _first(config) else _identity(Path(config.getoption("--champion"))),
        rows={
            "files": [file.name for file in files],
            "sha256": tables.sha256(there),
            "holdout": list(config.stash[LIMITS].holdout),
        },
        checks=checks,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("tensorflow", "numpy", "scipy", "hypothesis")},
        timings={name: round(seconds, 3) for name, seconds in config.stash[TIMINGS].items()},
    )


def _identity(path: Path) -> dict[str, str]:
    return {"name": path.name, "md5": dvc_directory(path)[0], "sha256": tree_sha256(path)}
