"""An archive of which two days cannot be read: the event of one, and the trades of another."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from kalshi_assets.families.temperature.cities import event_ticker
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import (
    CALIBRATORS,
    CANDLES,
    CLASSIFIERS,
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    EVENTS,
    FORECASTS,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    MC_PARAMS,
    OBSERVATIONS,
    ORDER_BOOK,
    SETTLEMENTS,
    TABLES,
    Table,
)

OF_EARLIER_DAYS = frozenset({MC_PARAMS, FUSION_WEIGHTS, CLASSIFIERS, CALIBRATORS})
WITHOUT_EVENT = OF_EARLIER_DAYS | {
    OBSERVATIONS,
    DROPPED_OBSERVATIONS,
    FORECASTS,
    DROPPED_FORECASTS,
    SETTLEMENTS,
}
"""What rests on nothing that an unreadable event spoils."""
WITHOUT_TRADES = WITHOUT_EVENT | {EVENTS, CANDLES, ORDER_BOOK, HAZARD_PMF}
"""What rests on nothing that unreadable trades spoil."""


def spoil(archive: Path, *, event: LadderDay, trades: LadderDay) -> None:
    """Take a bracket out of the ladder of `event`, and let the trades of `trades` cost 1.50."""
    path = archive / "markets.parquet"
    markets = pl.read_parquet(path)
    inner = (pl.col("event_ticker") == event_ticker(event)) & (pl.col("strike_type") == "between")
    bracket = markets.filter(inner)["market_ticker"][0]
    markets.filter(pl.col("market_ticker") != bracket).write_parquet(path)
    series = event_ticker(trades).partition("-")[0]
    path = archive / f"trades/series={series}/event_date={trades.date}/part.parquet"
    pl.read_parquet(path).with_columns(yes_price=pl.lit(150)).write_parquet(path)


def spoilt_copy(archive: Path, folder: Path, *, event: LadderDay, trades: LadderDay) -> Path:
    """A copy of an archive, spoilt."""
    shutil.copytree(archive, folder)
    spoil(folder, event=event, trades=trades)
    return folder


def made_of(
    keys: Sequence[LadderDay], *, event: LadderDay, trades: LadderDay
) -> dict[Table, set[LadderDay]]:
    """Which of `keys` can be made, by table: all but what rests on what cannot be read."""
    lost = {
        event: frozenset(TABLES) - WITHOUT_EVENT,
        trades: frozenset(TABLES) - WITHOUT_TRADES,
    }
    return {
        table: {key for key in keys if table not in lost.get(key, frozenset())} for table in TABLES
    }
