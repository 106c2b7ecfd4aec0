"""What must hold of every city-day that the chain computes, recorded or generated."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.server import running
from kalshi_assets.sandbox.world import generate
from kalshi_assets.tables import (
    EVENTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
)
from kalshi_assets_tests.chain.conftest import ENDLESS
from kalshi_assets_tests.chain.inputs import Chain, Inputs, chain_of, read_inputs
from kalshi_assets_tests.shared import needs_archive

NEW_YORK = city_day("new_york", date(2025, 4, 25))
CHICAGO = city_day("chicago", date(2025, 5, 5))


@pytest.fixture(
    params=[
        "generated",
        pytest.param(NEW_YORK, marks=needs_archive, id=str(NEW_YORK)),
        pytest.param(CHICAGO, marks=needs_archive, id=str(CHICAGO)),
    ]
)
def day(
    request: pytest.FixtureRequest, generated_day: Inputs, recorded: Callable[[LadderDay], Inputs]
) -> Inputs:
    return generated_day if request.param == "generated" else recorded(request.param)


@pytest.fixture
def chain(day: Inputs) -> Chain:
    return chain_of(day)


def test_every_table_passes_its_checks(day: Inputs, chain: Chain, tmp_path: Path) -> None:
    lake = Lake(Files(tmp_path), TEMPERATURE)
    lake.write(EVENTS, day.key, day.events)
    for table, frame in chain.items():
        for check in CHECKS.of(table):
            verdict = check.rule(table.conform(frame), lake, day.key)
            assert verdict.passed, f"{table.full_name} {check.name}: {verdict.found}"


def test_the_panel_has_every_bracket_at_every_minute_from_open_to_close(
    day: Inputs, chain: Chain
) -> None:
    panel = chain[MINUTE_PANEL]
    opened, close = day.events["open_time"][0], day.events["close_time"].max()
    minutes = panel["minute"].unique().sort()
    assert (minutes[0] - opened) < timedelta(minutes=1)
    assert minutes[0] >= opened
    assert minutes[-1] <= close < minutes[-1] + timedelta(minutes=1)
    assert (minutes.diff().drop_nulls() == timedelta(minutes=1)).all()
    assert panel.height == len(minutes) * day.events.height
    assert panel.select("minute", "bracket").is_unique().all()


@pytest.mark.parametrize("table", [MINUTE_PANEL_WITH_WEATHER, MARKET_PMF, FUSED_PMF], ids=str)
def test_every_table_of_minutes_has_the_panels_rows(chain: Chain, table) -> None:
    rows = ["market_ticker", "minute"]
    assert chain[table].select(rows).equals(chain[MINUTE_PANEL].select(rows))
    assert chain[MINUTE_PANEL_FULL].select(rows).equals(chain[MINUTE_PANEL].select(rows))


def test_market_and_fused_pmfs_sum_to_one_at_every_minute(chain: Chain) -> None:
    for table, name in ((MARKET_PMF, "p_mkt"), (FUSED_PMF, "p_fused")):
        sums = chain[table].group_by("minute").agg(pl.col(name).sum())[name]
        assert (sums - 1).abs().max() < 1e-9


def test_the_weathers_pmf_is_there_exactly_where_the_weather_is_known(chain: Chain) -> None:
    hazard = chain[HAZARD_PMF]
    known = pl.col("status").is_in(["ok", "day_ahead"])
    assert hazard.filter(known)["p_wx"].null_count() == 0
    assert hazard.filter(~known)["p_wx"].is_null().all()
    sums = hazard.filter(known).group_by("minute").agg(pl.col("p_wx").sum())["p_wx"]
    assert len(sums) == 0 or (sums - 1).abs().max() < 1e-9


def test_without_weather_the_fused_pmf_is_the_markets_and_says_so(chain: Chain) -> None:
    fused = chain[FUSED_PMF]
    without = fused.filter(
        pl.col("model_status") != "ok", ~pl.col("impossible").any().over("minute")
    )
    assert without.height > 0
    assert (without["p_fused"] == without["p_mkt"]).all()
    assert (without["model_weight"] == 0).all()
    assert without.filter(pl.col("model_status") != "day_ahead")["p_model"].is_null().all()
    assert (fused.filter(pl.col("model_status") == "ok")["model_weight"] > 0).all()


def test_the_market_pmf_never_leaves_the_box_of_bids_and_asks(chain: Chain) -> None:
    both = chain[MARKET_PMF].join(
        chain[MINUTE_PANEL].select("market_ticker", "minute", "bid_cc", "ask_cc", "quote_source"),
        on=["market_ticker", "minute"],
    )
    binding = both.filter(pl.col("quote_source") == "recorded", pl.col("arbitrage") == 0)
    p = pl.col("p_mkt")
    outside = binding.filter(
        (p < pl.col("bid_cc").fill_null(0) / 10_000 - 1e-9)
        | (p > pl.col("ask_cc").fill_null(10_000) / 10_000 + 1e-9)
    )
    assert outside.is_empty()


def test_quotes_say_where_they_are_from(day: Inputs, chain: Chain) -> None:
    sources = set(chain[MINUTE_PANEL]["quote_source"])
    assert ("recorded" in sources) == (day.candles.height > 0)
    if not day.candles.height:
        assert "inferred" in sources


@needs_archive
def test_chicago_in_may_2025_has_guidance_in_the_morning_then_no_weather_and_says_so(
    recorded: Callable[[LadderDay], Inputs],
) -> None:
    day = recorded(CHICAGO)
    fused, hazard = (chain_of(day)[table] for table in (FUSED_PMF, HAZARD_PMF))
    morning = pl.col("minute").is_between(
        day.start + timedelta(minutes=5), day.start + timedelta(hours=9, minutes=55)
    )
    assert set(hazard.filter(morning)["method"]) == {"emos"}
    assert set(hazard.filter(morning)["baseline"]) == {"guidance"}
    assert hazard.filter(morning)["hazard_next_60m"].is_null().all()
    later = hazard.filter(pl.col("minute") >= day.start + timedelta(hours=10))
    assert set(later["status"]) == {"no_observations"}
    assert later["p_wx"].is_null().all()
    assert set(fused["model_status"]) == {"before_climate_day", "day_ahead", "no_observations"}


@needs_archive
def test_new_york_in_april_2025_has_weather_all_day(
    recorded: Callable[[LadderDay], Inputs],
) -> None:
    hazard = chain_of(recorded(NEW_YORK))[HAZARD_PMF]
    assert hazard.select((pl.col("status") == "ok").mean()).item() > 0.95


def test_at_a_slot_that_too_few_earlier_days_know_the_filter_speaks_alone(
    generated_day: Inputs,
) -> None:
    begins, ends = timedelta(hours=4), timedelta(hours=6)

    def without(start, frame: pl.DataFrame) -> pl.DataFrame:
        since = pl.col("event_time") - start
        return frame.filter(~since.is_between(begins, ends))

    spoilt = tuple((start, without(start, frame)) for start, frame in generated_day.earlier)
    hazard = chain_of(replace(generated_day, earlier=spoilt))[HAZARD_PMF]
    gap = pl.col("minute").is_between(
        generated_day.start + begins + timedelta(minutes=30),
        generated_day.start + ends - timedelta(minutes=30),
    )
    assert set(hazard.filter(gap)["status"]) == {"ok"}
    assert set(hazard.filter(gap)["analogue_share"]) == {0.0}
    assert hazard.filter(~gap)["analogue_share"].max() > 0


def test_without_any_earlier_day_or_forecast_there_is_no_pmf_and_it_says_so(
    generated_day: Inputs,
) -> None:
    alone = replace(
        generated_day,
        earlier=(),
        settled=(),
        expected=(),
        forecasts=generated_day.forecasts.clear(),
    )
    hazard = chain_of(alone)[HAZARD_PMF].filter(pl.col("minute") > alone.start + timedelta(hours=1))
    assert set(hazard["status"]) == {"short_history"}
    assert hazard["p_wx"].is_null().all()


def test_dead_brackets_stay_dead_and_have_no_weather_probability(generated_day: Inputs) -> None:
    hazard = chain_of(generated_day)[HAZARD_PMF].sort("bracket", "minute")
    dead = hazard["dead"].to_numpy().reshape(generated_day.events.height, -1)
    assert dead.any()
    assert (np.diff(dead.astype(int), axis=1) >= 0).all()
    assert (hazard.filter("dead", pl.col("p_wx").is_not_null())["p_wx"] == 0).all()


@pytest.mark.parametrize("changes", [date(2025, 3, 9), date(2025, 11, 2)], ids=str)
def test_a_day_on_which_the_clocks_change_has_288_slots_and_weather_in_all(
    changes: date, tmp_path: Path
) -> None:
    generate(tmp_path, cities=["new_york"], start=changes - timedelta(days=12), end=changes, seed=3)
    with running(tmp_path, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as sandbox:
        day = read_inputs(sandbox, city_day("new_york", changes))
    assert day.start == datetime(changes.year, changes.month, changes.day, 5, tzinfo=UTC)
    assert day.events["day_end"][0] == day.start + timedelta(hours=24)
    slots = (day.observations["event_time"] - day.start).dt.total_minutes() // 5
    assert slots.min() >= 0
    assert slots.max() <= 287
    chain = chain_of(day)
    hazard = chain[HAZARD_PMF].filter(pl.col("minute") < day.start + timedelta(hours=24))
    assert hazard["minute"].n_unique() == 288
    assert hazard.filter(pl.col("status") == "ok")["minute"].n_unique() > 280
    assert (
        chain[FUSED_PMF].group_by("minute").agg(pl.col("p_fused").sum())["p_fused"] - 1
    ).abs().max() < 1e-9
