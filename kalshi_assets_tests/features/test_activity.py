from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.features.activity import KNOTS, MEASURES, activity, percentiles
from kalshi_assets.tables import MINUTE_PANEL
from kalshi_assets.tables.panel import ACTIVITY
from kalshi_assets_tests.lake.handmade import TICKERS, frame_of

START = datetime.fromisoformat("2025-04-25T05:00:00+00:00")
NAMES = tuple(f"{name}_percentile" for name in MEASURES)


def _panel(
    seed: int, days_ago: int = 0, first: int = -90, last: int = 200, flat: bool = False
) -> pl.DataFrame:
    """A panel of four brackets whose measures are drawn anew every minute."""
    rng = np.random.default_rng(seed)
    start = START - timedelta(days=days_ago)
    minutes = [start + timedelta(minutes=n) for n in range(first, last)]
    size = len(minutes) * len(TICKERS)
    drawn = np.zeros((4, size)) if flat else rng.integers(0, 12, (4, size)).astype(float)
    return MINUTE_PANEL.arranged(
        frame_of(
            MINUTE_PANEL,
            market_ticker=[ticker for ticker in TICKERS for _ in minutes],
            minute=minutes * len(TICKERS),
            known_at=[each - timedelta(seconds=58) for each in minutes] * len(TICKERS),
            flow_15m=list(drawn[0] - 6),
            volume_15m=list(drawn[1]),
            realised_volatility_30m=list(drawn[2]),
            spread_cents=[None if each > 9 else float(each) for each in drawn[3]],
            spread_proxy_cents=2.5,
        )
    )


def _day(seed: int, days_ago: int, last: int = 200) -> pl.DataFrame:
    panel = _panel(seed, days_ago, last=last)
    return activity(panel, START - timedelta(days=days_ago))


def _days(many: int) -> list[pl.DataFrame]:
    return [_day(seed, days_ago=seed) for seed in range(1, many + 1)]


def test_a_day_is_seventeen_observed_values_of_every_measure_and_hour() -> None:
    day = ACTIVITY.conform(_day(1, days_ago=1))
    assert day.height == 4 * 6 * KNOTS  # from an hour and a half before to three hours after
    assert set(day["hour"]) == {-2, -1, 0, 1, 2, 3}
    knots = day.filter(measure="volume", hour=1)["value"]
    assert knots.is_sorted()
    assert set(knots) <= set(_panel(1)["volume_15m"])
    assert day["event_time"].unique().to_list() == [START + timedelta(minutes=199 - 1440)]
    assert (day["known_at"] <= day["event_time"]).all()


def test_the_knots_of_an_hour_with_fewer_rows_than_knots_repeat_them() -> None:
    day = activity(_panel(1, days_ago=1, last=61), START - timedelta(days=1))
    rows = _panel(1, days_ago=1, last=61).filter(
        pl.col("minute") == START - timedelta(days=1, minutes=-60)
    )
    assert set(day.filter(measure="flow", hour=1)["value"]) == set(rows["flow_15m"])


def test_without_a_quoted_spread_that_of_the_trades_counts() -> None:
    assert 2.5 in set(_day(1, days_ago=1).filter(measure="spread")["value"])


def test_a_measure_that_nobody_knew_has_no_row() -> None:
    panel = _panel(1, days_ago=1).with_columns(
        spread_cents=pl.lit(None, pl.Float64), spread_proxy_cents=pl.lit(None, pl.Float64)
    )
    assert "spread" not in set(activity(panel, START - timedelta(days=1))["measure"])


def test_a_percentile_is_the_rank_among_the_knots_of_the_hour_with_ties_in_the_middle() -> None:
    days, panel = _days(7), _panel(0)
    found = percentiles(panel, START, days)
    pool = pl.concat(days).filter(measure="volume", hour=2)["value"].to_numpy()
    at = pl.col("minute").is_between(START + timedelta(hours=2), START + timedelta(minutes=179))
    rows = pl.concat([panel, found], how="horizontal").filter(at)
    for value, rank in rows.select("volume_15m", "volume_percentile").rows():
        assert rank == pytest.approx((np.mean(pool < value) + np.mean(pool <= value)) / 2)


