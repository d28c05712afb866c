"""Tests of pipelines.retrain: what is kept is whole, is not made twice, and follows from the seed alone."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fledge.gates import limits
from pipelines import retrain
from pipelines.retrain import Setting
from tests.workspace import an_owner_of_colours, run

FIT = """
import numpy as np
from pipelines import retrain
one = retrain.setting("colours")
for seed in (6, 5):
    retrain.retrain(one, [seed], lambda: None)
alone = retrain.answer(one, 6)
answer, weights = retrain.fitted(one, 6)
assert np.array_equal(answer, alone)
assert not np.array_equal(retrain.answer(one, 5), alone)
zero = {"no weights": lambda weights: [0 * w for w in weights]}
retrain.damage(one, [5, 6], zero, lambda: print("damaged"))
retrain.damage(one, [5, 6], zero, lambda: print("damaged again"))
assert np.allclose(np.load(retrain.damaged_file(one, "no weights", 5))["answer"], 1 / 3)
print(one.file(6))
"""


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose model has data and was never trained; the test stands in it."""
    root = an_owner_of_colours(tmp_path)
    runpy.run_path(str(root / "models" / "colours" / "data.py"))["write"](root / "data" / "colours")
    monkeypatch.chdir(root)
    return root


def changed(file: Path, before: str, after: str) -> None:
    """Replace what is there for sure."""
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def test_a_seed_gives_the_same_network_whatever_was_fitted_before(colours: Path) -> None:
    """A retraining is as in a process of its own; damage to its weights is kept beside it, and made once."""
    (colours / "fit.py").write_text(FIT)
    done = run(colours, "fit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == ["damaged"] * 2
    assert (colours / done.stdout.splitlines()[-1]).is_file()


def test_what_is_kept_is_not_fitted_again(colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seeds 1 to 4, of which two are there, only the other two are fitted, and each is told."""
    one, fitted, told = retrain.setting("colours"), [], []
    for seed in (2, 3):
        retrain.keep(one.file(seed), np.zeros((2, 3), "float32"), [])

    def fit(_: Setting, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
        fitted.append(seed)
        return np.full((2, 3), seed, "float32"), [np.ones(2)]

    monkeypatch.setattr(retrain, "fitted", fit)
    retrain.retrain(one, [1, 2, 3, 4], lambda: told.append(True))
    assert fitted == [1, 4]
    assert len(told) == 2
    assert retrain.answer(one, 4)[0, 0] == 4


def test_ctrl_c_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while it writes, a retraining is not there at all, and no scraps are; one that was there stays."""
    file = tmp_path / "seeds" / "seed-00001.npz"

    def interrupted(stream: object, **arrays: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    retrain.keep(file, np.ones(3), [])
    whole = file.read_bytes()
    monkeypatch.setattr(np, "savez", interrupted)
    for name in ("seed-00001.npz", "seed-00002.npz"):
        with pytest.raises(KeyboardInterrupt):
            retrain.keep(file.with_name(name), np.ones(3), [])
    assert [one.name for one in file.parent.iterdir()] == ["seed-00001.npz"]
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("file", "before", "after", "same"),
    [
        ("params.yaml", "epochs: 1", "epochs: 2", False),
        ("params.yaml", "seed: 1", "seed: 2", True),
        ("params.yaml", "limit: 1.0", "limit: 2.0", True),
        ("model.py", "import keras\n", "import keras  # the layers\n", True),
        ("model.py", '"softmax"', '"sigmoid"', False),
        ("contract.yaml", "known: [a, b]", "known: [a, b, c]", False),
    ],
)
def test_retrainings_belong_to_what_they_follow_from(
    colours: Path, file: str, before: str, after: str, same: bool
) -> None:
    """Recipe, code or contract changed, there are none yet; seed, limits and comments may change, and all are kept."""
    key = retrain.setting("colours").key
    changed(colours / "models" / "colours" / file, before, after)
    assert (retrain.setting("colours").key == key) == same


def test_other_rows_have_other_retrainings(colours: Path) -> None:
    """A month of other bytes, or held-out rows of other months, start anew."""
    first = retrain.setting("colours").key
    month = colours / "data" / "colours" / "2020-02.parquet"
    month.write_bytes((colours / "data" / "colours" / "2020-01.parquet").read_bytes())
    assert retrain.setting("colours").key == first  # both months are made alike here: the same bytes, the same rows
    pd.read_parquet(month).iloc[:100].to_parquet(month)
    assert retrain.setting("colours").key != first


def test_a_change_of_the_recipe_is_a_setting_of_its_own(colours: Path) -> None:
    """What a benign change replaces is replaced, and kept apart."""
    plain, longer = retrain.setting("colours"), retrain.setting("colours", {"epochs": 3})
    assert longer.params == {**plain.params, "epochs": 3}
    assert longer.folder != plain.folder
    assert longer.folder.parent == plain.folder.parent
    assert len(plain.rows) == 300
    assert limits.load(colours / "models" / "colours" / "params.yaml").rows == ("2020-02",)
