import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.families.temperature.cities import CITIES, UnknownCityError
from kalshi_assets.ladder.brackets import Bracket, Ladder
from kalshi_assets.sandbox import world, world_layout, world_market, world_station
from kalshi_assets.sandbox.world import (
    GeneratedDay,
    WorldSummary,
    generate,
    generated_day,
)
from kalshi_assets.sandbox.world_weather import Stress, day_weather
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

SEED = 7
PLACES = ["chicago", "new_york"]
START, END = date(2026, 3, 7), date(2026, 3, 8)
FRAMES = ("markets", "candles", "trades", "observations", "settlements", "forecasts")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    out = tmp_path_factory.mktemp("world") / "archive"
    return generate(out, cities=PLACES, start=START, end=END, seed=SEED)


@pytest.fixture(
    scope="module", params=[("new_york", date(2026, 3, 8)), ("denver", date(2026, 9, 4))]
)
def one(request: pytest.FixtureRequest) -> GeneratedDay:
    name, day = request.param
    return generated_day(SEED, CITIES[name], day)


def read(folder: Path, pattern: str) -> pl.DataFrame:
    return pl.read_parquet(sorted(folder.glob(pattern)))


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    city, day = CITIES["chicago"], date(2026, 5, 5)
    first, again, other = (generated_day(s, city, day) for s in (SEED, SEED, SEED + 1))
    for name in FRAMES:
        assert_frame_equal(getattr(first, name), getattr(again, name))
    for name in ("markets", "candles", "trades", "observations"):
        assert not getattr(first, name).equals(getattr(other, name))


def test_a_day_does_not_depend_on_the_other_days_cities_or_processes(
    made: WorldSummary, tmp_path: Path
) -> None:
    alone = generate(
        tmp_path / "alone", cities=["new_york"], start=END, end=END, seed=SEED, workers=2
    )
    series = "series=KXHIGHNY/event_date=2026-03-08/part.parquet"
    for name in ("candles", "trades"):
        assert_frame_equal(
            pl.read_parquet(alone.folder / name / series),
            pl.read_parquet(made.folder / name / series),
        )
    keep = (pl.col("city") == "new_york") & (pl.col("event_date") == END)
    assert_frame_equal(
        read(alone.folder, "markets.parquet"), read(made.folder, "markets.parquet").filter(keep)
    )
    reports = read(alone.folder, "observations/station=KNYC/part.parquet")
    both = read(made.folder, "observations/station=KNYC/part.parquet")
    assert_frame_equal(reports, both.filter(pl.col("valid_utc") >= reports["valid_utc"].min()))


def test_the_summary_counts_what_lies_in_the_folder(made: WorldSummary) -> None:
    assert made.city_days == 4
    assert made.candles == read(made.folder, "candles/**/part.parquet").height
    assert made.trades == read(made.folder, "trades/**/part.parquet").height
    assert made.observations == read(made.folder, "observations/**/part.parquet").height


def test_progress_names_every_city_day(tmp_path: Path) -> None:
    seen: list[tuple[str, date]] = []
    generate(
        tmp_path / "w",
        cities=["miami"],
        start=START,
        end=END,
        seed=SEED,
        progress=lambda name, day: seen.append((name, day)),
    )
    assert seen == [("miami", START), ("miami", END)]


def test_what_cannot_be_generated_is_refused(tmp_path: Path) -> None:
    good = {"cities": ["miami"], "start": START, "end": END, "seed": SEED}
    with pytest.raises(UnknownCityError, match="atlantis"):
        generate(tmp_path / "w", **{**good, "cities": ["atlantis"]})
    with pytest.raises(ValueError, match="before the start"):
        generate(tmp_path / "w", **{**good, "end": START - timedelta(days=1)})
    with pytest.raises(ValueError, match="given twice: miami"):
        generate(tmp_path / "w", **{**good, "cities": ["miami", "miami"]})
    with pytest.raises(ValueError, match="no city"):
        generate(tmp_path / "w", **{**good, "cities": []})
    with pytest.raises(ValueError, match="negative"):
        generate(tmp_path / "w", **{**good, "seed": -1})
    (tmp_path / "note.txt").write_text("kept")
    with pytest.raises(FileExistsError, match="not empty"):
        generate(tmp_path, **good)


def test_settlements_are_the_maximum_of_the_minute_values_in_standard_time(
    made: WorldSummary,
) -> None:
    for station, day, tmax_f, _ in read(made.folder, "settlements.parquet").iter_rows():
        city = next(c for c in CITIES.values() if c.station == station)
        assert tmax_f == world_station.whole_fahrenheit(SEED, city, day).max()


