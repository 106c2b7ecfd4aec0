"""The terminal's summary at the end of a run: a line per city-day, and why it did not trade.

Here: a rich table and a sentence. Not here: printing them, or reading the rows.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kalshi_assets.pages.index_page import total_of
from kalshi_assets.pages.verdict import DaySummary
from kalshi_assets.pages.words import dollars, number, reason_words

if TYPE_CHECKING:
    from rich.table import Table


def summary_table(rows: Iterable[DaySummary]) -> "Table":
    """One line per city-day, in any order given, and a line of totals."""
    from rich.table import Table
    from rich.text import Text

    ordered = sorted(rows, key=lambda row: (row.city, row.date))
    models = sorted({model for row in ordered for model in row.net_cc})
    table = Table(
        title="City-days: outcome, mean log loss (lower is better), P&L after fees",
        show_footer=True,
        title_justify="left",
    )
    whole = total_of("all", ordered)
    table.add_column("city", footer=f"{whole.days} city-days")
    table.add_column("date", no_wrap=True)
    table.add_column("paid", no_wrap=True)
    for source in ("market", "weather", "fused"):
        # The weather's mean covers fewer hours and days, so it is not comparable.
        footer = "" if source == "weather" else number(whole.log_loss[source])
        table.add_column(source, justify="right", footer=footer)
    table.add_column("better", footer="")
    for model in models:
        net = dollars(whole.net_cc[model], signed=True)
        table.add_column(f"P&L {model}", justify="right", footer=net, no_wrap=True)
    orders = "/".join(str(whole.orders[model]) for model in models)
    table.add_column("orders", justify="right", footer=orders)
    for row in ordered:
        table.add_row(
            # Text, so that square brackets in the exchange's labels are not read as markup.
            Text(row.city),
            str(row.date),
            Text(row.outcome or ("unknown" if row.settled else "not settled")),
            *(number(row.contest.log_loss[source]) for source in ("market", "weather", "fused")),
            _better(row),
            *(_net(row.net_cc.get(model)) for model in models),
            "/".join(str(row.orders.get(model, 0)) for model in models),
        )
    return table


def why_not(rows: Iterable[DaySummary]) -> str:
    """How many days had an order, and the three most frequent reasons for none."""
    days = [row for row in rows if row.reasons]
    traded = sum("trade" in row.reasons for row in days)
    counts: Counter[str] = Counter()
    for row in days:
        counts.update(row.reasons)
    total = counts.total()
    counts.pop("trade", None)
    named = [
        f"{reason_words(reason)} ({count / total:.0%})" for reason, count in counts.most_common(3)
    ]
    return f"orders on {traded} of {len(days)} days; why not: {', '.join(named) or 'unknown'}"


def _better(row: DaySummary) -> str:
    """Which source had the lower mean log loss, with the hours it won."""
    contest = row.contest
    if contest.better in (None, "tie"):
        return "–" if contest.better is None else "same"
    return f"{contest.better} {contest.won(contest.better or '')}/{contest.hours}"


def _net(cc: int | None) -> str:
    colour = "" if not cc else "green" if cc > 0 else "red"
    return f"[{colour}]{dollars(cc, signed=True)}[/]" if colour else dollars(cc, signed=True)
