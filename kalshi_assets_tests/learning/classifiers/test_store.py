import json
from pathlib import Path

import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.learning.classifiers.baseline import MARKET
from kalshi_assets.learning.classifiers.fit import Fit
from kalshi_assets.learning.classifiers.store import ModelFileError, ModelStore

KEY = "k" * 64


def fit_with(model_sha256: str | None) -> Fit:
    return Fit(
        model_sha256=model_sha256,
        baseline=MARKET,
        n_days=60,
        n_validation_days=10,
        n_rows=100,
        best_iteration=3,
        validation_cross_entropy=0.1 + 0.2,
        baseline_cross_entropy=1 / 3,
        improvement_se=0.01,
        validation_auc=None,
        baseline_auc=0.5,
        gain_share=(0.25, 0.75),
    )


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(Files(tmp_path))


def test_a_fit_comes_back_bit_for_bit(store: ModelStore) -> None:
    fit = fit_with(store.save("tree"))
    store.remember(KEY, fit)
    assert store.recall(KEY) == fit


def test_the_same_model_saved_twice_is_one_file_left_alone(store: ModelStore) -> None:
    sha256 = store.save("tree")
    written = store.files.stamp(f"models/{sha256}.txt")
    assert store.save("tree") == sha256
    assert store.files.stamp(f"models/{sha256}.txt") == written
    assert store.files.names("models") == [f"{sha256}.txt"]


def test_nothing_fitted_is_nothing_found(store: ModelStore) -> None:
    assert store.recall(KEY) is None


def test_a_missing_model_is_named_with_what_to_do(store: ModelStore) -> None:
    with pytest.raises(ModelFileError, match=r"abc\.txt is missing; materialise"):
        store.load("abc")


@pytest.mark.parametrize("content", [b"", b"tre", b"\xff\xfe\x00"])
def test_a_torn_model_is_refused_its_fit_forgotten_and_saving_heals_it(
    store: ModelStore, content: bytes
) -> None:
    sha256 = store.save("tree")
    store.remember(KEY, fit_with(sha256))
    store.files.write(f"models/{sha256}.txt", content)
    with pytest.raises(ModelFileError, match="damaged"):
        store.load(sha256)
    assert store.recall(KEY) is None
    assert store.save("tree") == sha256
    assert store.load(sha256) == "tree"
    assert store.recall(KEY) is not None


def test_a_fit_kept_when_baselines_knew_less_is_made_again(store: ModelStore) -> None:
    stored = fit_with(None).to_json()
    del stored["baseline"]["position_bonus"]
    store.remember(KEY, fit_with(None))
    store.files.write(f"models/fits/{KEY}.json", json.dumps(stored).encode())
    assert store.recall(KEY) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_torn_index_is_as_if_nothing_had_been_fitted(store: ModelStore, content: bytes) -> None:
    store.remember(KEY, fit_with(None))
    store.files.write(f"models/fits/{KEY}.json", content)
    assert store.recall(KEY) is None


def test_a_fit_without_trees_needs_no_file(store: ModelStore) -> None:
    store.remember(KEY, fit_with(None))
    assert store.recall(KEY) == fit_with(None)
