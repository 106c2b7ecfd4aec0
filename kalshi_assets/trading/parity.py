"""Decisions of a session against the backtest of the same day, cause by cause.

Here: the comparison. Not here: reading journals (`live`), what follows from it (`pipeline.live`).
"""

import polars as pl

from kalshi_assets.tables import LIVE_PARITY
from kalshi_assets.tables.live import PARITY_CAUSES

_ROW = ("strategy", "market_ticker", "minute")
_DECIDED = ("reason", "side", "execution", "price_cc", "contracts", "edge_cents")
_KNEW = ("known_at", "p_used", "p_mkt")


def parity(session: pl.DataFrame, backtest: pl.DataFrame) -> pl.DataFrame:
    """`live.parity` of the sessions of a ladder-day.

    A decision is late_facts if what it rests on differs, position if only what was held does.

    Parameters
    ----------
    session
        `live.decisions`, of any number of sessions.
    backtest
        `backtest.decisions` of the day; of strategies that a session did not run nothing is said.
    """
    found = [
        _of_one(session_id, rows, backtest)
        for (session_id,), rows in session.group_by("session_id", maintain_order=True)
    ]
    return LIVE_PARITY.arranged(pl.concat([LIVE_PARITY.empty(), *found]))


def _of_one(session_id: object, rows: pl.DataFrame, backtest: pl.DataFrame) -> pl.DataFrame:
    expected = backtest.filter(pl.col("strategy").is_in(rows["strategy"].unique().to_list()))
    both = expected.join(
        rows.with_columns(there=pl.lit(value=True)),
        on=_ROW,
        how="left",
        suffix="_live",
        maintain_order="left",
    )
    cause = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit("missing"))
        .when(_same(_DECIDED) & _same(("position", *_KNEW)))
        .then(pl.lit("equal"))
        .when(~_same(_KNEW))
        .then(pl.lit("late_facts"))
        .when(~_same(("position",)))
        .then(pl.lit("position"))
        .otherwise(pl.lit("unexplained"))
    )
    counted = (
        both.with_columns(cause=cause)
        .group_by("strategy", "cause")
        .agg(
            rows=pl.len().cast(pl.Int32),
            first_row=pl.format(
                "{} {}",
                pl.col("market_ticker").first(),
                pl.col("minute").first().dt.strftime("%Y-%m-%dT%H:%MZ"),
            ),
        )
        .with_columns(
            session_id=pl.lit(str(session_id)),
            share=pl.col("rows") / pl.col("rows").sum().over("strategy"),
            first_row=pl.when(pl.col("cause") != PARITY_CAUSES[0]).then("first_row"),
        )
    )
    return counted.select(list(LIVE_PARITY.dtypes)).cast(pl.Schema(LIVE_PARITY.dtypes))


def _same(names: tuple[str, ...]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_live")) for name in names)
