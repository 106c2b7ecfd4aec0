"""Decisions, fills, profit and loss, and the report of a city-day."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.cities import CITIES, city
from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset, the_lake
from kalshi_assets.ladder.scoreboard import scoreboard
from kalshi_assets.ladder.settlement import fair_price, settled_by
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.reports.inputs import PAGE_TABLES, DayInputs
from kalshi_assets.settings import Settings
from kalshi_assets.tables import (
    CALIBRATED,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FUSED_PMF,
    MINUTE_PANEL_FULL,
    REPORT,
    SETTLEMENTS,
)
from kalshi_assets.trading.engine import FILL_MODELS, decide_day, fill_day
from kalshi_assets.trading.params import TradingParams, load_params
from kalshi_assets.trading.records import Outcome
from kalshi_assets.trading.records import daily_pnl as pnl_of_day
from kalshi_assets.trading.signal import priced
from kalshi_assets.trading.terms import EventTerms

SHOWN = [table for table in PAGE_TABLES if table is not REPORT]
"""What the report's page shows besides its own scores."""


@dg.asset(
    **lake_asset(DECISIONS, code_version="3", kinds={"python"}),
    ins={
        "events": asset_in(EVENTS),
        "panel": asset_in(MINUTE_PANEL_FULL),
        "calibrated": asset_in(CALIBRATED),
    },
)
def decisions(
    context: dg.AssetExecutionContext,
    events: Partitions,
    panel: Partitions,
    calibrated: Partitions,
) -> Computations:
    def decide(key: CityDay) -> pl.DataFrame:
        seen = priced(panel[key], calibrated[key])
        return decide_day(seen, terms=terms_of(events[key]), params=params_for(key))

    return by_partition(
        context,
        decide,
        lambda _, frame: {"reasons": dict(frame["reason"].value_counts().iter_rows())},
    )


@dg.asset(
    **lake_asset(FILLS, code_version="3", kinds={"python"}),
    ins={
        "events": asset_in(EVENTS),
        "panel": asset_in(MINUTE_PANEL_FULL),
        "calibrated": asset_in(CALIBRATED),
        "settlements": asset_in(SETTLEMENTS),
    },
)
def fills(
    context: dg.AssetExecutionContext,
    events: Partitions,
    panel: Partitions,
    calibrated: Partitions,
    settlements: Partitions,
) -> Computations:
    def fill(key: CityDay) -> pl.DataFrame:
        return fill_day(
            priced(panel[key], calibrated[key]),
            terms=terms_of(events[key]),
            params=params_for(key),
            outcome=outcome_of(settlements[key], events[key]),
        )

    return by_partition(context, fill)


@dg.asset(
    **lake_asset(DAILY_PNL, code_version="1", kinds={"python"}),
    ins={
        "events": asset_in(EVENTS),
        "fills": asset_in(FILLS),
        "settlements": asset_in(SETTLEMENTS),
    },
)
def daily_pnl(
    context: dg.AssetExecutionContext,
    events: Partitions,
    fills: Partitions,
    settlements: Partitions,
) -> Computations:
    def earn(key: CityDay) -> pl.DataFrame:
        return pnl_of_day(
            fills[key],
            terms_at(events[key]).sort("bracket")["market_ticker"].to_list(),
            FILL_MODELS,
            outcome_of(settlements[key], events[key]),
        )

    return by_partition(context, earn, lambda _, pnl: {"net": _net(pnl)})


@dg.asset(
    **lake_asset(REPORT, code_version="2", kinds={"html"}),
    ins={table.name: asset_in(table) for table in (FUSED_PMF, *SHOWN)},
)
def report(context: dg.AssetExecutionContext, **inputs: Partitions) -> Computations:
    from kalshi_assets.reports.library import write_day, write_index
    from kalshi_assets.reports.plots import INLINE_SIZE, belief_figure
    from kalshi_assets.reports.svg import svg_data_uri

    data = Settings().data
    made = {table: inputs[table.name] for table in (FUSED_PMF, *SHOWN)}

    def score(key: CityDay) -> pl.DataFrame:
        winner = made[DAILY_PNL][key]["winning_bracket"][0]
        return scoreboard(made[FUSED_PMF][key], made[EVENTS][key]["climate_start"][0], winner)

    def publish(key: CityDay, scores: pl.DataFrame) -> Mapping[str, Any]:
        frames = {table: made[table][key] for table in SHOWN}
        day = DayInputs.of(city(key.city), key.date, {**frames, REPORT: scores})
        page = write_day(data, day)
        picture = svg_data_uri(
            belief_figure(day, size=INLINE_SIZE, legend=True), "fused PMF over the day"
        )
        return {
            "page": dg.MetadataValue.path(str(page.resolve())),
            "belief": dg.MetadataValue.md(f"![fused PMF over the day]({picture})"),
        }

    return by_partition(context, score, publish, finish=lambda: write_index(data, the_lake()))


def params_for(key: CityDay) -> TradingParams:
    """The trading parameters in force for a city."""
    return load_params(key.city, CITIES)


def terms_of(events: pl.DataFrame) -> EventTerms:
    """What the exchange said about trading the event when it opened."""
    return EventTerms.of(terms_at(events))


def outcome_of(settlements: pl.DataFrame, events: pl.DataFrame) -> Outcome | None:
    """What settled the event, if anything did."""
    paid = fair_price(settlements)
    if paid is not None:
        return Outcome(
            settled_by="exchange",
            tmax_f=None,
            winning_bracket=None,
            fair_price_cc=paid.payoffs_cc,
        )
    settled = settled_by(settlements, events)
    if settled is None:
        return None
    return Outcome(settled_by=settled.source, tmax_f=settled.tmax_f, winning_bracket=settled.winner)


def _net(pnl: pl.DataFrame) -> dict[str, str]:
    return {
        model: "not settled" if net is None else f"{net / 10_000:+.2f} dollars"
        for model, net in pnl.select("fill_model", "net_cc").iter_rows()
    }
