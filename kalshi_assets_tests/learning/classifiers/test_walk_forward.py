from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.learning.classifiers.schedule import fold_of
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers
from kalshi_assets.tables.classifiers import CLASSIFIERS
from kalshi_assets_tests.learning.classifiers.days import (
    DAY,
    FEATURES,
    SETTLED_AFTER,
    UTC_TIME,
    example_day,
    history,
    start_of,
)

ONE = timedelta(days=1)
DAYS = history(DAY, skill=1.0, minutes=12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore(Files(tmp_path_factory.mktemp("models")))


def in_force(day: date, days: object, store: ModelStore) -> pl.DataFrame:
    return classifiers(day, start_of(day), days, FEATURES, store)  # type: ignore[arg-type]


def files(store: ModelStore) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in store.files.root.rglob("*") if path.is_file()}


def test_the_table_keeps_its_contract_and_says_what_it_rests_on(store: ModelStore) -> None:
    found = CLASSIFIERS.conform(in_force(DAY, DAYS, store))
    assert found["status"].to_list() == ["trees"] * 7
    assert (found["known_at"] <= found["event_time"]).all()
    assert (found["validation_end"] == DAY - 2 * ONE).all()
    assert found["gain_share"].list.sum().to_list() == pytest.approx([1.0] * 7)
    assert found["stability_index"].list.len().to_list() == [len(FEATURES)] * 7
    assert set(found["drift_feature"]) <= set(FEATURES)


def test_an_outcome_is_known_from_its_settlement_on(store: ModelStore) -> None:
    found = in_force(DAY, DAYS, store)
    known = dict(found.select("target", "known_at").iter_rows())
    assert known["pays"] == start_of(DAY - 2 * ONE) + SETTLED_AFTER
    assert known["move_1m"] < known["pays"]


@pytest.mark.parametrize("part", ["training", "validation"])
def test_an_outcome_that_comes_days_late_reaches_no_fit_before_it_was_known(
    store: ModelStore, part: str
) -> None:
    late = getattr(fold_of(DAY), part)[-1]
    began = start_of(DAY)

    def settled(*said: datetime) -> dict[date, pl.DataFrame]:
        pays = [pl.col("pays")] * len(said)
        rows = DAYS[late].with_columns(
            outcome_known_at=pl.lit(list(said), pl.List(UTC_TIME)),
            outcome_pays=pl.concat_list(pays) if said else pl.lit([], pl.List(pl.Boolean)),
        )
        return {**DAYS, late: rows}

    never = in_force(DAY, settled(), store)
    assert not never.equals(in_force(DAY, DAYS, store))
    just_late = settled(began + timedelta(microseconds=1))
    assert in_force(DAY, just_late, store).equals(never)
    last = fold_of(DAY).prediction[-1]
    assert in_force(last, just_late, store)["model_sha256"].equals(never["model_sha256"])
    in_time = in_force(DAY, settled(began), store)
    assert in_time.drop("known_at").equals(in_force(DAY, DAYS, store).drop("known_at"))
    assert in_time.filter(target="pays")["known_at"].item() == began


def test_a_later_word_on_an_outcome_changes_no_fit_before_it(store: ModelStore) -> None:
    after = start_of(DAY) + timedelta(hours=1)
    other = (pl.col("bracket") == 0).alias("pays")
    said = pl.lit(after, UTC_TIME)
    revised = {
        day: rows.with_columns(
            other,
            outcome_known_at=pl.concat_list("outcome_known_at", said),
            outcome_pays=pl.concat_list("outcome_pays", other),
        )
        for day, rows in DAYS.items()
    }
    assert in_force(DAY, revised, store).equals(in_force(DAY, DAYS, store))


def test_days_from_the_as_of_date_on_and_the_day_before_change_nothing(store: ModelStore) -> None:
    expected = in_force(DAY, DAYS, store)
    others = {DAY + n * ONE: example_day(DAY, skill=-3.0, seed=9) for n in range(-1, 12)}
    assert in_force(DAY, {**DAYS, **others}, store).equals(expected)
    without = {day: rows for day, rows in DAYS.items() if day < DAY - ONE}
    assert in_force(DAY, without, store).equals(expected)


def test_a_day_of_the_training_window_does_change_the_model(
    store: ModelStore, tmp_path: Path
) -> None:
    expected = in_force(DAY, DAYS, store)
    first = fold_of(DAY).training[-1]
    changed = {**DAYS, first: example_day(first, skill=-3.0, seed=9, minutes=12)}
    found = in_force(DAY, changed, ModelStore(Files(tmp_path)))
    assert (found["model_sha256"] != expected["model_sha256"]).all()


def test_a_second_run_and_the_other_days_of_the_fold_find_the_fits(store: ModelStore) -> None:
    expected = in_force(DAY, DAYS, store)
    before = files(store)
    assert in_force(DAY, DAYS, store).equals(expected)
    last = fold_of(DAY).prediction[-1]
    later = {**DAYS, **{DAY + n * ONE: example_day(DAY + n * ONE) for n in range(4)}}
    assert in_force(last, later, store)["model_sha256"].equals(expected["model_sha256"])
    assert files(store) == before


def test_another_store_gets_the_same_models(store: ModelStore, tmp_path: Path) -> None:
    assert in_force(DAY, DAYS, ModelStore(Files(tmp_path))).equals(in_force(DAY, DAYS, store))


def _tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("harm", [Path.unlink, _tear])
def test_a_model_that_is_lost_or_torn_is_fitted_again(
    store: ModelStore, harm: Callable[[Path], None]
) -> None:
    expected = in_force(DAY, DAYS, store)
    path = store.files.root / "models" / f"{expected['model_sha256'][0]}.txt"
    whole = path.read_bytes()
    harm(path)
    assert in_force(DAY, DAYS, store).equals(expected)
    assert path.read_bytes() == whole


def test_with_too_few_days_nothing_is_fitted_and_the_table_says_so(tmp_path: Path) -> None:
    store = ModelStore(Files(tmp_path))
    found = CLASSIFIERS.conform(in_force(DAY, history(DAY, n=20, minutes=4), store))
    assert found["status"].to_list() == ["too_few_days"] * 7
    assert found["n_days"].max() == 9
    assert found["model_sha256"].null_count() == 7
    assert not files(store)


def test_with_no_day_at_all_the_table_still_has_its_rows(tmp_path: Path) -> None:
    found = CLASSIFIERS.conform(in_force(DAY, {}, ModelStore(Files(tmp_path))))
    assert found["drift"].null_count() == 7
    assert (found["known_at"] == found["event_time"]).all()


def test_examples_that_were_known_too_late_are_an_error(tmp_path: Path) -> None:
    late = {day: rows.with_columns(pl.col("known_at") + timedelta(days=9)) for day, rows in
            history(DAY, n=20, minutes=4).items()}  # fmt: skip
    with pytest.raises(ValueError, match="uses what was known only at"):
        in_force(DAY, late, ModelStore(Files(tmp_path)))