def test_no_report_stands_for_more_than_the_settlement(made: WorldSummary) -> None:
    settled = read(made.folder, "settlements.parquet")
    for station, day, tmax_f, _ in settled.iter_rows():
        city = next(c for c in CITIES.values() if c.station == station)
        start, end = city.climate_day(day)
        day_reports = read(made.folder, f"observations/station={station}/part.parquet").filter(
            pl.col("valid_utc").is_between(start, end, closed="left")
        )
        floors = [math.ceil(1.8 * c + 32 - 0.9 - 1e-9) for c in day_reports["temp_c_whole"]]
        assert max(floors) <= tmax_f
        assert max(floors) >= tmax_f - 3


def test_observations_cover_the_climate_days_and_the_civil_day_before_them(
    made: WorldSummary,
) -> None:
    times = read(made.folder, "observations/station=KNYC/part.parquet")["valid_utc"]
    assert times[0] == datetime(2026, 3, 7, 4, tzinfo=UTC)
    assert times[-1] == datetime(2026, 3, 9, 4, 55, tzinfo=UTC)
    assert times.is_sorted()
    assert times.is_unique().all()


def test_the_ladder_is_valid_and_its_one_winner_contains_the_maximum(one: GeneratedDay) -> None:
    ladder = Ladder.of([bracket_of(row) for row in one.markets.iter_rows(named=True)])
    assert len(ladder) == 6
    assert one.markets["strike_type"].to_list() == ["less", *["between"] * 4, "greater"]
    winners = one.markets.filter(pl.col("result") == "yes")
    assert winners.height == 1
    value = int(one.settlements["tmax_f"][0])
    assert one.markets["expiration_value"].unique().to_list() == [value]
    winner = ladder.brackets[ladder.index_of(value)].market_ticker
    assert winners["market_ticker"][0] == winner


def bracket_of(row: dict[str, object]) -> Bracket:
    floor, cap = row["floor_strike"], row["cap_strike"]
    lo = None if floor is None else int(str(floor).removesuffix(".0"))
    hi = None if cap is None else int(str(cap).removesuffix(".0"))
    if row["strike_type"] == "less":
        assert hi is not None
        hi -= 1
    if row["strike_type"] == "greater":
        assert lo is not None
        lo += 1
    return Bracket(market_ticker=str(row["market_ticker"]), lo=lo, hi=hi)


def test_tickers_labels_rules_and_times_are_the_exchanges() -> None:
    markets = generated_day(SEED, CITIES["new_york"], date(2026, 6, 15)).markets
    low, second, high = markets.row(0, named=True), markets.row(1, named=True), markets[-1]
    cap = int(low["cap_strike"])
    assert low["market_ticker"] == f"KXHIGHNY-26JUN15-T{cap}"
    assert low["yes_sub_title"] == f"{cap - 1}° or below"
    assert second["market_ticker"] == f"KXHIGHNY-26JUN15-B{cap}.5"
    assert second["yes_sub_title"] == f"{cap}° to {cap + 1}°"
    assert high["floor_strike"][0] == cap + 7
    assert high["yes_sub_title"][0] == f"{cap + 8}° or above"
    assert low["rules_primary"] == (
        "If the highest temperature recorded in Central Park, New York for June 15, 2026 as "
        "reported by the National Weather Service's Climatological Report (Daily), is less than "
        f"{cap}°, then the market resolves to Yes."
    )
    assert low["open_time"] == datetime(2026, 6, 14, 14, tzinfo=UTC)
    assert low["close_time"] == datetime(2026, 6, 16, 4, 59, tzinfo=UTC)


def test_brackets_below_zero_are_named_after_their_middle() -> None:
    city, cold = CITIES["minneapolis"], date(2026, 1, 1)
    while world_station.forecast(SEED, city, cold).value_f > -2:
        cold += timedelta(days=1)
    ladder = world_market.event(SEED, city, cold).ladder
    for bracket in ladder.brackets[1:-1]:
        assert bracket.lo is not None
        assert bracket.market_ticker.endswith(f"-B{bracket.lo + 0.5}")
    assert ladder.brackets[1].market_ticker.count("-") == 3


def test_rules_name_the_weather_company_from_the_day_of_the_change() -> None:
    chicago = CITIES["chicago"]
    assert world_market.rules(chicago, date(2026, 9, 15), "greater than 87°") == (
        "If the maximum temperature recorded at Chicago (CLIMDW) for Sep 15, 2026, is greater "
        "than 87° fahrenheit according to The Weather Company, then the market resolves to Yes."
    )
    assert "National Weather Service" in world_market.rules(chicago, date(2026, 8, 13), "x")
    assert "(CLISEA)" in world_market.rules(CITIES["seattle"], date(2026, 8, 13), "x")


