"""The terminal's summary at the end of a run: city-days, what strategies earned, why not more.

Here: rich tables and sentences. Not here: printing them, or reading the rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kalshi_assets.pages.index_page import money_of, total_of
from kalshi_assets.pages.results import (
    coloured,
    results_table,
    strategies_in,
    totals_of,
)
from kalshi_assets.pages.verdict import DaySummary, why_none
from kalshi_assets.pages.words import dollars, number
from kalshi_assets.tables.backtest import DECIDING_MODEL

if TYPE_CHECKING:
    from rich.table import Table


def summary_table(rows: Iterable[DaySummary]) -> "Table":
    """One line per city-day, in any order given, and a line of totals."""
    from rich.table import Table
    from rich.text import Text

    ordered = sorted(rows, key=lambda row: (row.city, row.date))
    strategies = strategies_in(result for row in ordered for result in row.results)
    table = Table(
        title="City-days: outcome, mean log loss (lower is better), P&L after fees "
        f"under `{DECIDING_MODEL}` fills",
        show_footer=True,
        title_justify="left",
    )
    whole = total_of("all", ordered)
    made = money_of(whole.results)
    table.add_column("city", footer=f"{whole.days} city-days")
    table.add_column("date", no_wrap=True)
    table.add_column("paid", no_wrap=True)
    for source in ("market", "weather", "fused"):
        # The weather's mean covers fewer hours and days, so it is not comparable.
        footer = "" if source == "weather" else number(whole.log_loss[source])
        table.add_column(source, justify="right", footer=footer)
    table.add_column("better", footer="")
    for strategy in strategies:
        net = dollars(made.net_cc.get(strategy), signed=True)
        table.add_column(Text(strategy), justify="right", footer=net, no_wrap=True)
    orders = _orders(made.orders, strategies)
    table.add_column("orders", justify="right", footer=orders)
    for row in ordered:
        made = money_of(row.results)
        table.add_row(
            # Text, so that square brackets in the exchange's labels are not read as markup.
            Text(row.city),
            str(row.date),
            Text(row.outcome or ("unknown" if row.settled else "not settled")),
            *(number(row.contest.log_loss[source]) for source in ("market", "weather", "fused")),
            _better(row),
            *(coloured(made.net_cc.get(strategy)) for strategy in strategies),
            _orders(made.orders, strategies),
        )
    return table


def trading_table(rows: Iterable[DaySummary]) -> "Table":
    """What every strategy sent and earned under every fill model, over the days given."""
    totals = totals_of(row.results for row in rows)
    return results_table(totals, "Trading: every strategy under every fill model, all days")


def why_not(rows: Iterable[DaySummary]) -> list[str]:
    """Per strategy on how many days it sent an order, and the most frequent reasons for none."""
    days = [row for row in rows if row.reasons]
    said = []
    for strategy in dict.fromkeys(name for row in days for name in row.reasons):
        own = [row.reasons.get(strategy, {}) for row in days]
        traded = sum("trade" in reasons for reasons in own)
        why = why_none(sum((Counter(reasons) for reasons in own), Counter[str]()))
        said.append(f"{strategy}: orders on {traded} of {len(days)} days; why not: {why or '–'}")
    return said


def _orders(orders: Mapping[str, int], strategies: Sequence[str]) -> str:
    return "/".join(str(orders.get(strategy, "–")) for strategy in strategies)


def _better(row: DaySummary) -> str:
    """Which source had the lower mean log loss, with the hours it won."""
    contest = row.contest
    if contest.better in (None, "tie"):
        return "–" if contest.better is None else "same"
    return f"{contest.better} {contest.won(contest.better or '')}/{contest.hours}"
