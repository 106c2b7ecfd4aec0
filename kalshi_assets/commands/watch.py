"""Backfills with progress bars, from configured services, a sandbox or stored responses.

Not here: planning and running (`backfill`).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from kalshi_assets.commands.backfill import Outcome, plan, run
from kalshi_assets.commands.services import environment, prepared_archive, sandbox_environment
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.keys import LadderDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import Table


def backfill_watched(
    console: Console, wanted: Sequence[tuple[str, date, date]], *, replay: bool = False
) -> bool:
    """Backfill (city, first day, last day) with a bar per city; returns whether it is complete.

    Raises
    ------
    OriginMismatchError
        The lake has another origin; no requests were sent.
    """
    lake = the_lake()
    plans = [each for name, start, end in wanted for each in plan(lake, [name], start, end)]
    lake.claim(Settings().origin)  # after planning, so that invalid arguments have no effect
    with progress_bars(console, TextColumn("[dim]{task.fields[doing]}[/dim]")) as bars:
        tasks = {}
        for each in plans:
            earlier = f" + {len(each.look_back)} earlier days of weather" if each.look_back else ""
            title = f"{each.city} {each.days[0].date}..{each.days[-1].date}{earlier}"
            tasks[each.city] = bars.add_task(title, total=each.partitions, doing="")

        def on_written(table: Table, key: LadderDay) -> None:
            bars.update(tasks[key.ladder], advance=1, doing=f"{table.full_name} {key.date}")

        outcome = run(plans, on_written, replay=replay)
        endings = dict.fromkeys(outcome.failed, "[red]failed[/red]")
        endings |= dict.fromkeys(outcome.untried, "[red]not tried[/red]")
        for name, task in tasks.items():
            bars.update(task, doing=endings.get(name, "done"))
    _tell(console, outcome)
    return outcome.complete


def _tell(console: Console, outcome: Outcome) -> None:
    for name, run_ in outcome.incomplete.items():
        console.print(
            f"[yellow]{name}, earlier days, run {run_.run_id}:[/yellow]\n{escape(str(run_))}\n"
            "  The parameters of the hazard are fitted to fewer days.",
            soft_wrap=True,
        )
    for name, run_ in outcome.failed.items():
        console.print(
            f"[red]{name} failed, run {run_.run_id}:[/red]\n{escape(str(run_))}", soft_wrap=True
        )
    for name in outcome.untried:
        console.print(f"[red]{name}:[/red] not tried: a service cannot be reached")


def backfill_served(
    console: Console, wanted: Sequence[tuple[str, date, date]], archive: Path
) -> bool:
    """Backfill from recordings that a temporary sandbox serves."""
    data = Settings().data
    served = prepared_archive(console, archive, data)
    with sandbox_environment(served, data):
        return backfill_watched(console, wanted)


def backfill_replayed(console: Console, wanted: Sequence[tuple[str, date, date]]) -> bool:
    """Backfill from stored raw responses, which have the same origin as the lake next to them."""
    with environment({"KALSHI_ASSETS_ORIGIN": the_lake().origin or Settings().origin}):
        return backfill_watched(console, wanted, replay=True)


def progress_bars(console: Console, *more: ProgressColumn) -> Progress:
    """Progress bars with description, count and elapsed time, then the columns `more`."""
    bar = BarColumn(bar_width=24)
    columns = (TextColumn("{task.description}"), bar, MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, *more, console=console)
