from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.families.temperature.features import FEATURES, model_features
from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.families.temperature.panel import with_weather
from kalshi_assets.features.examples import examples
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.tables import (
    FORECASTS,
    FUSED_PMF,
    HAZARD_PMF,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    SETTLEMENTS,
)
from kalshi_assets.tables.panel import EXAMPLES, LABELS, MODEL_FEATURES
from kalshi_assets_tests.families.temperature.test_labels import EVENT, LATER_REPORTS, REPORTS, at
from kalshi_assets_tests.features.tapes import OPEN, busy_tape, past, spliced
from kalshi_assets_tests.lake.handmade import TICKERS, frame_of


def _hazard(seed: int = 0) -> pl.DataFrame:
    """A hazard every five minutes of two hours, known a minute before it is evaluated."""
    rng = np.random.default_rng(seed)
    times = [OPEN + timedelta(minutes=n) for n in range(0, 121, 5)]
    drawn = rng.dirichlet(np.ones(len(TICKERS)), len(times))
    hazard = rng.random(len(times))
    return frame_of(
        HAZARD_PMF,
        market_ticker=[market for _ in times for market in TICKERS],
        bracket=[bracket for _ in times for bracket in range(len(TICKERS))],
        minute=[time for time in times for _ in TICKERS],
        known_at=[time - timedelta(minutes=1) for time in times for _ in TICKERS],
        status="ok",
        p_wx=drawn.ravel().tolist(),
        hazard_next_60m=np.repeat(hazard, len(TICKERS)).tolist(),
        hazard_next_5m=np.repeat(hazard / 9, len(TICKERS)).tolist(),
        p_pass_60m=0.25,
        log_likelihood=-1.5,
    )


def _features(
    tape: tuple[pl.DataFrame, ...], reports: pl.DataFrame, hazard: pl.DataFrame
) -> tuple[Any, ...]:
    panel = minute_panel(EVENT, *tape)
    seen = with_weather(panel, EVENT, reports, FORECASTS.empty())
    market = market_pmf(panel)
    return model_features(seen, market, hazard), seen, market


TAPE = busy_tape(1, 120)
WHOLE, SEEN, MARKET = _features(TAPE, REPORTS, _hazard())
LABELLED = labels(SEEN, EVENT, REPORTS, SETTLEMENTS.empty())


def test_the_features_keep_their_contract_and_know_nothing_later() -> None:
    assert MODEL_FEATURES.conform(WHOLE).equals(WHOLE)
    assert WHOLE.height == len(TICKERS) * 121
    assert (WHOLE["known_at"] <= WHOLE["minute"]).all()


def test_models_see_numbers_and_booleans_only() -> None:
    types = [MODEL_FEATURES.dtypes[name] for name in FEATURES]
    assert all(dtype.is_numeric() or dtype == pl.Boolean for dtype in types)
    assert len(set(FEATURES)) == len(FEATURES)
    assert not set(FEATURES) & set(LABELS.dtypes) - {"bracket"}


def test_examples_are_the_features_of_every_fifth_minute_bit_for_bit_and_the_labels() -> None:
    found = examples(model_features(SEEN, MARKET, _hazard()), LABELLED, EXAMPLES)
    assert EXAMPLES.conform(found).equals(found)
    fifth = (pl.col("minute") - OPEN).dt.total_minutes() % 5 == 0
    live = WHOLE.filter(fifth)
    shared = [name for name in MODEL_FEATURES.dtypes if name != "known_at"]
    assert found.select(shared).equals(live.select(shared))
    assert found["features_known_at"].equals(live["known_at"].alias("features_known_at"))
    assert found.select(LABELS.dtypes.keys()).equals(LABELLED.filter(fifth))


def test_examples_are_of_the_climate_day_and_not_of_the_eve() -> None:
    later = EVENT.with_columns(day_start=pl.col("day_start") + pl.duration(minutes=58))
    seen = with_weather(minute_panel(later, *TAPE), later, REPORTS, FORECASTS.empty())
    found = examples(model_features(seen, MARKET, _hazard()), LABELLED, EXAMPLES)
    assert found["minute"].min() == at(58)
    assert found["minute"].max() == at(118)
    assert found["minute"].n_unique() == 13