def test_the_same_in_every_day_is_the_middle() -> None:
    days = [activity(_panel(1, n, flat=True), START - timedelta(days=n)) for n in range(1, 7)]
    found = percentiles(_panel(0, flat=True), START, days)
    assert set(found["volume_percentile"]) == {0.5}


def test_fewer_than_five_days_give_no_percentile_but_their_number() -> None:
    found = percentiles(_panel(0), START, _days(4))
    assert found.select(NAMES).null_count().row(0) == (found.height,) * 4
    assert set(found["activity_days"]) == {4}
    known = percentiles(_panel(0), START, _days(5))
    assert known.select(NAMES).null_count().row(0) == (0,) * 4


def test_without_earlier_days_nothing_is_usual() -> None:
    found = percentiles(_panel(0), START, [])
    assert found.null_count().row(0) == (0, *[found.height] * 5)
    assert set(found["activity_days"]) == {0}


def test_an_hour_that_no_day_had_has_no_percentile() -> None:
    found = percentiles(_panel(0, last=300), START, _days(6))
    late = _panel(0, last=300)["minute"] >= START + timedelta(hours=4)
    assert found.filter(late)["flow_percentile"].null_count() == late.sum()
    assert set(found.filter(late)["activity_days"]) == {0}


def test_an_unknown_value_has_no_rank() -> None:
    panel = _panel(0).with_columns(realised_volatility_30m=pl.lit(None, pl.Float64))
    found = percentiles(panel, START, _days(6))
    assert found["volatility_percentile"].null_count() == panel.height
    assert found["flow_percentile"].null_count() == 0


def test_a_day_that_is_not_over_when_the_hour_begins_does_not_count() -> None:
    yesterday = _day(1, days_ago=1, last=1440 + 30)
    earlier = [yesterday, *(_day(n, days_ago=n) for n in range(2, 8))]
    panel = _panel(0)
    found = percentiles(panel, START, earlier)
    counts = pl.concat([panel.select("minute"), found], how="horizontal")
    over = counts["minute"] >= START + timedelta(hours=1)
    assert set(counts.filter(over)["activity_days"]) == {7}
    assert set(counts.filter(~over)["activity_days"]) == {6}
    assert (counts["activity_known_at"] <= counts["minute"]).all()
    without = percentiles(panel, START, earlier[1:])
    assert found.filter(~over).equals(without.filter(~over))


def test_only_the_latest_thirty_days_count() -> None:
    days = _days(32)
    found = percentiles(_panel(0), START, days)
    assert found.equals(percentiles(_panel(0), START, days[:30][::-1]))
    assert set(found["activity_days"]) == {30}


DAYS = _days(6)


@settings(max_examples=10, deadline=None)
@given(st.integers(-89, 199))
def test_cutting_off_or_replacing_the_future_changes_no_percentile_of_the_past(cut: int) -> None:
    until = pl.col("minute") <= START + timedelta(minutes=cut)
    whole, other = _panel(0), _panel(99)
    mixed = MINUTE_PANEL.arranged(pl.concat([whole.filter(until), other.filter(~until)]))
    past = percentiles(whole.filter(until), START, DAYS)
    later = [_day(50, days_ago=0), _day(51, days_ago=-1)]
    for panel, days in ((whole, DAYS), (mixed, DAYS), (whole, [*DAYS, *later])):
        found = percentiles(panel, START, days)
        assert found.filter(panel.select(until).to_series()).equals(past)


def test_a_day_without_its_knots_in_order_is_refused() -> None:
    short = _day(2, days_ago=2).filter(pl.col("knot") > 0).head(10 * KNOTS)
    with pytest.raises(ValueError, match="does not have its 17 knots in order"):
        percentiles(_panel(0), START, [short])
