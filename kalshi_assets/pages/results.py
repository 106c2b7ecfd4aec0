"""What strategies did and earned: a day's results, and their sums over days.

Here: results by strategy and fill model, the width between fill models, the terminal's table of
both. Not here: sentences about a day (`verdict`), reading or running a backtest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from kalshi_assets.pages.words import dollars
from kalshi_assets.tables.backtest import FILL_MODELS, STRATEGIES
from kalshi_assets.units import CC_A_CENT

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Result:
    """A strategy's day under one fill model.

    Attributes
    ----------
    strategy, fill_model
        Names.
    orders, fills
        Orders sent, and those of them with a fill.
    contracts
        Contracts filled.
    fees_cc, net_cc
        Fees, and the gain after them; net is None before settlement.
    worst_case_cc
        Gain after fees if the worst bracket had paid.
    """

    strategy: str
    fill_model: str
    orders: int
    fills: int
    contracts: int
    fees_cc: int
    net_cc: int | None
    worst_case_cc: int


@dataclass(frozen=True, kw_only=True)
class Total:
    """A strategy under one fill model, over days.

    Attributes
    ----------
    strategy, fill_model
        Names.
    days, settled
        Days, and those of them that are settled.
    orders, fills, contracts, fees_cc
        Sums over all days.
    gross_cc, net_cc
        Sums over the settled days, before and after fees; None: no day is settled.
    worst_day_cc
        Least net of a settled day; None: no day is settled.
    """

    strategy: str
    fill_model: str
    days: int
    settled: int
    orders: int
    fills: int
    contracts: int
    fees_cc: int
    gross_cc: int | None
    net_cc: int | None
    worst_day_cc: int | None


def results_of(daily_pnl: pl.DataFrame) -> tuple[Result, ...]:
    """The results in `backtest.daily_pnl` of a day, in the order in which they are shown."""
    found = [
        Result(
            strategy=row["strategy"],
            fill_model=row["fill_model"],
            orders=row["orders"],
            fills=row["maker_fills"] + row["taker_fills"],
            contracts=row["contracts"],
            fees_cc=row["fees_cc"],
            net_cc=row["net_cc"],
            worst_case_cc=row["worst_case_cc"],
        )
        for row in daily_pnl.iter_rows(named=True)
    ]
    return tuple(sorted(found, key=_shown_at))


def totals_of(days: Iterable[Sequence[Result]]) -> list[Total]:
    """Sums over days by strategy and fill model, in the order in which they are shown."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for day in days:
        for result in day:
            groups.setdefault((result.strategy, result.fill_model), []).append(result)
    return sorted((_total(group) for group in groups.values()), key=_shown_at)


def _total(results: Sequence[Result]) -> Total:
    nets = [result.net_cc for result in results if result.net_cc is not None]
    fees = [result.fees_cc for result in results if result.net_cc is not None]
    return Total(
        strategy=results[0].strategy,
        fill_model=results[0].fill_model,
        days=len(results),
        settled=len(nets),
        orders=sum(result.orders for result in results),
        fills=sum(result.fills for result in results),
        contracts=sum(result.contracts for result in results),
        fees_cc=sum(result.fees_cc for result in results),
        gross_cc=sum(nets) + sum(fees) if nets else None,
        net_cc=sum(nets) if nets else None,
        worst_day_cc=min(nets, default=None),
    )


def with_gains(orders: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """Orders by time with the gain and the mark-out of their fills; null where not known.

    Parameters
    ----------
    orders, fills
        `backtest.orders` and `backtest.fills` of a day.
    """
    key = ("strategy", "fill_model", "order_id")
    marked = pl.col("contracts").filter(pl.col("mark_out_5m_cc").is_not_null()).sum()
    moved = (pl.col("mark_out_5m_cc") * pl.col("contracts")).sum()
    gains = fills.group_by(key).agg(
        # Not known if one is not: a sum of nulls would be 0.
        pnl_cc=pl.when(pl.col("pnl_cc").null_count() == 0).then(pl.col("pnl_cc").sum()),
        mark_out_cents=(moved / marked / CC_A_CENT).fill_nan(None),
    )
    return orders.join(gains, on=key, how="left").sort("placed_at", *key)


def strategies_in(results: Iterable[Result | Total]) -> list[str]:
    """The strategies, those that ship first."""
    return sorted({result.strategy for result in results}, key=_place)


def nets_of(results: Iterable[Result | Total], strategy: str) -> dict[str, int | None]:
    """Net of a strategy by fill model.

    Parameters
    ----------
    results
        Of a day, or over days.
    strategy
        Name of the strategy.
    """
    own = sorted((each for each in results if each.strategy == strategy), key=_shown_at)
    return {each.fill_model: each.net_cc for each in own}


def width_cc(nets: Mapping[str, int | None]) -> int | None:
    """Greatest less least net of the fill models; None with fewer than two."""
    known = [net for net in nets.values() if net is not None]
    return max(known) - min(known) if len(known) > 1 else None


def _shown_at(result: Result | Total) -> tuple[tuple[int, str], tuple[int, str]]:
    model = result.fill_model
    at = FILL_MODELS.index(model) if model in FILL_MODELS else len(FILL_MODELS)
    return _place(result.strategy), (at, model)


def _place(strategy: str) -> tuple[int, str]:
    shipped = strategy in STRATEGIES
    return (STRATEGIES.index(strategy) if shipped else len(STRATEGIES)), strategy


_NUMBERS = (
    "days", "orders", "filled", "contracts", "gross", "fees", "net", "worst day", "width",
)  # fmt: skip


def results_table(totals: Sequence[Total], title: str) -> "Table":
    """A line per strategy and fill model, and the width between the models.

    Parameters
    ----------
    totals
        See `totals_of`.
    title
        Heading of the table.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    table.add_column("strategy")
    table.add_column("fill model")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    if any(total.settled < total.days for total in totals):
        table.caption = "gross, net and worst day are those of the settled days"
    for i, total in enumerate(totals):
        first = i == 0 or totals[i - 1].strategy != total.strategy
        last = i + 1 == len(totals) or totals[i + 1].strategy != total.strategy
        table.add_row(
            Text(total.strategy if first else ""),
            total.fill_model,
            f"{total.days}" + (f" ({total.settled} settled)" if total.settled < total.days else ""),
            f"{total.orders:,}",
            f"{total.fills:,}",
            f"{total.contracts:,}",
            dollars(total.gross_cc, signed=True),
            dollars(total.fees_cc),
            coloured(total.net_cc),
            dollars(total.worst_day_cc, signed=True),
            dollars(width_cc(nets_of(totals, total.strategy))) if first else "",
            end_section=last,
        )
    return table


def coloured(cc: int | None) -> str:
    """An amount as rich markup: green if it is a gain, red if it is a loss."""
    colour = "" if not cc else "green" if cc > 0 else "red"
    shown = dollars(cc, signed=True)
    return f"[{colour}]{shown}[/]" if colour else shown
