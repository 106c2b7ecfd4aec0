"""`kalshi-assets study virtual-makers`: fill models on recorded tapes.

Here: reading tapes of an archive, progress, printing, writing. Not here: the evaluation
(`studies.virtual_makers`, `studies.fill_study`), the page (`pages.fills_page`).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from kalshi_assets.commands.services import recordings
from kalshi_assets.commands.study_output import print_json, print_paths, rich_table, tracked
from kalshi_assets.families.temperature.cities import city, city_day, city_day_of_event, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.pages.fills_page import cents, minutes, recommended_ahead, share, write_page
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.studies.fill_study import FillStudy
from kalshi_assets.studies.inferred_quotes import COMPARED, compared
from kalshi_assets.studies.queue_ahead import ALL
from kalshi_assets.studies.virtual_makers import CLOCK, MODELS, probed
from kalshi_assets.units import SECOND_US


def run_fill_study(
    console: Console,
    *,
    archive: Path | None,
    out: Path,
    cities: Sequence[str],
    start: date,
    end: date,
    as_json: bool,
    command: str,
) -> None:
    """Place virtual orders on recorded tapes; print, and write `fills.md` to the folder `out`.

    Without an `archive` it uses the recordings next to the project. `command` is shown on the page.

    Raises
    ------
    FileNotFoundError
        There is no archive.
    ValueError
        There is no tape with quotes.
    """
    keys = city_days(cities, start, end)
    recorded = Archive(recordings(archive))
    progress = Console(stderr=True, quiet=as_json)
    events = (tape_of(recorded, key) for key in keys)
    tapes = (found for found in tracked(progress, events, "tapes", len(keys)) if found is not None)
    read = [probed(*found) for found in tapes]
    study = FillStudy.of(read)
    written = write_page(
        study, compared_quotes(recorded, cities), command=command, city_days=len(read), folder=out
    )
    if as_json:
        print_json(study.summary)
        return
    console.print(_table(study))
    console.print(f"recommended: queue_ahead_contracts = {recommended_ahead(study)}")
    print_paths(console, *written)


def tape_of(archive: Archive, key: LadderDay) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Trades and markets of a recorded event; None: there is no event, or no tape of it."""
    known = (t for t in city(key.ladder).event_tickers(key.date) if t in archive.event_markets)
    ticker = next(known, None)
    if ticker is None or (trades := archive.trades(ticker)).is_empty():
        return None
    members = archive.event_markets[ticker]
    markets = pl.DataFrame(
        {
            "market_ticker": [member.ticker for member in members],
            "date": [key.date for _ in members],
            "open_time": [member.open_time for member in members],
            "close_time": [member.close_time for member in members],
        }
    )
    tape = trades.select(
        "trade_id",
        "market_ticker",
        pl.col("created_us").cast(pl.Datetime("us", "UTC")).alias("event_time"),
        pl.col("yes_price").alias("yes_price_cc"),
        "count",
        "taker_side",
    )
    return tape, markets


def compared_quotes(archive: Archive, cities: Sequence[str]) -> pl.DataFrame:
    """Inferred and recorded quotes on all days of the cities on which both are recorded."""
    frames = [pl.DataFrame(schema=COMPARED)]
    for ticker in archive.event_markets:
        place, day = city_day_of_event(ticker)
        if place.name not in cities or (candles := archive.candles(ticker)).is_empty():
            continue
        if (found := tape_of(archive, city_day(place.name, day))) is not None:
            quotes = candles.select(
                "market_ticker",
                (pl.col("end_ts") * SECOND_US).cast(pl.Datetime("us", "UTC")).alias("event_time"),
                pl.col("yes_bid_close").alias("yes_bid_close_cc"),
                pl.col("yes_ask_close").alias("yes_ask_close_cc"),
            )
            frames.append(compared(*found, quotes))
    return pl.concat(frames)


def _table(study: FillStudy) -> RichTable:
    """Fill rates, times and mark-outs of clock probes by model."""
    rows = study.summary.filter(kind=CLOCK, by=ALL).to_dicts()
    of = {(row["model"], row["measure"]): row for row in rows}
    numbers = ["filled in 15 min", "median, min", "after 1 min, ¢", "after 5 min, ¢"]
    table = rich_table("orders at the best price, one contract; 95 % intervals", ["model"], numbers)
    for model in MODELS:
        table.add_row(
            model.replace("_", " "),
            share(of[model, "filled"]),
            minutes(of[model, "median_s"]),
            cents(of[model, "mark_1m"]),
            cents(of[model, "mark_5m"]),
        )
    return table
