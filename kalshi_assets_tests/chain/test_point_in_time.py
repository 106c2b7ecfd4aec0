"""Nothing computed for a minute depends on what was known later: shown by attack."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.config import load_toml
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.families.temperature.listing import regular_closes
from kalshi_assets.families.temperature.trading import trading_params
from kalshi_assets.features.labels import LATEST
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.pooling.fused import fused_pmf
from kalshi_assets.tables import (
    CALIBRATED,
    DECISIONS,
    FUSED_PMF,
    HAZARD_PMF,
    LABELS,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    SETTLEMENTS,
)
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.records import decisions
from kalshi_assets.trading.sensitivity import with_changes
from kalshi_assets_tests.chain.attacks import (
    Attack,
    assert_past_is_untouched,
    cut,
    noise,
    terms_cut,
    terms_noise,
    told,
)
from kalshi_assets_tests.chain.inputs import LIVELY, Inputs, chain_of, day_of
from kalshi_assets_tests.properties import examples
from kalshi_assets_tests.shared import needs_archive

NEW_YORK = city_day("new_york", date(2025, 4, 25))
CHICAGO = city_day("chicago", date(2025, 5, 5))

EAGER = with_changes(
    trading_params(load_toml(CONFIG_NAME), "new_york"),
    {
        "max_spread_cents": 30.0,
        "min_volume_15m": 0.0,
        "max_quote_age_s": 1e6,
        "max_hazard_5m": 1.0,
        "max_position_contracts": 500,
        "kelly_fraction": 1.0,
        "value.maker_min_edge_cents": 0.01,
        "value.taker_min_edge_cents": 0.02,
    },
)

ReadDay = Callable[[LadderDay], Inputs]


def _instants(day: Inputs) -> list[datetime]:
    """Before, at and within the climate day; on a minute, between two, and when a fact arrives."""
    opened, close = day.events["open_time"][0], day.events["close_time"][0]
    arrivals = pl.concat(frame["known_at"] for frame in day.tables.values()).sort()
    return [
        opened + timedelta(minutes=37),
        day.start - timedelta(minutes=1),
        day.start,
        day.start + timedelta(hours=4, minutes=3),
        day.start + timedelta(hours=11, minutes=15, seconds=42),
        arrivals[len(arrivals) // 2],
        day.start + timedelta(hours=14, minutes=20),
        day.start + timedelta(hours=17, minutes=1),
        close - timedelta(minutes=10),
    ]


def _survives(day: Inputs, attack: Attack) -> None:
    whole = chain_of(day)
    for instant in _instants(day):
        assert_past_is_untouched(whole, chain_of(attack(day, instant)), instant)


@pytest.mark.parametrize("attack", [cut, noise])
def test_the_past_of_a_generated_day_does_not_know_its_future(
    generated_day: Inputs, attack: Attack
) -> None:
    _survives(generated_day, attack)


@needs_archive
@pytest.mark.parametrize("attack", [cut, noise])
@pytest.mark.parametrize("key", [NEW_YORK, CHICAGO], ids=str)
def test_the_past_of_a_recorded_day_does_not_know_its_future(
    recorded: ReadDay, key: LadderDay, attack: Attack
) -> None:
    _survives(recorded(key), attack)


@examples(6)
@given(minute=st.integers(0, 2300), seed=st.integers(0, 2**32))
def test_no_minute_of_a_generated_day_knows_its_future(
    generated_day: Inputs, minute: int, seed: int
) -> None:
    instant = generated_day.events["open_time"][0] + timedelta(minutes=minute)
    whole = chain_of(generated_day)
    assert_past_is_untouched(whole, chain_of(noise(generated_day, instant, seed)), instant)


def test_the_attack_changes_what_comes_after(generated_day: Inputs) -> None:
    instant = generated_day.start + timedelta(hours=12)
    whole, attacked = chain_of(generated_day), chain_of(noise(generated_day, instant))
    later = pl.col("minute") > instant
    for table, frame in whole.items():
        assert not frame.filter(later).equals(attacked[table].filter(later)), table.full_name


def test_nothing_is_known_after_its_minute(generated_day: Inputs) -> None:
    for table, frame in chain_of(generated_day).items():
        late = frame.filter(pl.col("known_at") > pl.col("minute"))
        assert late.is_empty(), table.full_name


@pytest.mark.parametrize("attack", [cut, noise])
def test_an_engine_that_trades_at_every_edge_does_not_know_its_future(
    generated_day: Inputs, attack: Attack
) -> None:
    day = replace(generated_day, params=EAGER)
    reasons = chain_of(day)[DECISIONS]["reason"]
    assert {"trade", "order_working", "loss_limit"} <= set(reasons)
    _survives(day, attack)


def test_minutes_that_have_not_happened_need_not_be_there(generated_day: Inputs) -> None:
    day = replace(generated_day, params=EAGER)
    whole = chain_of(day)
    for instant in _instants(day)[2:]:
        panel = whole[MINUTE_PANEL].filter(pl.col("minute") <= instant)
        hazard = whole[HAZARD_PMF].filter(pl.col("minute") <= instant)
        seen = whole[MINUTE_PANEL_WITH_WEATHER].filter(pl.col("minute") <= instant)
        market = market_pmf(panel)
        so_far = {MARKET_PMF: market, FUSED_PMF: fused_pmf(market, hazard, seen, LIVELY)}
        assert_past_is_untouched({table: whole[table] for table in so_far}, so_far, instant)


def test_a_session_decides_like_the_backtest_on_the_minutes_it_has_seen(
    generated_day: Inputs,
) -> None:
    day = replace(generated_day, params=EAGER)
    whole = chain_of(day)
    for instant in _instants(day)[4:]:
        so_far = pl.col("minute") <= instant
        full, calibrated = (whole[t].filter(so_far) for t in (MINUTE_PANEL_FULL, CALIBRATED))
        seen = day_of(day, full, calibrated)
        decided = decisions(seen, backtest(seen))
        assert_past_is_untouched({DECISIONS: whole[DECISIONS]}, {DECISIONS: decided}, instant)


def _with_changing_terms(day: Inputs) -> Inputs:
    """The day with its close moved forward, then back again under another price grid."""
    since = [day.start + timedelta(hours=hours) for hours in (10, 15)]
    until = [day.start + timedelta(hours=hours) for hours in (19, 22)]
    grids = [day.events["tick_grid"][0], "[[0, 10000, 10]]"]
    return replace(day, events=told(day.events, since, until, grids))


@pytest.mark.parametrize("attack", [terms_cut, terms_noise])
def test_no_minute_knows_terms_that_were_told_later(generated_day: Inputs, attack: Attack) -> None:
    day = replace(_with_changing_terms(generated_day), params=EAGER)
    whole = chain_of(day)
    assert whole[MINUTE_PANEL]["minute"].max() == day.start + timedelta(hours=22)
    for hours in (-1, 9.99, 10, 12.5, 14.99):
        instant = day.start + timedelta(hours=hours)
        attacked = attack(day, instant)
        assert not attacked.events.equals(day.events)
        assert_past_is_untouched(whole, chain_of(attacked), instant)
        assert_past_is_untouched(
            {LABELS: _labels(day)}, {LABELS: _labels(attacked)}, instant - LATEST
        )


def test_an_early_close_read_after_the_settlement_changes_no_minute_before_it(
    generated_day: Inputs,
) -> None:
    key, early = generated_day.key, generated_day.start + timedelta(hours=13)
    said = EventContract.from_frame(key, generated_day.events)
    read_at = said.close_time + timedelta(days=3)
    closed_early = replace(said, close_time=early)
    closes = regular_closes(city(key.ladder), key.date)
    # Nothing but the close differs, and as long as the event trades nobody knows it.
    at_end = replace(said, close_time=said.day_end)
    regular, moved = (
        replace(generated_day, events=with_reading(None, each, read_at, closes), params=EAGER)
        for each in (at_end, closed_early)
    )
    whole, before = chain_of(regular), early - timedelta(minutes=1)
    assert_past_is_untouched(whole, chain_of(moved), before)
    assert_past_is_untouched({LABELS: _labels(regular)}, {LABELS: _labels(moved)}, before - LATEST)
    assert chain_of(moved)[MINUTE_PANEL]["minute"].max() == early


def _labels(day: Inputs) -> pl.DataFrame:
    panel = minute_panel(day.events, day.candles, day.trades)
    return labels(panel, day.events, day.observations, SETTLEMENTS.empty())


def test_the_library_holds_nothing_that_was_not_known_when_the_climate_day_began(
    generated_day: Inputs,
) -> None:
    whole = chain_of(generated_day)
    start = generated_day.start

    def late_rows(frame: pl.DataFrame) -> pl.DataFrame:
        known_late = frame.with_columns(
            known_at=pl.lit(start + timedelta(microseconds=1)).cast(frame.schema["known_at"]),
            temp_f=pl.col("temp_f") + 40,
            event_time=pl.col("event_time") + timedelta(minutes=1),
        )
        return pl.concat([frame, known_late]).sort("event_time")

    spoilt = tuple((day, late_rows(frame)) for day, frame in generated_day.earlier)
    attacked = chain_of(replace(generated_day, earlier=spoilt))
    assert_past_is_untouched(whole, attacked, generated_day.events["close_time"][0])


def test_what_the_previous_day_reported_last_is_not_in_the_library(generated_day: Inputs) -> None:
    eve_start, eve = generated_day.earlier[-1]
    assert eve_start == generated_day.start - timedelta(days=1)
    late = pl.col("known_at") > generated_day.start
    assert eve.filter(late).height > 0, "the attack needs reports that arrive after midnight"
    without = (*generated_day.earlier[:-1], (eve_start, eve.filter(~late)))
    assert_past_is_untouched(
        chain_of(generated_day),
        chain_of(replace(generated_day, earlier=without)),
        generated_day.events["close_time"][0],
    )


@pytest.mark.parametrize("attack", ["cut", "late"])
def test_parameters_rest_on_nothing_known_after_the_climate_day_began(
    generated_day: Inputs, attack: str
) -> None:
    start, priors = generated_day.start, load_priors()
    whole = mc_params(start, generated_day.earlier, [], [], priors)

    def attacked(frame: pl.DataFrame) -> pl.DataFrame:
        if attack == "cut":
            return frame.filter(pl.col("known_at") <= start)
        known_late = frame.with_columns(
            pl.col("lo_f", "hi_f") + 40,
            known_at=pl.lit(start + timedelta(microseconds=1)).cast(frame.schema["known_at"]),
        )
        return pl.concat([frame, known_late])

    spoilt = [(day, attacked(frame)) for day, frame in generated_day.earlier]
    assert any(
        not a.equals(b) for (_, a), (_, b) in zip(spoilt, generated_day.earlier, strict=True)
    )
    assert_frame_equal(mc_params(start, spoilt, [], [], priors), whole, check_exact=True)
    assert (whole["known_at"] <= start).all()
    assert HazardParameters.from_frame(MC_PARAMS.conform(whole)).n_days >= priors.min_days
