"""contract.yaml: how its values become a model's inputs."""

import re
from pathlib import Path

import numpy as np
import pytest

from fledge.artifact import contract as contracts
from tests.tiny.owner import CONTRACT, limits, write_model


@pytest.mark.parametrize("dtype", ["float32", "int64", "string", "bool"])
def test_none_stands_for_missing_whatever_the_dtype(dtype: str) -> None:
    """None becomes the contract's `missing`, also where the dtype could hold something else for it."""
    missing, other = {"float32": (-1.0, 2.0), "int64": (-1, 2), "string": ("?", "a"), "bool": (True, False)}[dtype]
    column = contracts.Input(dtype=dtype, missing=missing)
    assert column.array([other, None]).tolist() == [other, missing]


@pytest.mark.parametrize("spelt", ["nan", ".nan"])
def test_both_spellings_of_not_a_number_are_read(tmp_path: Path, spelt: str) -> None:
    """`missing: nan`, a string in YAML, and `missing: .nan` are the same number in a request."""
    file = write_model(tmp_path, "spelt", CONTRACT, limits()) / "contract.yaml"
    file.write_text(re.sub(r"missing: '?\.?nan'?", f"missing: {spelt}", file.read_text()))
    assert f"missing: {spelt}\n" in file.read_text()
    assert np.isnan(contracts.load(file).inputs["temp"].array([None])).all()
