"""The demo: a sandbox, the real clients, the whole graph, a summary.

Not here: the summary's table (`pages.summary`).
"""

import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from kalshi_assets.commands.performance import judged
from kalshi_assets.commands.services import ServedArchive, prepared_archive, sandbox_environment
from kalshi_assets.commands.watch import backfill_watched
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.lake.catalogue import CATALOGUE, connect
from kalshi_assets.lake.files import Files
from kalshi_assets.pages.library import INDEX, PERFORMANCE_PAGE, summaries
from kalshi_assets.pages.summary import summary_table, trading_table, why_not
from kalshi_assets.settings import Settings

GENERATED = (
    "The world is generated, and its traders err more than real ones: any profit here is the "
    "generator's."
)


def run_demo(console: Console, archive: Path | None) -> bool:
    """Backfill an archive's demo days and print a summary; returns whether all days succeeded.

    `archive` is the folder of recordings to serve; None: see `find_archive`.
    """
    started = time.monotonic()
    data, lake = Settings().data, the_lake()
    served = prepared_archive(console, archive, data)
    lake.claim(served.origin)
    with sandbox_environment(served, data) as sandbox:
        console.print(f"[bold]{served.origin}[/bold], served by a sandbox at {sandbox.url}")
        behind = timedelta(days=served.behind)
        wanted = [(name, start - behind, end) for name, (start, end) in served.shown.items()]
        complete = backfill_watched(console, wanted)
    judged(lake)
    _show(console, served, lake.files)
    console.print(f"[dim]{time.monotonic() - started:.0f} s[/dim]")
    return complete


def _show(console: Console, served: ServedArchive, files: Files) -> None:
    with connect(files) as connection:
        rows = [
            row
            for row in summaries(connection)
            if row.city in served.shown
            and served.shown[row.city][0] <= row.date <= served.shown[row.city][1]
        ]
    console.print(summary_table(rows))
    console.print(trading_table(rows))
    for sentence in why_not(rows):
        console.print(sentence, soft_wrap=True, highlight=False)
    if served.generated:
        console.print(GENERATED, soft_wrap=True, highlight=False)
    console.print()
    console.print(f"report      {files.address(INDEX)}", soft_wrap=True, highlight=False)
    console.print(f"performance {files.address(PERFORMANCE_PAGE)}", soft_wrap=True, highlight=False)
    console.print(f"catalogue   {files.address(CATALOGUE)}", soft_wrap=True, highlight=False)
    console.print(
        '            .venv/bin/kalshi-assets sql "select city, date, count(*) as rows from '
        'probability.fused_pmf group by all order by all"',
        soft_wrap=True,
        highlight=False,
    )
    console.print("Dagster UI  make ui, then http://127.0.0.1:3000", highlight=False)