def test_a_bid_is_always_below_the_ask_and_the_six_leave_no_arbitrage(one: GeneratedDay) -> None:
    for part in ("open", "close"):
        assert (one.candles[f"yes_bid_{part}"] < one.candles[f"yes_ask_{part}"]).all()
    close = (
        one.candles.sort("end_period_ts")
        .pivot(on="market_ticker", index="end_period_ts", values=["yes_bid_close", "yes_ask_close"])
        .fill_null(strategy="forward")
    )
    bids = close.select(pl.sum_horizontal(pl.selectors.starts_with("yes_bid"))).to_series()
    asks = close.select(
        pl.sum_horizontal(pl.selectors.starts_with("yes_ask").fill_null(100))
    ).to_series()
    assert bids.max() <= 100
    assert asks.min() >= 100


def test_candles_are_consistent_and_open_where_the_one_before_closed(one: GeneratedDay) -> None:
    for side in ("yes_bid", "yes_ask", "price"):
        low, high = pl.col(f"{side}_low"), pl.col(f"{side}_high")
        for part in ("open", "close"):
            inside = pl.col(f"{side}_{part}").is_between(low, high)
            assert one.candles.select(inside.all()).item()
    assert one.candles.select(
        pl.col("price_mean").is_between(pl.col("price_low"), pl.col("price_high")).all()
    ).item()
    for side in ("yes_bid", "yes_ask"):
        before = pl.col(f"{side}_close").shift(1).over("market_ticker")
        assert one.candles.select((pl.col(f"{side}_open") == before).all()).item()
    assert (
        one.candles.select(pl.col("price_close").is_null() == (pl.col("volume") == 0))
        .to_series()
        .all()
    )


def test_candles_are_sparse_and_within_trading_hours(one: GeneratedDay) -> None:
    assert not one.candles.select("market_ticker", "end_period_ts").is_duplicated().any()
    assert one.candles["end_period_ts"].dt.second().unique().to_list() == [0]
    opens, closes = one.markets["open_time"][0], one.markets["close_time"][0]
    assert one.candles["end_period_ts"].min() > opens
    assert one.candles["end_period_ts"].max() <= closes
    assert one.trades["created_time"].is_between(opens, closes).all()
    assert 2000 < one.candles.height < 7000
    assert 300 < one.trades.height < 4000


def test_candles_are_the_aggregate_of_the_tape(one: GeneratedDay) -> None:
    minute = (pl.col("created_time").dt.truncate("1m") + timedelta(minutes=1)).cast(
        world_layout.UTC_NS
    )
    price = pl.col("yes_price").cast(pl.Float64)
    expected = one.trades.group_by("market_ticker", end_period_ts=minute, maintain_order=True).agg(
        price_open=price.first(),
        price_low=price.min(),
        price_high=price.max(),
        price_close=price.last(),
        volume=pl.col("count").sum(),
    )
    traded = one.candles.filter(pl.col("volume") > 0).select(expected.columns)
    assert_frame_equal(traded, expected, check_row_order=False, check_dtypes=False)
    totals = one.trades.group_by("market_ticker").agg(pl.col("count").cast(pl.Int64).sum())
    listed = one.markets.filter(pl.col("volume") > 0).select("market_ticker", count="volume")
    assert_frame_equal(totals, listed, check_row_order=False)


def test_previous_price_and_open_interest_carry_over(one: GeneratedDay) -> None:
    for _, candles in one.candles.group_by("market_ticker"):
        interest = candles["open_interest"].to_numpy()
        assert (np.diff(interest) >= 0).all()
        assert (interest <= candles["volume"].cum_sum().to_numpy()).all()
        last = candles["price_close"].fill_null(strategy="forward")
        assert candles["price_previous"].equals(last.shift(1), null_equal=True)


def test_trades_print_at_a_quote_and_inside_the_price_range(one: GeneratedDay) -> None:
    assert one.trades["yes_price"].is_between(1, 99).all()
    assert (one.trades["count"] > 0).all()
    assert one.trades["trade_id"].is_unique().all()
    assert set(one.trades["taker_side"]) == {"yes", "no"}
    joined = one.trades.with_columns(
        end_period_ts=(pl.col("created_time").dt.truncate("1m") + timedelta(minutes=1)).cast(
            world_layout.UTC_NS
        )
    ).join(one.candles, on=["market_ticker", "end_period_ts"], validate="m:1")
    assert joined.height == one.trades.height
    bought = pl.col("taker_side") == "yes"
    at_quote = (
        pl.when(bought)
        .then(
            (pl.col("yes_price") == pl.col("yes_ask_open"))
            | (pl.col("yes_price") == pl.col("yes_ask_close"))
        )
        .otherwise(
            (pl.col("yes_price") == pl.col("yes_bid_open"))
            | (pl.col("yes_price") == pl.col("yes_bid_close"))
        )
    )
    assert joined.select(at_quote.all()).item()


