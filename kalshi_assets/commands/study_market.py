"""`kalshi-assets study market`: what improves on the market's probabilities, on recorded days.

City-days are computed in order, from earlier days only, and stored in the study's own lake, so that
an interrupted study can resume. Here: running the study and printing. Not here: a single day
(`study_days`), the evaluation (`studies`), the page (`pages`).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from kalshi_assets.commands.services import (
    find_archive,
    recordings,
    unlimited_sandbox,
)
from kalshi_assets.commands.study_days import control_scores, make_days, study_day
from kalshi_assets.commands.study_output import keep, print_json, print_paths, rich_table, tracked
from kalshi_assets.families.temperature.cities import EVERY_CITY, TEMPERATURE, city, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.scoreboard_page import verdicts, write_page
from kalshi_assets.settings import Settings
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets.tables import SCOREBOARD

PROCESSES = 2
"""Used as the city of a study of several cities; not a partition of the graph."""
EVERYWHERE = ("market", "fused", "calibrated")
SHOWN = ("market", "market_alive", "fused", "calibrated", "weather", "prior_pool")


def run_market_study(
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
    """Score market, weather, pool, calibration and classifiers on recorded days.

    Without an `archive` it uses the recordings next to the project. `scoreboard.md` is written to
    the folder `out`, its figures to the subfolder `pictures`. `command` is shown on the page.

    Raises
    ------
    FileNotFoundError
        There is no archive.
    ValueError
        No day could be scored.
    """
    keys = city_days(cities, start, end)
    recordings(archive)
    served = find_archive(archive, Settings().data)
    progress = Console(stderr=True, quiet=as_json)
    lake = Lake(Files(Settings().data.resolve() / "study"), TEMPERATURE)
    lake.claim(served.origin)
    with unlimited_sandbox(served.root):
        days = make_days(lake.files, keys, PROCESSES)
        made = list(tracked(progress, days, "city-days", len(keys)))
    study = _study(progress, lake, sorted(each.key for each in made if each.missing is None))
    if not study.days.height:
        raise ValueError(
            f"no day of {', '.join(cities)} from {start} to {end} could be scored; events with an "
            "outcome are needed"
        )
    titles = {name: city(name).title for name in cities}
    written = write_page(study, command=command, titles=titles, folder=out)
    key = LadderDay(TEMPERATURE, EVERY_CITY, end)
    kept = keep(lake, SCOREBOARD, key, study.scoreboard, **{"city-days": study.days.height})
    if as_json:
        print_json(study.scoreboard)
        return
    console.print(_table(study))
    for sentence in verdicts(study.scoreboard, titles):
        console.print(sentence.replace("**", ""))
    print_paths(console, *written, kept)


def _study(progress: Console, lake: Lake, keys: Sequence[LadderDay]) -> MarketStudy:
    days = (study_day(lake, key) for key in keys)
    read = [found for found in tracked(progress, days, "scored", len(keys)) if found is not None]
    scores, cities = control_scores(lake.files, keys, PROCESSES), len({key.ladder for key in keys})
    control = list(tracked(progress, scores, "classifiers on other days' labels, cities", cities))
    return MarketStudy.of([day for day, _ in read], [scores for _, scores in read], control)


def _table(study: MarketStudy) -> RichTable:
    """Mean log loss by city and source; the sources in a row are scored at the same instants."""
    rows = study.scoreboard.filter(
        pl.col("score") == "log_loss",
        pl.col("slice").is_in(["all", "city"]),
        (pl.col("instants") == "with_weather") | pl.col("source").is_in(EVERYWHERE),
    )
    means, gaps = (rows.filter(against=against) for against in ("nothing", "market"))
    sources = [source for source in SHOWN if (means["source"] == source).any()]
    title = f"mean log loss of {study.days.height} city-days; difference with 95 % interval"
    numbers = [*(source.replace("_", " ") for source in sources), "calibrated less market", "days"]
    table = rich_table(title, ["instants", "city"], numbers)
    for (instants, name), cells in means.group_by("instants", "slice_value", maintain_order=True):
        of = {row["source"]: row["value"] for row in cells.to_dicts()}
        (gap,) = gaps.filter(instants=instants, slice_value=name, source="calibrated").to_dicts()
        table.add_row(
            str(instants).replace("_", " "),
            str(name),
            *(f"{of[source]:.3f}" if source in of else "" for source in sources),
            f"{gap['value']:+.3f} [{gap['lo']:+.3f}, {gap['hi']:+.3f}]",
            str(cells["n_days"].max()),
        )
    return table
