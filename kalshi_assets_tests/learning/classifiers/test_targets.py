import numpy as np
import polars as pl
import pytest

from kalshi_assets.learning.classifiers.targets import (
    TARGETS,
    labelled,
    prices,
    sample,
    training_rows,
)
from kalshi_assets.tables.classifiers import CLASSIFIER_TARGETS
from kalshi_assets_tests.learning.classifiers.days import (
    BRACKETS,
    DAY,
    FEATURES,
    LATER,
    example_day,
    history,
)

BY_NAME = {target.name: target for target in TARGETS}
ROWS = training_rows({DAY: example_day(DAY)}, [DAY], FEATURES, LATER)


def test_every_target_is_in_the_contract() -> None:
    assert set(BY_NAME) == set(CLASSIFIER_TARGETS)


def test_move_and_up_together_tell_the_direction() -> None:
    moves, ups = (labelled(BY_NAME[name], ROWS) for name in ("move_5m", "up_5m"))
    assert moves["y"].to_list() == (ROWS["y_dir_5m"] != 0).cast(pl.Float64).to_list()
    assert ups.height == int(moves["y"].sum())
    assert ups["y"].to_list() == (ups["y_dir_5m"] == 1).cast(pl.Float64).to_list()


def test_a_minute_without_exactly_one_winner_is_left_out_whole() -> None:
    first, second = ROWS["minute"].unique().sort()[:2]
    torn = ROWS.with_columns(
        pays=pl.when((pl.col("minute") == first) & (pl.col("bracket") == 0))
        .then(None)
        .when(pl.col("minute") == second)
        .then(0)
        .otherwise(pl.col("pays"))
        .cast(pl.Int8)
    )
    kept = labelled(BY_NAME["pays"], torn)
    assert kept.height == ROWS.height - 2 * BRACKETS
    assert kept["minute"].min() > second


def test_every_day_weighs_the_same_whatever_its_rows() -> None:
    days = {**history(DAY, n=3), DAY: example_day(DAY, minutes=6)}
    rows = training_rows(days, list(days), FEATURES, LATER)
    found = sample(BY_NAME["move_1m"], labelled(BY_NAME["move_1m"], rows), FEATURES)
    assert np.bincount(found.day, found.weight) == pytest.approx(np.full(4, len(found.y) / 4))
    assert found.weight.mean() == pytest.approx(1)


def test_unknown_features_are_nan_and_flags_are_numbers() -> None:
    day = example_day(DAY).with_columns(
        signal=pl.lit(None, pl.Float64), impossible=pl.lit(value=True)
    )
    rows = training_rows({DAY: day}, [DAY], FEATURES, LATER)
    x = sample(BY_NAME["pays"], labelled(BY_NAME["pays"], rows), FEATURES).x
    assert np.isnan(x[:, FEATURES.index("signal")]).all()
    assert (x[:, FEATURES.index("impossible")] == 1).all()


def test_the_leader_is_told_by_the_price_that_the_labels_use() -> None:
    rows = pl.DataFrame(
        {
            "minute": [1, 1, 1, 2, 2, 2, 3, 3, 3],
            "bracket": [0, 1, 2] * 3,
            "bid_cc": [2000, 5000, None, None, 1000, None, 3000, 3000, 1000],
            "ask_cc": [3000, 6000, None, 2000, None, 9000, 5000, 5000, 2000],
        }
    )
    # Unquoted never leads; one-sided prices 0.1, 0.55, 0.45; of a tie both lead.
    found = prices(BY_NAME["lead_1m"], rows.with_columns(p_mkt=0.5))
    assert found.leads.tolist() == [0, 1, 0, 0, 1, 0, 1, 1, 0]
    compared = [0.25, 0.55, 0.005, 0.1, 0.55, 0.45, 0.4, 0.4, 0.15]
    assert np.exp(found.log_price) == pytest.approx(compared)
    assert np.exp(prices(BY_NAME["pays"], rows.with_columns(p_mkt=0.5)).log_price) == pytest.approx(
        [0.5] * 9
    )


def test_a_feature_that_is_no_column_is_named() -> None:
    with pytest.raises(ValueError, match="missing from the rows: moon"):
        training_rows({DAY: example_day(DAY)}, [DAY], [*FEATURES, "moon"], LATER)


def test_days_that_do_not_exist_are_left_out() -> None:
    days = history(DAY, n=2)
    assert training_rows(days, [*days, DAY], FEATURES, LATER)["day"].unique().sort().to_list() == [
        *days
    ]
    assert training_rows({}, [DAY], FEATURES, LATER).is_empty()


def test_legs_of_which_several_pay_have_no_winner_to_learn() -> None:
    nested = ROWS.with_columns(pays=pl.lit(1, pl.Int8))
    with pytest.raises(ValueError, match=r"pays: \d+ legs win at .*; a target of kind winner"):
        labelled(BY_NAME["pays"], nested)