@pytest.mark.parametrize("seed", range(5))
def test_prices_converge_to_the_outcome_by_the_close(seed: int) -> None:
    day = generated_day(seed, CITIES["new_york"], date(2026, 4, 20))
    last = day.candles.group_by("market_ticker").agg(
        mid=(pl.col("yes_bid_close").last() + pl.col("yes_ask_close").last()) / 2,
        bid=pl.col("yes_bid_close").last(),
    )
    outcome = last.join(day.markets.select("market_ticker", "result"), on="market_ticker")
    assert (outcome.filter(pl.col("result") == "yes")["bid"] >= 95).all()
    assert (outcome.filter(pl.col("result") == "no")["bid"] <= 3).all()


def test_the_market_is_uncertain_the_day_before_and_calibrated_enough_to_learn_from() -> None:
    city, hits, confidence = CITIES["new_york"], 0, []
    days = [date(2026, 2, 1) + timedelta(days=k) for k in range(90)]
    for day in days:
        event = world_market.event(SEED, city, day)
        view = world_market.belief(SEED, city, day, event, lag_min=9)
        eve = view.pmf[60]
        hits += int(
            eve.argmax() == event.ladder.index_of(world_station.official_maximum(SEED, city, day))
        )
        confidence.append(eve.max())
        np.testing.assert_allclose(view.pmf.sum(axis=1), 1, atol=1e-9)
        assert (view.pmf >= 0).all()
    assert 0.25 < np.mean(confidence) < 0.45
    assert hits / len(days) == pytest.approx(float(np.mean(confidence)), abs=0.13)


def test_a_bracket_that_reports_have_passed_is_never_believed_in() -> None:
    city, day = CITIES["new_york"], date(2026, 4, 20)
    event = world_market.event(SEED, city, day)
    view = world_market.belief(SEED, city, day, event, lag_min=9)
    dead = view.pmf == 0
    assert dead[-1].any()
    assert (dead[1:] >= dead[:-1]).all()


def test_some_days_are_under_stress_and_thin_ones_trade_little() -> None:
    days = [date(2026, 1, 1) + timedelta(days=k) for k in range(200)]
    stress = {day: day_weather(SEED, CITIES["new_york"], day).stress for day in days}
    assert 10 < sum(kind is not Stress.NONE for kind in stress.values()) < 80
    thin = next(day for day, kind in stress.items() if kind is Stress.THIN_MARKET)
    one = generated_day(SEED, CITIES["new_york"], thin)
    assert one.stress is Stress.THIN_MARKET
    assert one.trades.height < 400


@needs_archive
@pytest.mark.parametrize(
    ("schema", "recorded", "generated"),
    [
        (world_layout.MARKETS, "markets.parquet", "markets.parquet"),
        (world_layout.SETTLEMENTS, "settlements.parquet", "settlements.parquet"),
        (world_layout.FORECASTS, "forecasts.parquet", "forecasts.parquet"),
        (
            world_layout.CANDLES,
            "candles/series=KXHIGHCHI/event_date=2025-05-05/part.parquet",
            "candles/series=KXHIGHCHI/event_date=2026-03-08/part.parquet",
        ),
        (
            world_layout.TRADES,
            "trades/series=KXHIGHNY/event_date=2025-04-20/part.parquet",
            "trades/series=KXHIGHNY/event_date=2026-03-08/part.parquet",
        ),
        (
            world_layout.OBSERVATIONS,
            "observations/station=KNYC/part.parquet",
            "observations/station=KNYC/part.parquet",
        ),
    ],
)
def test_the_layout_is_that_of_the_recordings(
    made: WorldSummary, schema: pl.Schema, recorded: str, generated: str
) -> None:
    assert pl.read_parquet_schema(ARCHIVE / recorded) == schema
    assert pl.read_parquet_schema(made.folder / generated) == schema


def test_the_layout_written_is_the_layout_declared(made: WorldSummary) -> None:
    assert world.SOURCE == "generated world"
    assert pl.read_parquet_schema(made.folder / "markets.parquet") == world_layout.MARKETS
    assert read(made.folder, "markets.parquet")["source"].unique().to_list() == ["generated world"]
    assert read(made.folder, "forecasts.parquet")["issued_utc"].dt.hour().unique().to_list() == [12]