def test_the_hazard_of_a_minute_is_the_latest_one() -> None:
    rows = WHOLE.filter(market_ticker=TICKERS[1])
    hazard = _hazard().filter(market_ticker=TICKERS[1])
    for minute in (5, 9):
        found = rows.row(by_predicate=pl.col("minute") == at(minute), named=True)
        assert found["p_wx"] == hazard["p_wx"][1]
        assert found["weather_gap"] == found["p_wx"] - found["p_mkt"]


def test_before_the_first_hazard_there_is_no_weather() -> None:
    late = _hazard().filter(pl.col("minute") >= at(60))
    rows = model_features(SEEN, MARKET, late).filter(pl.col("minute") < at(60))
    assert set(rows["hazard_status"]) == {"before_climate_day"}
    assert rows["p_wx"].null_count() == rows.height
    assert not rows["dead"].any()


def test_brackets_are_placed_by_their_distance_from_the_leader() -> None:
    for _, rows in WHOLE.group_by("minute"):
        leader = rows.sort("bracket")["p_mkt"].arg_max()
        assert leader is not None
        placed = rows.sort("bracket")["bracket_from_leader"].to_list()
        assert placed == [bracket - leader for bracket in range(len(TICKERS))]
        leading = rows.filter(bracket_from_leader=0)["logit_velocity_5m"].item()
        assert set(rows["leader_logit_velocity_5m"]) == {leading}


def test_a_bracket_without_a_quote_all_day_has_rows_with_what_is_known() -> None:
    rows = WHOLE.filter(market_ticker=TICKERS[-1])
    assert rows.height == 121
    empty = ("mid", "spread_cents", "spread_proxy_cents", "lead_lag_min", "projection_gap")
    assert rows.select(empty).null_count().row(0) == (121,) * 5
    assert rows.select("p_mkt", "volume_15m", "p_wx").null_count().row(0) == (0, 0, 0)


@pytest.mark.parametrize(("keep_candles", "keep_trades"), [(0, 0), (0, 1), (1, 0)])
def test_without_candles_or_trades_there_is_still_every_row(
    keep_candles: int, keep_trades: int
) -> None:
    tape = (TAPE[0].head(keep_candles * 10_000), TAPE[1].head(keep_trades * 10_000))
    found, _, _ = _features(tape, REPORTS, _hazard())
    assert MODEL_FEATURES.conform(found).height == WHOLE.height
    proxy = found["spread_proxy_cents"].null_count()
    assert (proxy < found.height) == bool(keep_trades)


def test_the_full_panel_is_the_features_and_what_was_pooled() -> None:
    pooled = frame_of(
        FUSED_PMF,
        **{name: WHOLE[name].to_list() for name in ("market_ticker", "minute", "p_mkt")},
        p_fused=WHOLE["p_mkt"].to_list(),
        model_weight=0.5,
    )
    parts = {MODEL_FEATURES: model_features(SEEN, MARKET, _hazard()), FUSED_PMF: pooled}
    full = MINUTE_PANEL_FULL.conform(MINUTE_PANEL_FULL.assembled(parts, None))
    shared = [name for name in MODEL_FEATURES.dtypes if name in full.columns]
    assert set(shared) > set(MINUTE_PANEL_WITH_WEATHER.dtypes)
    assert full.select(shared).equals(WHOLE.select(shared))
    assert set(full["weather_weight"]) == {0.5}
    assert full["p_fused"].equals(WHOLE["p_mkt"].alias("p_fused"))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 119))
def test_cutting_off_or_replacing_the_future_changes_no_feature_of_the_past(t: int) -> None:
    until = pl.col("minute") <= at(t)
    whole = WHOLE.filter(until)
    other = busy_tape(7, 120)
    cut = [past(frame, t) for frame in TAPE]
    mixed = [spliced(*frames, t) for frames in zip(TAPE, other, strict=True)]
    hazards = (
        _hazard().filter(until),
        pl.concat([_hazard().filter(until), _hazard(3).filter(~until)]),
    )
    evidence = past(REPORTS, t), spliced(REPORTS, LATER_REPORTS, t)
    for tape, reports, hazard in zip((cut, mixed), evidence, hazards, strict=True):
        found, _, _ = _features(tuple(tape), reports, hazard)
        assert found.filter(until).equals(whole)
