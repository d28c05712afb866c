"""Does the candidate know what nobody knows when it is asked?"""

from collections.abc import Callable

import pytest

from fledge.artifact.contract import Contract
from fledge.artifact.savedmodel import Model
from fledge.checks import data, leakage, signal
from fledge.checks.scores import scored
from fledge.evidence import Check
from fledge.gates import rows as tables
from fledge.gates.limits import Limit, Limits, Task
from fledge.gates.rows import Rows
from fledge.stats import Array, metrics

Record = Callable[[Check], None]


@pytest.fixture(scope="module")
def champion_training(
    request: pytest.FixtureRequest,
    contract: Contract,
    champion_contract: Contract,
    training: Rows | None,
    limits: Limits,
) -> Rows | None:
    """The training rows, as the champion's contract reads them."""
    files = request.config.getoption("--training")
    same = training is None or champion_contract is contract
    return training if same else tables.load_training(files, champion_contract, limits)


def test_known_at(contract: Contract, limits: Limits, record: Record) -> None:
    """Every input says that its value is known when the question is asked."""
    record(leakage.known_at(contract, limits.of("leakage", "known_at", Limit)))


def test_overlap(rows: Rows, training: Rows | None, limits: Limits, record: Record) -> None:
    """No more held-out rows are copies of training rows than rows recur by nature."""
    limit = limits.of("leakage", "overlap", leakage.Overlap)
    if training is None:
        record(data.unknown_training("leakage", "overlap", limit, limits.file))
    else:
        record(leakage.overlap(rows, training, limit, limits.file))


def test_time(rows: Rows, training: Rows | None, limits: Limits, record: Record) -> None:
    """What is held out as later comes after training, and what is held out within its months is of other clusters."""
    limit = limits.of("leakage", "time", leakage.Time)
    if training is None:
        record(data.unknown_training("leakage", "time", limit, limits.file))
    else:
        record(leakage.time(rows, training, limits, limit))


def test_single_feature(rows: Rows, contract: Contract, limits: Limits, record: Record) -> None:
    """No input alone tells nearly all of the label."""
    limit = limits.of("leakage", "single_feature", signal.SingleFeature)
    record(signal.single_feature(rows, contract, limits.task, limit, limits.file))


def test_too_good(ours: Array, theirs: Array, rows: Rows, limits: Limits, record: Record) -> None:
    """The candidate is not so much better than the champion that a leak is the likelier cause."""
    limit, metric = limits.of("leakage", "too_good", leakage.TooGood), limits.metrics[0]
    change = metrics.difference(metric, rows.label, ours, theirs, rows.cluster, threshold=limits.threshold)
    gain = change if metric in metrics.HIGHER_IS_BETTER else change.scaled(-1)
    record(leakage.too_good(metric, gain, rows, limit, limits.file))


def test_gap(
    candidate: Model,
    champion: Model,
    contract: Contract,
    champion_contract: Contract,
    ours: Array,
    theirs: Array,
    rows: Rows,
    training: Rows | None,
    champion_training: Rows | None,
    limits: Limits,
    record: Record,
) -> None:
    """From training to held-out rows the candidate's loss does not grow much more than the champion's."""
    limit = limits.of("leakage", "gap", leakage.Gap)
    if training is None or champion_training is None:
        record(data.unknown_training("leakage", "gap", limit, limits.file))
        return
    loss = metrics.squared_error if limits.task == "regression" else metrics.log_loss
    before = loss(rows.label, theirs)
    seen = loss(training.label, answers(candidate, contract, training, limits.task))
    known = loss(training.label, answers(champion, champion_contract, champion_training, limits.task))
    held = loss(rows.label, ours) - before
    record(leakage.gap(held, rows, seen - known, training, float(before.mean()), limit, limits.file))


def answers(model: Model, contract: Contract, rows: Rows, task: Task) -> Array:
    """The model's scores of all rows."""
    found = model.run(contract.signature, {name: rows.inputs[name] for name in contract.inputs})
    return scored(found[next(iter(contract.outputs))], task)
