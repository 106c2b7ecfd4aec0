"""Benchmarks: how fast the platform is, against references measured in the same run.

Here: the measurements, and printing their figures. Not here: tests of speed in the test suite.
"""

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table as RichTable


def print_figures(
    console: Console, title: str, figures: Mapping[str, float], *, as_json: bool
) -> None:
    """Print a table on `console`, or one JSON object on standard output."""
    if as_json:
        print(json.dumps(figures))
        return
    table = RichTable(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:g}")
    console.print(table)
