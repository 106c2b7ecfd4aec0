"""The ledger: fills and settlement as double entries, in integers of 1/10,000 dollar.

Here: postings, and what follows from them. Not here: which fills there were.

A fill moves its price from cash to the position at cost, and its fee from cash to fees. Settlement
pays every position what its leg paid and books the difference to its cost as realised gain; the
account `settlement` is credited with gains. Every entry sums to zero, so cash and positions at cost
equal gains less fees at any time.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from kalshi_assets.tables import LEDGER
from kalshi_assets.units import Ints

_TYPES = pl.Schema({name: LEDGER.dtypes[name] for name in ("entry", "amount_cc", "contracts")})


def postings(
    fills: pl.DataFrame, payoffs_cc: Sequence[int] | None, markets: Sequence[str], settled_at: int
) -> pl.DataFrame:
    """`backtest.ledger` of a day.

    Parameters
    ----------
    fills
        `backtest.fills` of the event.
    payoffs_cc
        What a YES contract of each market paid; None: not settled.
    markets
        The event's markets in ladder order.
    settled_at
        When the settlement is booked, microseconds.
    """
    if fills.is_empty():
        return LEDGER.empty()
    signed = pl.when(pl.col("side") == "bid").then("contracts").otherwise(-pl.col("contracts"))
    of_fills = fills.with_columns(
        signed=signed, cost=signed.cast(pl.Int64) * pl.col("price_cc"), entry=pl.col("fill")
    )
    key = ("strategy", "fill_model", "entry", "market_ticker", "event_time")
    none = pl.lit(0, pl.Int32)
    parts = [
        of_fills.select(*key, account=pl.lit("position"), amount_cc="cost", contracts="signed"),
        of_fills.select(*key, account=pl.lit("fees"), amount_cc="fee_cc", contracts=none),
        of_fills.select(
            *key,
            account=pl.lit("cash"),
            amount_cc=-(pl.col("cost") + pl.col("fee_cc")),
            contracts=none,
        ),
    ]
    if payoffs_cc is not None:
        parts += _settlement(of_fills, dict(zip(markets, payoffs_cc, strict=True)), settled_at)
    moved = (pl.col("amount_cc") != 0) | (pl.col("contracts") != 0)
    return LEDGER.arranged(pl.concat([part.cast(_TYPES) for part in parts]).filter(moved))


def _settlement(fills: pl.DataFrame, paid: dict[str, int], settled_at: int) -> list[pl.DataFrame]:
    """Postings that close every market's position at what it paid."""
    held = (
        fills.group_by("strategy", "fill_model", "market_ticker", maintain_order=True)
        .agg(pl.col("signed").sum(), pl.col("cost").sum())
        .with_columns(
            entry=pl.int_range(pl.len()).over("strategy", "fill_model") + fills.height,
            event_time=pl.lit(settled_at, pl.Int64).cast(fills.schema["event_time"]),
            paid=pl.col("signed").cast(pl.Int64)
            * pl.col("market_ticker").replace_strict(paid, return_dtype=pl.Int64),
        )
    )
    key = ("strategy", "fill_model", "entry", "market_ticker", "event_time")
    none = pl.lit(0, pl.Int32)
    return [
        held.select(
            *key,
            account=pl.lit("position"),
            amount_cc=-pl.col("cost"),
            contracts=-pl.col("signed"),
        ),
        held.select(*key, account=pl.lit("cash"), amount_cc="paid", contracts=none),
        held.select(
            *key,
            account=pl.lit("settlement"),
            amount_cc=pl.col("cost") - pl.col("paid"),
            contracts=none,
        ),
    ]


def worst_case_cc(position: Ints, runs: Ints, atoms: int, cash_cc: int) -> int:
    """Gain after fees under the worst value, cc.

    Parameters
    ----------
    position
        YES contracts by bracket.
    runs, atoms
        `Atoms.runs` of the legs, and the number of atoms.
    cash_cc
        Cash received less paid, fees included.
    """
    steps = np.zeros(atoms + 1, np.int64)
    np.add.at(steps, runs[:, 0], 10_000 * position)
    np.subtract.at(steps, runs[:, 1], 10_000 * position)
    return int(steps[:-1].cumsum().min()) + cash_cc
