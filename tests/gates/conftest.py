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

from fledge import evidence as findings
from fledge.artifact import contract as contracts
from fledge.artifact.contract import Contract
from fledge.checks.scores import scored
from fledge.evidence import Check, Evidence, Verdict
from fledge.gates import limits as sections
from fledge.gates import rows as tables
from fledge.gates.limits import Limits, Task
from fledge.gates.rows import Array, Rows
from fledge.hashing import dvc_directory, tree_sha256
from fledge.measuring import hardware
from fledge.problems import Problem

if TYPE_CHECKING:
    from fledge.artifact.savedmodel import Model
    from tests.gates.served import Served

CHECKS = pytest.StashKey[list[Check]]()
LIMITS = pytest.StashKey[Limits]()
TIMINGS = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("gates")
    options.addoption("--model-dir", type=Path, help="models/<name>: contract.yaml, params.yaml, requests.jsonl")
    options.addoption("--candidate", type=Path, help="SavedModel folder to judge")
    options.addoption("--champion", help="SavedModel folder to compare with, or none for a first release")
    options.addoption("--champion-contract", type=Path, help="the champion's own contract.yaml, else the candidate's")
    options.addoption("--anchor", type=Path, help="SavedModel folder of an older release, to see a slow decline")
    options.addoption("--rows", type=Path, action="append", help="Parquet file of held-out rows; may be repeated")
    options.addoption("--training", type=Path, action="append", help="Parquet file with training rows; may be repeated")
    options.addoption("--limits", type=Path, help="params.yaml whose limits judge, else the one of --model-dir")
    options.addoption("--limits-from", help="what messages call that file")
    options.addoption("--explore", type=int, help="how many random examples properties gets, other ones each time")
    options.addoption("--evidence", type=Path, help="JSON file to write")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "task(*names): the check is made for models of these tasks alone")
    config.stash[CHECKS], config.stash[TIMINGS] = [], Counter()
    if _wanted(config):
        file = config.getoption("--limits") or config.getoption("--model-dir") / "params.yaml"
        try:
            config.stash[LIMITS] = sections.load(file, config.getoption("--limits-from"))
        except Problem as problem:
            raise pytest.UsageError(*problem.lines) from None


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if _wanted(config) else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a metric is made once for each metric that the owner declares."""
    if "metric" in metafunc.fixturenames:
        metafunc.parametrize("metric", metafunc.config.stash[LIMITS].metrics)


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
    gate, name = item.path.stem.removeprefix("test_"), _name(item)
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
def explored(request: pytest.FixtureRequest) -> int | None:
    """How many random examples who explores wants; None for who judges."""
    found: int | None = request.config.getoption("--explore")
    return found


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
def champion_contract(request: pytest.FixtureRequest, contract: Contract) -> Contract:
    """What the champion was asked by: the candidate's contract, unless the champion has its own."""
    own = request.config.getoption("--champion-contract")
    return contracts.load(own) if own else contract


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest, contract: Contract, limits: Limits) -> Rows:
    return tables.load(request.config.getoption("--rows") or [], contract, limits)


@pytest.fixture(scope="session")
def champion_rows(
    request: pytest.FixtureRequest, contract: Contract, champion_contract: Contract, rows: Rows, limits: Limits
) -> Rows:
    """The same rows, as the champion's contract reads them."""
    same = champion_contract is contract
    return rows if same else tables.load(request.config.getoption("--rows") or [], champion_contract, limits)


@pytest.fixture(scope="session")
def training(request: pytest.FixtureRequest, contract: Contract, limits: Limits) -> Rows | None:
    """The rows that the candidate was trained on; None for an artifact that no training stage made here."""
    files = request.config.getoption("--training")
    return tables.load_training(files, contract, limits) if files else None


@pytest.fixture(scope="session")
def candidate(request: pytest.FixtureRequest) -> Generator["Model"]:
    yield from _loaded(request.config, Path(request.config.getoption("--candidate")))


@pytest.fixture(scope="session")
def champion(request: pytest.FixtureRequest) -> Generator["Model"]:
    yield from _loaded(request.config, Path(request.config.getoption("--champion")))


@pytest.fixture(scope="session")
def anchor(request: pytest.FixtureRequest) -> Generator["Model"]:
    yield from _loaded(request.config, Path(request.config.getoption("--anchor")))


@pytest.fixture(scope="session")
def ours(candidate: "Model", contract: Contract, rows: Rows, limits: Limits) -> Array:
    """The candidate's scores of all rows: (n,) for one number per row, (n, classes) otherwise."""
    return _scores("candidate", candidate, contract, rows, limits.task)


