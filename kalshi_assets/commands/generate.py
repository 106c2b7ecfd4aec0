"""Generating a world with a progress bar. Not here: the generator (`sandbox.world`)."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.keys import days_between
from kalshi_assets.sandbox.world import generate


def generate_watched(
    console: Console, out: Path, cities: Sequence[str], start: date, end: date, seed: int
) -> None:
    """Write the recordings of a generated world into `out`."""
    total = len([city(name) for name in cities]) * len(list(days_between(start, end)))
    with Progress(console=console) as bars:
        task = bars.add_task(f"generating {out}", total=total)
        summary = generate(
            out,
            cities=cities,
            start=start,
            end=end,
            seed=seed,
            progress=lambda name, day: bars.update(task, advance=1),
        )
    console.print(
        f"{summary.city_days} city-days, {summary.candles:,} candles, {summary.trades:,} trades, "
        f"{summary.observations:,} observations in {summary.folder}"
    )
