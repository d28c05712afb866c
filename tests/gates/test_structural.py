"""Is the artifact what its contract says, and can a stock server run it? No statistics, no tolerance."""

import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from fledge.artifact import graph, savedmodel
from fledge.artifact.contract import Contract
from fledge.artifact.savedmodel import Model
from fledge.checks import structural, vocabulary
from fledge.checks.structural import Also, File, Operations
from fledge.evidence import Check
from fledge.gates.limits import Limit, Limits
from fledge.gates.rows import Rows
from fledge.project import read_yaml, validated
from tests.gates import asking
from tests.gates.served import Served

# isort: split
# After fledge.artifact.savedmodel, which stands in for TensorFlow.
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

Record = Callable[[Check], None]

OPS = Path(__file__).with_name("ops.yaml")
SAMPLE = 32  # rows that the served model answers


@pytest.fixture(scope="module")
def artifact(request: pytest.FixtureRequest) -> Path:
    """The candidate's folder: what can be read is judged, whether it loads or not."""
    return Path(request.config.getoption("--candidate"))


@pytest.fixture(scope="module")
def meta(artifact: Path) -> MetaGraphDef:
    """The candidate's graph."""
    return asking.readable(graph.read, artifact)


def test_signature(meta: MetaGraphDef, contract: Contract, limits: Limits, record: Record) -> None:
    """The SavedModel's signatures are exactly those of contract.yaml: names, dtypes, shapes, classes."""
    record(structural.signature(graph.signatures(meta), contract, limits.of("structural", "signature", Also)))


def test_vocabulary(candidate: Model, contract: Contract, limits: Limits, record: Record) -> None:
    """Every table of words in the graph is one of contract.yaml's lists of known values, in its order."""
    record(vocabulary.vocabulary(candidate.tables(), contract, limits.of("structural", "vocabulary", Also)))


def test_variables(artifact: Path, meta: MetaGraphDef, limits: Limits, record: Record) -> None:
    """Every weight is finite, and no matrix of them is one value throughout."""
    limit = limits.of("structural", "variables", Also)
    record(structural.variables(asking.readable(savedmodel.variables, artifact), graph.constants(meta), limit))


def test_ops(meta: MetaGraphDef, limits: Limits, record: Record) -> None:
    """What loading and answering run is on the list of operations that are known to be harmless."""
    known = validated(Operations, read_yaml(OPS), str(OPS))
    record(structural.ops(graph.answering(meta), graph.loading(meta), known, limits.of("structural", "ops", Also)))


def test_files(artifact: Path, limits: Limits, record: Record) -> None:
    """The artifact is made of regular files of a SavedModel alone, and none of them is a pickle."""
    record(structural.files(list(content(artifact)), limits.of("structural", "files", Also)))


def test_tensorflow(meta: MetaGraphDef, limits: Limits, record: Record) -> None:
    """The artifact was made by a TensorFlow that is not newer than the server's."""
    limit = limits.of("structural", "tensorflow", Limit)
    record(structural.tensorflow(graph.maker(meta), version("tensorflow"), limit))


def test_served(served: Served, artifact: Path, contract: Contract, rows: Rows, limits: Limits, record: Record) -> None:
    """A server in a process of its own loads and warms up the model, is AVAILABLE, and answers real rows."""
    limit, sample = limits.of("structural", "served", Limit), asking.sample(rows, SAMPLE)
    answers, count = asking.served(served, "grpc", contract, sample, SAMPLE), asking.count(sample)
    warm = (artifact / structural.WARM_UP).is_file()
    record(structural.served(contract.faults(answers, count), warm, count, limit))


def content(folder: Path) -> Iterator[File]:
    """Everything in a folder but its folders; a link is not followed."""
    for place, folders, names in os.walk(folder):
        for path in (Path(place) / name for name in sorted(names + folders)):
            where = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                yield File(where, regular=False)
            elif path.is_file():
                yield _file(path, where)


def _file(path: Path, where: str) -> File:
    with path.open("rb") as stream:
        head = stream.read(structural.HEAD)
        stream.seek(max(path.stat().st_size - 1, 0))
        return File(where, regular=True, head=head, tail=stream.read(1))