@pytest.fixture(scope="session")
def theirs(champion: "Model", champion_contract: Contract, champion_rows: Rows, limits: Limits) -> Array:
    """The champion's scores of the same rows."""
    return _scores("champion", champion, champion_contract, champion_rows, limits.task)


@pytest.fixture(scope="session")
def anchored(anchor: "Model", champion_contract: Contract, champion_rows: Rows, limits: Limits) -> Array:
    """The anchor's scores of the same rows: it is of the champion's major version, so it reads what the champion reads."""
    return _scores("anchor", anchor, champion_contract, champion_rows, limits.task)


@pytest.fixture(scope="session")
def served(model_dir: Path, request: pytest.FixtureRequest) -> Generator["Served"]:
    """The candidate in a server of its own, AVAILABLE; a check that asks for it blocks where it is not."""
    from tests.gates.served import serving

    with serving(Path(request.config.getoption("--candidate")), model_dir.resolve().name) as server:
        yield server


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
    tasks = [name for mark in item.iter_markers("task") for name in mark.args]
    asked = set(getattr(item, "fixturenames", []))
    absent = {"champion": _first(config), "anchor": config.getoption("--anchor") is None}
    lacks = any(name in asked and gone for name, gone in absent.items())
    return (not tasks or config.stash[LIMITS].task in tasks) and not lacks


def _name(item: pytest.Item) -> str:
    """The check that a test makes: its own name, or what parametrises it."""
    asked = getattr(item, "callspec", None)
    return asked.id if asked else item.name.removeprefix("test_")


def _loaded(config: pytest.Config, path: Path) -> Generator["Model"]:
    from fledge.artifact import (
        savedmodel,  # here: a plain `pytest` imports this file, and must not get the bare TensorFlow
    )
    from tests.gates.asking import readable

    start = time.perf_counter()
    model = readable(savedmodel.load, path)
    config.stash[TIMINGS]["load"] += time.perf_counter() - start  # type: ignore[assignment]
    yield model
    model.close()


def _scores(who: str, model: "Model", contract: Contract, rows: Rows, task: Task) -> Array:
    if lacking := _lacking(model, contract):
        raise Problem(*(f"{who}: has no {name}, expected it (contract.yaml: {name})" for name in lacking))
    answers = model.run(contract.signature, {name: rows.inputs[name] for name in contract.inputs})
    if faults := contract.faults(answers, len(rows)):
        raise Problem(*(f"{who}: {fault} (contract.yaml: outputs)" for fault in faults))
    return scored(answers[next(iter(contract.outputs))], task)


def _lacking(model: "Model", contract: Contract) -> list[str]:
    """What the contract names and the SavedModel lacks."""
    signature = model.signatures.get(contract.signature)
    if signature is None:
        return [f"signature {contract.signature}"]
    sides = {"inputs": (contract.inputs, signature.inputs), "outputs": (contract.outputs, signature.outputs)}
    return [f"{side}.{name}" for side, (named, there) in sides.items() for name in named if name not in there]


def _broken(gate: str, name: str, error: BaseException) -> Check:
    lines = error.lines if isinstance(error, Problem) else [f"{type(error).__name__}: {error}".splitlines()[0]]
    return Check(gate, name, Verdict.BLOCK, "; ".join(lines), "mend what the line names; the check could not be made")


def _evidence(config: pytest.Config) -> Evidence:
    files, training = config.getoption("--rows") or [], config.getoption("--training") or []
    return Evidence(
        model=config.getoption("--model-dir").resolve().name,
        candidate=_identity(config.getoption("--candidate")),
        champion=None if _first(config) else _identity(Path(config.getoption("--champion"))),
        rows={
            "files": [file.name for file in files],
            "sha256": tables.sha256([file for file in files if file.is_file()]),
            "holdout": list(config.stash[LIMITS].holdout),
            "training": [file.name for file in training],
            "training_sha256": tables.sha256([file for file in training if file.is_file()]) if training else "",
        },
        checks=config.stash[CHECKS],
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("tensorflow", "numpy", "scipy", "hypothesis")},
        timings={name: round(seconds, 3) for name, seconds in config.stash[TIMINGS].items()},
        anchor=_identity(anchor) if (anchor := config.getoption("--anchor")) else None,
        hardware=hardware.describe(),
    )


def _identity(path: Path) -> dict[str, str]:
    return {"name": path.name, "md5": dvc_directory(path)[0], "sha256": tree_sha256(path)}
