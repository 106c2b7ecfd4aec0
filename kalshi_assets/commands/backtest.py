"""Backtests of stored days without Dagster, with other parameters or a strategy of the user's.

Here: choosing days, parameters and strategies, and printing. Not here: the day that is read
(`pipeline.backtest`), the engine (`trading`), the table (`pages.results`).
"""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich.console import Console
from rich.markup import escape

from kalshi_assets.commands.watch import progress_bars
from kalshi_assets.config import load_toml
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.families.temperature.steps import FAMILY
from kalshi_assets.keys import days_between
from kalshi_assets.lake.store import (
    MissingPartitionError,
    OutdatedPartitionError,
    PartsDisagreeError,
)
from kalshi_assets.pages.results import Result, results_of, results_table, totals_of
from kalshi_assets.pipeline.backtest import stored_day
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.records import daily_pnl
from kalshi_assets.trading.sensitivity import with_changes
from kalshi_assets.trading.strategies import SHIPPED, MinuteStrategy, Strategy, strategy_of


def run_backtest(
    console: Console,
    progress: Console,
    *,
    cities: Sequence[str],
    start: date,
    end: date,
    strategies: Sequence[str],
    changes: Mapping[str, Any],
) -> bool:
    """Backtest days from the lake's features and print what strategies earned.

    Parameters
    ----------
    console, progress
        For the table; for progress and for days that are left out.
    cities, start, end
        The days, both ends included.
    strategies
        Names, or ``module:Class``; none: those that ship.
    changes
        Parameters by dotted name, in place of those of trading.toml.

    Returns
    -------
    bool
        Whether every day had its features.

    Raises
    ------
    ValueError
        An unknown city, strategy or parameter, or no days.
    """
    chosen = [users_strategy(path) for path in strategies] or list(SHIPPED)
    document, lake = load_toml(CONFIG_NAME), the_lake()
    params = {
        name: with_changes(FAMILY.trading_params(document, city(name).name), changes)
        for name in cities
    }
    keys = [city_day(name, day) for name in params for day in days_between(start, end)]
    if not keys:
        raise ValueError(f"there are no days from {start} to {end}")
    results: list[tuple[Result, ...]] = []
    with progress_bars(progress) as bars:
        task = bars.add_task("backtest", total=len(keys))
        for key in keys:
            try:
                day, outcome = stored_day(FAMILY, lake, key, params[key.ladder])
            except (MissingPartitionError, OutdatedPartitionError, PartsDisagreeError) as error:
                progress.print(
                    f"[yellow]{key.ladder} {key.date} is left out:[/yellow] {escape(str(error))}",
                    soft_wrap=True,
                )
            else:
                results.append(results_of(daily_pnl(day, backtest(day, chosen), outcome)))
            bars.advance(task)
    if results:
        title = f"Backtest of {', '.join(params)}, {start} to {end}"
        console.print(results_table(totals_of(results), title))
    left_out = len(keys) - len(results)
    if left_out:
        progress.print(f"[red]{left_out} of {len(keys)} days are left out[/red]")
    return not left_out


def changes_of(texts: Sequence[str]) -> dict[str, Any]:
    """Parameters by dotted name, from texts such as ``value.maker_min_edge_cents=2``.

    Raises
    ------
    ValueError
        A text is not of this form.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise ValueError(f"--set {text!r} is not key=value, such as order_contracts=5")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            raise ValueError(
                f'--set {text!r}: {value!r} is no number, true, false or "text"'
            ) from None
    return found


def users_strategy(path: str) -> Strategy | MinuteStrategy:
    """A strategy by name, or ``module:Class`` of a file in the working folder.

    Raises
    ------
    ValueError
        There is no such strategy.
    """
    # The installed command does not look for modules in the working folder by itself.
    if "" not in sys.path:
        sys.path.insert(0, "")
    return strategy_of(path)
