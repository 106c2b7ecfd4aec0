"""Steps that every ladder has before any model: candles, trades, books, panel, market PMF."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_candles, fetch_trades
from kalshi_assets.features.activity import activity
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.market_pmf import (
    MarketPmfParams,
    load_market_pmf_params,
    market_pmf,
)
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.ladder.threshold_pmf import threshold_market_pmf
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pipeline.step import Input, Made, Parameters, Service, Step, Warnings, step
from kalshi_assets.stream.order_book import order_book
from kalshi_assets.stream.recording import Recordings
from kalshi_assets.tables import (
    ACTIVITY,
    CANDLES,
    EVENTS,
    MARKET_PMF,
    MINUTE_PANEL,
    ORDER_BOOK,
    TRADES,
)


def _candles(key: LadderDay, kalshi: KalshiService, events: pl.DataFrame) -> pl.DataFrame:
    with kalshi.client(key, "candles") as client:
        return fetch_candles(client, EventContract.from_frame(key, events))


def _trades(key: LadderDay, kalshi: KalshiService, events: pl.DataFrame) -> pl.DataFrame:
    with kalshi.client(key, "trades") as client:
        return fetch_trades(client, EventContract.from_frame(key, events))


def _order_book(
    key: LadderDay, recordings: Recordings, events: pl.DataFrame, warn: Callable[[str], object]
) -> pl.DataFrame:
    contract = EventContract.from_frame(key, events)
    return order_book(
        recordings,
        contract.market_tickers,
        microseconds_of(contract.open_time),
        microseconds_of(contract.close_time),
        lambda problem: warn(f"{key}: {problem}"),
    )


def _describe_order_book(made: Made) -> Mapping[str, Any]:
    if made.frame.is_empty():
        return {"recording": "no recording"}
    return {"recording": "recorded", "changes": counts(made, "change")}


def _activity(panel: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    return activity(panel, events["day_start"][0])


def _market_pmf(panel: pl.DataFrame, events: pl.DataFrame, params: MarketPmfParams) -> pl.DataFrame:
    ladder = atoms_of(events)
    if ladder.shape == "partition":
        return market_pmf(panel, params)
    return threshold_market_pmf(panel, params)


MARKET_STEPS: tuple[Step, ...] = (
    step(
        CANDLES,
        _candles,
        kalshi=Service(),
        events=Input(EVENTS),
        kinds={"kalshi"},
        ingest=True,
    ),
    step(
        TRADES,
        _trades,
        kalshi=Service(),
        events=Input(EVENTS),
        kinds={"kalshi"},
        ingest=True,
    ),
    step(
        ORDER_BOOK,
        _order_book,
        recordings=Service(),
        events=Input(EVENTS),
        warn=Warnings(),
        kinds={"websocket"},
        describe=_describe_order_book,
    ),
    step(
        MINUTE_PANEL,
        minute_panel,
        events=Input(EVENTS),
        candles=Input(CANDLES),
        trades=Input(TRADES),
        kinds={"polars"},
        describe=lambda made: {"quotes": counts(made, "quote_source")},
    ),
    step(
        ACTIVITY,
        _activity,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        kinds={"polars"},
    ),
    step(
        MARKET_PMF,
        _market_pmf,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        params=Parameters(load_market_pmf_params),
        kinds={"polars", "numba"},
        describe=lambda made: {"valid_share": made.frame.select(pl.mean("valid")).item()},
    ),
)


def counts(made: Made, column: str) -> dict[str, int]:
    """How many rows have each value of a column."""
    return counts_of(made.frame[column])


def counts_of(values: pl.Series) -> dict[str, int]:
    """How many rows have each value."""
    return dict(values.drop_nulls().value_counts(sort=True).iter_rows())


def shares(values: pl.Series) -> dict[str, float]:
    """The share of rows with each value."""
    counted = values.value_counts(sort=True, normalize=True)
    return {str(value): round(share, 4) for value, share in counted.iter_rows()}
