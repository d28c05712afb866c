"""fledge.rehearsal.fault: the same server, a share of whose predictions fails."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from fledge.artifact.savedmodel import Error
from fledge.rehearsal.fault import failing
from tests.serving import examples
from tests.serving.conftest import launch


def test_share() -> None:
    """Exactly those calls fail whose draw is below the share, with INTERNAL; the others are the server's own."""
    draws = itertools.cycle([0.1, 0.2, 0.3, 0.9])
    run = failing(lambda *_: {"y": 1}, 0.25, lambda: next(draws))  # type: ignore[arg-type, dict-item, misc]
    model: Any = None
    for expected in ("fails", "fails", "answers", "answers"):
        if expected == "answers":
            assert run(model, "serving_default", {}, None, None) == {"y": 1}
        else:
            with pytest.raises(Error, match="fault switch") as caught:
                run(model, "serving_default", {}, None, None)
            assert caught.value.error_code == 13  # INTERNAL


def test_a_server_with_a_fault(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A fifth of the predictions fails with 500; readiness and metadata never do."""
    models = examples.build(tmp_path_factory.getbasetemp())
    flags = ["--model_name=half", f"--model_base_path={models / 'half'}"]
    server = launch(tmp_path, *flags, program=("-m", "fledge.rehearsal.fault", "--share=0.2", "--"))
    try:
        codes = [server.rest("POST", "/v1/models/half:predict", {"instances": [[2.0]]}).status for _ in range(300)]
        metadata = {server.rest("GET", "/v1/models/half/metadata").status for _ in range(20)}
    finally:
        server.end()
    assert set(codes) == {200, 500}
    assert stats.binomtest(codes.count(500), len(codes), 0.2).pvalue > 1e-6
    assert metadata == {200}
