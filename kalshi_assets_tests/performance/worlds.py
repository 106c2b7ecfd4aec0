"""A lake of backtests with known results: two cities, two strategies, every fill model."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.performance.results import Results, Span, results_of
from kalshi_assets.tables import DAILY_PNL, METRICS
from kalshi_assets.tables.backtest import FILL_MODELS

CITIES = Span(dimension="city")
FIRST = date(2025, 4, 28)
# Net of `value` under `through` by date, in cc; None: not settled. `sets` never trades.
GAINS = {"new_york": [30_000, -50_000, 10_000, None], "chicago": [10_000, -10_000, 0, 20_000]}
FEE, CONTRACTS = 100, 5
# How much more an order earns under the optimistic models.
BETTER = {"touch": 2_000, "through": 0, "queue": 1_000}


def results(folder: Path) -> Results:
    """The results of the lake that `build` wrote."""
    build(folder)
    with connect(Files(folder)) as catalogue:
        return results_of(catalogue, CITIES)


def build(folder: Path) -> Lake:
    """Write the lake and its catalogue."""
    lake = Lake(Files(folder), TEMPERATURE)
    for city, gains in GAINS.items():
        for day, net in enumerate(gains):
            key = city_day(city, FIRST + timedelta(days=day))
            lake.write(DAILY_PNL, key, DAILY_PNL.arranged(_pnl(net)))
            lake.write(METRICS, key, METRICS.arranged(_metrics(net)))
    create_catalogue(lake)
    return lake


def _pnl(net: int | None) -> pl.DataFrame:
    rows = []
    for strategy in ("value", "sets"):
        for model in FILL_MODELS:
            trades = strategy == "value"
            earned = None if net is None else (net + BETTER[model] if trades else 0)
            rows.append(
                {
                    "strategy": strategy,
                    "fill_model": model,
                    "settled_by": "unsettled" if net is None else "exchange",
                    "value": None if net is None else 70,
                    "winning_bracket": None if net is None else 2,
                    "orders": 2 * trades,
                    "maker_fills": 1 * trades,
                    "taker_fills": 0,
                    "contracts": CONTRACTS * trades,
                    "gross_cc": None if earned is None else earned + FEE * trades,
                    "fees_cc": FEE * trades,
                    "net_cc": earned,
                    "worst_case_cc": -60_000 * trades,
                }
            )
    return pl.DataFrame(rows, schema=DAILY_PNL.dtypes)


def _metrics(net: int | None) -> pl.DataFrame:
    rows = []
    for model in FILL_MODELS:
        for by, bucket in (("all", "all"), ("time_of_day", "before noon")):
            rows.append(
                {
                    "strategy": "value",
                    "fill_model": model,
                    "by": by,
                    "bucket": bucket,
                    "orders": 2,
                    "orders_filled": 1,
                    "ordered": 20,
                    "fills": 1,
                    "contracts": CONTRACTS,
                    "fees_cc": FEE,
                    "net_cc": None if net is None else net + BETTER[model],
                    "marked": CONTRACTS,
                    "hits": 2,
                    "mark_out_1m_cc": 250.0,
                    "mark_out_5m_cc": -500.0,
                }
            )
        rows.append(_nothing("sets", model))
    return pl.DataFrame(rows, schema=METRICS.dtypes)


def _nothing(strategy: str, model: str) -> dict[str, object]:
    counts = dict.fromkeys(
        ("orders", "orders_filled", "ordered", "fills", "contracts", "marked", "hits"), 0
    )
    money = {"fees_cc": 0, "net_cc": 0, "mark_out_1m_cc": 0.0, "mark_out_5m_cc": 0.0}
    return {
        "strategy": strategy,
        "fill_model": model,
        "by": "all",
        "bucket": "all",
        **counts,
        **money,
    }
